/** DBSIZE, FLUSHALL, FLUSHDB, SWAPDB, and RESTORE under the name that a cluster's MIGRATE sends. */
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { runRestore } from '../generic/dump.ts'
import { intArgument } from '../generic/lookup.ts'

/** ASYNC and SYNC differ only in what is counted: memory is given back at once, structures by the collector. False after the error. redis 7.0.15 db.c getFlushCommandFlags */
function takesFlushOptions(call: Call): boolean {
  const { args } = call
  if (args.argc === 1 || (args.argc === 2 && (args.is(1, 'SYNC') || args.is(1, 'ASYNC')))) return true
  call.syntaxError()
  return false
}

function isAsync({ args, host }: Call): boolean {
  return args.argc === 1 ? host.config.get('lazyfree-lazy-user-flush') : args.is(1, 'ASYNC')
}

/** Propagated even when there was nothing to remove: a replica may have something. redis 7.0.15 db.c flushallCommand */
function runFlushall(call: Call): void {
  if (!takesFlushOptions(call)) return
  const { effects, host, store } = call
  const removed = store.keys
  if (isAsync(call)) host.stats.lazyFreedObjects += removed
  host.flushAll()
  host.persistence.flushed()
  // With save points the empty data set has just been saved: nothing is unsaved.
  const isSaved = host.config.get('save').length > 0 && host.persistence.lastSaveOk
  if (!isSaved) effects.dirty += removed
  effects.forced = true
  call.reply.ok()
}

function runFlushdb(call: Call): void {
  if (!takesFlushOptions(call)) return
  call.effects.dirty += call.db.size
  if (isAsync(call)) call.host.stats.lazyFreedObjects += call.db.size
  call.effects.forced = true
  call.host.flushDatabase(call.db)
  call.reply.ok()
}

function runSwapdb(call: Call): void {
  if (call.host.config.get('cluster-enabled')) {
    call.error('ERR SWAPDB is not allowed in cluster mode')
    return
  }
  const first = intArgument(call, 1, 'ERR invalid first DB index')
  if (first === undefined) return
  const second = intArgument(call, 2, 'ERR invalid second DB index')
  if (second === undefined) return
  const { databases } = call.store
  if (databases[first] === undefined || databases[second] === undefined) {
    call.error(errors.dbIndexOutOfRange)
    return
  }
  if (first !== second) call.host.swapDatabases(first, second)
  call.effects.dirty++
  call.reply.ok()
}

export const dbsize = command({
  name: 'dbsize',
  arity: 1,
  since: '1.0.0',
  summary: 'Return the number of keys in the selected database',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  acl: ['keyspace'],
  hints: ['request_policy:all_shards', 'response_policy:agg_sum'],
  run: (call) => call.reply.integer(call.db.size),
})

export const flushall = command({
  name: 'flushall',
  arity: -1,
  since: '1.0.0',
  summary: 'Remove all keys from all databases',
  complexity: 'O(N) where N is the total number of keys in all databases',
  history: [
    ['4.0.0', 'Added the `ASYNC` flushing mode modifier.'],
    ['6.2.0', 'Added the `SYNC` flushing mode modifier.'],
  ],
  flags: ['write'],
  acl: ['keyspace', 'dangerous'],
  hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  args: [
    arg.oneof('async', [arg.token('ASYNC', { since: '4.0.0' }), arg.token('SYNC', { since: '6.2.0' })], {
      optional: true,
    }),
  ],
  run: runFlushall,
})

export const flushdb = command({
  name: 'flushdb',
  arity: -1,
  since: '1.0.0',
  summary: 'Remove all keys from the current database',
  complexity: 'O(N) where N is the number of keys in the selected database',
  history: [
    ['4.0.0', 'Added the `ASYNC` flushing mode modifier.'],
    ['6.2.0', 'Added the `SYNC` flushing mode modifier.'],
  ],
  flags: ['write'],
  acl: ['keyspace', 'dangerous'],
  hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  args: [
    arg.oneof('async', [arg.token('ASYNC', { since: '4.0.0' }), arg.token('SYNC', { since: '6.2.0' })], {
      optional: true,
    }),
  ],
  run: runFlushdb,
})

export const swapdb = command({
  name: 'swapdb',
  arity: 3,
  since: '4.0.0',
  summary: 'Swaps two Redis databases',
  complexity: 'O(N) where N is the count of clients watching or blocking on keys from both databases.',
  flags: ['write', 'fast'],
  acl: ['keyspace', 'dangerous'],
  args: [arg.integer('index1'), arg.integer('index2')],
  run: runSwapdb,
})

export const restoreAsking = command({
  name: 'restore-asking',
  arity: -4,
  since: '3.0.0',
  summary: 'An internal command for migrating keys in a cluster',
  complexity:
    'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is ' +
    'the number of Redis objects composing the value and M their average size. For small string values ' +
    'the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set ' +
    'values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).',
  docFlags: ['syscmd'],
  history: [
    ['3.0.0', 'Added the `REPLACE` modifier.'],
    ['5.0.0', 'Added the `ABSTTL` modifier.'],
    ['5.0.0', 'Added the `IDLETIME` and `FREQ` options.'],
  ],
  flags: ['write', 'denyoom', 'asking'],
  acl: ['keyspace', 'dangerous'],
  keys: [key(1, 'OW', 'UPDATE')],
  args: [
    arg.key(),
    arg.integer('ttl'),
    arg.string('serialized-value'),
    arg.token('REPLACE', { since: '3.0.0', optional: true }),
    arg.token('ABSTTL', { since: '5.0.0', optional: true }),
    arg.integer('seconds', { token: 'IDLETIME', since: '5.0.0', optional: true }),
    arg.integer('frequency', { token: 'FREQ', since: '5.0.0', optional: true }),
  ],
  run: runRestore,
})
