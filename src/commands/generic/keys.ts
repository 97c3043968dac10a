/** DEL, UNLINK, EXISTS, TOUCH and TYPE. Values are freed piece by piece whoever deletes them, so DEL and UNLINK are one. */
import { NOTIFY_GENERIC } from '../../config/units.ts'
import { TYPE_NAMES, TYPE_STRING } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key, keyRange } from '../define.ts'
import { lookupUntouched, removeKey } from './lookup.ts'

/** About 64 allocations of Redis. */
const LAZY_STRUCTURE_BYTES = 4096

/** redis 7.0.15 db.c delGenericCommand */
function deleteKeys(call: Call, isLazy: boolean): void {
  const { argc } = call.args
  let deleted = 0
  for (let i = 1; i < argc; i++) {
    const ref = call.peek(i)
    if (ref === 0) continue
    if (isLazy && isFreedLazily(call, ref)) call.host.stats.lazyFreedObjects++
    removeKey(call, call.db, call.hash, ref, i)
    call.changed(i, NOTIFY_GENERIC, 'del')
    deleted++
  }
  call.reply.integer(deleted)
}

/** A small structure is not worth the word. redis 7.0.15 lazyfree.c lazyfreeGetFreeEffort, LAZYFREE_THRESHOLD */
function isFreedLazily({ store }: Call, ref: number): boolean {
  return (
    store.hasHandle(ref) && store.type(ref) !== TYPE_STRING && store.structure(ref).memoryBytes > LAZY_STRUCTURE_BYTES
  )
}

function runExists(call: Call): void {
  const { argc } = call.args
  let found = 0
  for (let i = 1; i < argc; i++) if (lookupUntouched(call, i) !== 0) found++
  call.reply.integer(found)
}

function runTouch(call: Call): void {
  const { argc } = call.args
  let touched = 0
  for (let i = 1; i < argc; i++) if (call.lookupRead(i) !== 0) touched++
  call.reply.integer(touched)
}

function runType(call: Call): void {
  const ref = lookupUntouched(call, 1)
  call.reply.simple(ref === 0 ? 'none' : TYPE_NAMES[call.store.type(ref)]!)
}

export const del = command({
  name: 'del',
  arity: -2,
  since: '1.0.0',
  summary: 'Delete a key',
  complexity:
    'O(N) where N is the number of keys that will be removed. When a key to remove holds a value other ' +
    'than a string, the individual complexity for this key is O(M) where M is the number of elements in ' +
    'the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).',
  flags: ['write'],
  hints: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  keys: [keyRange(1, -1, 1, 'RM', 'DELETE')],
  args: [arg.key('key', { multiple: true })],
  run: (call) => deleteKeys(call, call.host.config.get('lazyfree-lazy-user-del')),
})

export const unlink = command({
  name: 'unlink',
  arity: -2,
  since: '4.0.0',
  summary: 'Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.',
  complexity:
    'O(1) for each key removed regardless of its size. Then the command does O(N) work in a different ' +
    'thread in order to reclaim memory, where N is the number of allocations the deleted objects where ' +
    'composed of.',
  flags: ['write', 'fast'],
  hints: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  keys: [keyRange(1, -1, 1, 'RM', 'DELETE')],
  args: [arg.key('key', { multiple: true })],
  run: (call) => deleteKeys(call, true),
})

export const exists = command({
  name: 'exists',
  arity: -2,
  since: '1.0.0',
  summary: 'Determine if a key exists',
  complexity: 'O(N) where N is the number of keys to check.',
  history: [['3.0.3', 'Accepts multiple `key` arguments.']],
  flags: ['readonly', 'fast'],
  hints: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  keys: [keyRange(1, -1, 1, 'RO')],
  args: [arg.key('key', { multiple: true })],
  run: runExists,
})

export const touch = command({
  name: 'touch',
  arity: -2,
  since: '3.2.1',
  summary: 'Alters the last access time of a key(s). Returns the number of existing keys specified.',
  complexity: 'O(N) where N is the number of keys that will be touched.',
  flags: ['readonly', 'fast'],
  hints: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  keys: [keyRange(1, -1, 1, 'RO')],
  args: [arg.key('key', { multiple: true })],
  run: runTouch,
})

export const type = command({
  name: 'type',
  arity: 2,
  since: '1.0.0',
  summary: 'Determine the type stored at key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: runType,
})
