/** SHUTDOWN: what it asks for is checked here, what happens then is the host's. The client gets a reply only when it fails. */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'

/** redis 7.0.15 db.c shutdownCommand */
function runShutdown(call: Call): void {
  const { args, host, reply } = call
  let save = false
  let nosave = false
  let now = false
  let force = false
  let abort = false
  for (let i = 1; i < args.argc; i++) {
    if (args.is(i, 'NOSAVE')) nosave = true
    else if (args.is(i, 'SAVE')) save = true
    else if (args.is(i, 'NOW')) now = true
    else if (args.is(i, 'FORCE')) force = true
    else if (args.is(i, 'ABORT')) abort = true
    else {
      call.syntaxError()
      return
    }
  }
  if ((save && nosave) || (abort && (save || nosave || now || force))) {
    call.syntaxError()
    return
  }
  if (abort) {
    if (host.abortShutdown()) reply.ok()
    else reply.error('ERR No shutdown in progress.')
    return
  }
  if (!now && call.inTransaction) {
    reply.error("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    return
  }
  if (!nosave && host.scripts.busy !== null) {
    reply.error(host.scripts.busy)
    return
  }
  const failure = host.shutdown({ save: nosave ? 'nosave' : save ? 'save' : 'default', now, force }, call.client)
  if (failure !== null) reply.error(failure)
}

export const shutdown = command({
  name: 'shutdown',
  arity: -1,
  since: '1.0.0',
  summary: 'Synchronously save the dataset to disk and then shut down the server',
  complexity: 'O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)',
  history: [['7.0.0', 'Added the `NOW`, `FORCE` and `ABORT` modifiers.']],
  flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'sentinel', 'allow_busy'],
  args: [
    arg.oneof('nosave_save', [arg.token('NOSAVE'), arg.token('SAVE')], { optional: true }),
    arg.token('NOW', { since: '7.0.0', optional: true }),
    arg.token('FORCE', { since: '7.0.0', optional: true }),
    arg.token('ABORT', { since: '7.0.0', optional: true }),
  ],
  run: runShutdown,
})
