/** SAVE, BGSAVE, LASTSAVE and BGREWRITEAOF. What they start is persistence/'s, behind the host. */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'

/** redis 7.0.15 rdb.c saveCommand */
function runSave(call: Call): void {
  const { host, reply } = call
  if (host.persistence.saving) {
    reply.error('ERR Background save already in progress')
    return
  }
  try {
    host.persistence.saveNow()
    reply.ok()
  } catch (error) {
    host.log('warning', `SAVE failed: ${error instanceof Error ? error.message : String(error)}`)
    reply.error('ERR')
  }
}

/** redis 7.0.15 rdb.c bgsaveCommand */
function runBgsave(call: Call): void {
  const { args, host, reply } = call
  const schedule = args.argc === 2 && args.is(1, 'SCHEDULE')
  if (args.argc > 1 && !schedule) {
    call.syntaxError()
    return
  }
  const text = host.persistence.saveInBackground(schedule)
  if (text.startsWith('-')) reply.error(text.slice(1))
  else reply.simple(text)
}

function runBgrewriteaof(call: Call): void {
  const text = call.host.aof.rewriteInBackground()
  if (text.startsWith('-')) call.reply.error(text.slice(1))
  else call.reply.simple(text)
}

export const save = command({
  name: 'save',
  arity: 1,
  since: '1.0.0',
  summary: 'Synchronously save the dataset to disk',
  complexity: 'O(N) where N is the total number of keys in all databases',
  flags: ['no_async_loading', 'admin', 'noscript', 'no_multi'],
  run: runSave,
})

export const bgsave = command({
  name: 'bgsave',
  arity: -1,
  since: '1.0.0',
  summary: 'Asynchronously save the dataset to disk',
  complexity: 'O(1)',
  history: [['3.2.2', 'Added the `SCHEDULE` option.']],
  flags: ['no_async_loading', 'admin', 'noscript'],
  args: [arg.token('SCHEDULE', { since: '3.2.2', optional: true })],
  run: runBgsave,
})

export const lastsave = command({
  name: 'lastsave',
  arity: 1,
  since: '1.0.0',
  summary: 'Get the UNIX time stamp of the last successful save to disk',
  complexity: 'O(1)',
  flags: ['loading', 'stale', 'fast'],
  acl: ['admin', 'dangerous'],
  hints: ['nondeterministic_output'],
  run: (call) => call.reply.integer(call.host.persistence.lastSaveSeconds),
})

export const bgrewriteaof = command({
  name: 'bgrewriteaof',
  arity: 1,
  since: '1.0.0',
  summary: 'Asynchronously rewrite the append-only file',
  complexity: 'O(1)',
  flags: ['no_async_loading', 'admin', 'noscript'],
  run: runBgrewriteaof,
})
