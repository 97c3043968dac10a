/** RENAME, RENAMENX, MOVE and COPY: one value under another key, or in another database. */
import { NOTIFY_GENERIC } from '../../config/units.ts'
import type { Keyspace } from '../../store/keyspace.ts'
import { ENCODING_INTSET, ENCODING_LISTPACK, TYPE_STREAM, TYPE_STRING } from '../../store/record.ts'
import { copyStructure } from '../../store/values/copy.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { databaseArgument, keyAdded, keyModified, lookupWriteIn, removeKey, sameArgument } from './lookup.ts'

/** redis 7.0.15 db.c renameGenericCommand */
function renameGeneric(call: Call, onlyIfNew: boolean): void {
  const { args, db, reply } = call
  const source = call.lookupWrite(1)
  const sourceHash = call.hash
  if (source === 0) {
    call.error(errors.noSuchKey)
    return
  }
  if (sameArgument(call, 1, 2)) {
    if (onlyIfNew) reply.integer(0)
    else reply.ok()
    return
  }
  const target = call.lookupWrite(2)
  const targetHash = call.hash
  if (target !== 0) {
    if (onlyIfNew) {
      reply.integer(0)
      return
    }
    removeKey(call, db, targetHash, target, 2)
  }
  moveValue(call, sourceHash, source, db, targetHash, 2)
  call.effects.dirty++
  keyModified(call, db, 1)
  keyModified(call, db, 2)
  call.event(args.view(1), NOTIFY_GENERIC, 'rename_from')
  call.event(args.view(2), NOTIFY_GENERIC, 'rename_to')
  if (onlyIfNew) reply.integer(1)
  else reply.ok()
}

/** Hands the value of argument 1 over to the key of argument `to`, which does not exist there. */
function moveValue(call: Call, hash: number, ref: number, target: Keyspace, targetHash: number, to: number): void {
  const moved = call.db.transfer(hash, ref, target, targetHash, call.args.view(to))
  keyAdded(call, target, to)
  // Who waits for the stream under its old name must hear that it is gone.
  if (call.host.blockedClients !== 0 && call.store.type(moved) === TYPE_STREAM) {
    call.keyReady(1)
  }
}

/** redis 7.0.15 db.c moveCommand */
function runMove(call: Call): void {
  const { args, db: source, reply } = call
  if (call.host.config.get('cluster-enabled')) {
    call.error('ERR MOVE is not allowed in cluster mode')
    return
  }
  const target = databaseArgument(call, 2)
  if (target === undefined) return
  if (target === source) {
    call.error(errors.sameObject)
    return
  }
  const ref = call.lookupWrite(1)
  if (ref === 0 || lookupWriteIn(call, target, 1) !== 0) {
    reply.integer(0)
    return
  }
  // One key, so one hash in both databases.
  moveValue(call, call.hash, ref, target, call.hash, 1)
  call.effects.dirty++
  keyModified(call, source, 1)
  keyModified(call, target, 1)
  call.event(args.view(1), NOTIFY_GENERIC, 'move_from', source.id)
  call.event(args.view(1), NOTIFY_GENERIC, 'move_to', target.id)
  reply.integer(1)
}

/** redis 7.0.15 db.c copyCommand */
function runCopy(call: Call): void {
  const { args, db, reply } = call
  let target = db
  let replaces = false
  for (let i = 3; i < args.argc; i++) {
    if (args.is(i, 'REPLACE')) {
      replaces = true
    } else if (args.is(i, 'DB') && i + 1 < args.argc) {
      const named = databaseArgument(call, ++i)
      if (named === undefined) return
      target = named
    } else {
      call.syntaxError()
      return
    }
  }
  if (call.host.config.get('cluster-enabled') && (db.id !== 0 || target.id !== 0)) {
    call.error('ERR Copying to another database is not allowed in cluster mode')
    return
  }
  if (target === db && sameArgument(call, 1, 2)) {
    call.error(errors.sameObject)
    return
  }
  const source = call.lookupRead(1)
  if (source === 0) {
    reply.integer(0)
    return
  }
  const old = lookupWriteIn(call, target, 2)
  const hash = call.hash
  if (old !== 0) {
    if (!replaces) {
      reply.integer(0)
      return
    }
    removeKey(call, target, hash, old, 2)
  }
  copyValue(call, source, target, hash)
  keyAdded(call, target, 2)
  call.effects.dirty++
  keyModified(call, target, 2)
  call.event(args.view(2), NOTIFY_GENERIC, 'copy_to', target.id)
  reply.integer(1)
}

/** Puts a copy of the record under argument 2, which does not exist in the target. */
function copyValue(call: Call, source: number, target: Keyspace, hash: number): void {
  const { args, store } = call
  const type = store.type(source)
  const encoding = store.encoding(source)
  const expireAt = store.expireAt(source)
  const start = args.start(2)
  const end = args.end(2)
  if (type !== TYPE_STRING && encoding !== ENCODING_LISTPACK && encoding !== ENCODING_INTSET) {
    const copied = copyStructure(type, encoding, store.structure(source))
    target.putStructure(hash, args.buf, start, end, 0, type, encoding, copied, expireAt)
    return
  }
  store.read(source)
  target.putBytes(hash, args.buf, start, end, 0, type, encoding, store.bytes, store.start, store.end, expireAt)
}

export const copy = command({
  name: 'copy',
  arity: -3,
  since: '6.2.0',
  summary: 'Copy a key',
  complexity: 'O(N) worst case for collections, where N is the number of nested items. O(1) for string values.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RO', 'ACCESS'), key(2, 'OW', 'UPDATE')],
  args: [
    arg.key('source'),
    arg.key('destination', { keySpec: 1 }),
    arg.integer('destination-db', { token: 'DB', optional: true }),
    arg.token('REPLACE', { optional: true }),
  ],
  run: runCopy,
})

export const move = command({
  name: 'move',
  arity: 3,
  since: '1.0.0',
  summary: 'Move a key to another database',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('db')],
  run: runMove,
})

export const rename = command({
  name: 'rename',
  arity: 3,
  since: '1.0.0',
  summary: 'Rename a key',
  complexity: 'O(1)',
  flags: ['write'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'OW', 'UPDATE')],
  args: [arg.key(), arg.key('newkey', { keySpec: 1 })],
  run: (call) => renameGeneric(call, false),
})

export const renamenx = command({
  name: 'renamenx',
  arity: 3,
  since: '1.0.0',
  summary: 'Rename a key, only if the new key does not exist',
  complexity: 'O(1)',
  history: [['3.2.0', 'The command no longer returns an error when source and destination names are the same.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'OW', 'INSERT')],
  args: [arg.key(), arg.key('newkey', { keySpec: 1 })],
  run: (call) => renameGeneric(call, true),
})
