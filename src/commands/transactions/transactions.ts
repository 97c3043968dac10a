/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. Commands between MULTI and EXEC are queued by the engine, which also tells that one
 * of them was refused (`transactionFailed`); WATCH tells that a key changed (`watchFailed`). redis 7.0.15 multi.c
 */
import type { Call } from '../call.ts'
import type { Client } from '../client.ts'
import { arg, command, keyRange } from '../define.ts'
import { errors } from '../errors.ts'
import type { Host } from '../host.ts'

function runMulti(call: Call): void {
  const { client } = call
  if (client.transaction !== null) {
    call.error('ERR MULTI calls can not be nested')
    return
  }
  client.transaction = []
  call.reply.ok()
}

function runDiscard(call: Call): void {
  if (call.client.transaction === null) {
    call.error('ERR DISCARD without MULTI')
    return
  }
  discardTransaction(call.client, call.host)
  call.reply.ok()
}

/** redis 7.0.15 multi.c discardTransaction */
export function discardTransaction(client: Client, host: Host): void {
  client.transaction = null
  client.transactionBytes = 0
  client.transactionFailed = false
  client.watchFailed = false
  host.watch.unwatchAll(client)
}

/** The call is set up anew for each queued command, so nothing of it is used from there on. */
function runExec(call: Call): void {
  const { client, host, reply } = call
  const queued = client.transaction
  if (queued === null) {
    call.error('ERR EXEC without MULTI')
    return
  }
  const failed = client.transactionFailed
  if (failed || client.watchFailed || watchedKeyExpired(call)) {
    discardTransaction(client, host)
    if (failed) reply.error(errors.execAbort)
    else reply.nullArray()
    return
  }
  host.watch.unwatchAll(client)
  reply.array(queued.length)
  for (const { command: one, request } of queued) {
    // Its rights may have changed since the command was queued.
    const refusal = client.account.isRestricted ? host.acl.queuedRefusal(client, one, request) : null
    if (refusal === null) host.execute(client, one, request)
    else reply.error(refusal)
  }
  discardTransaction(client, host)
}

/** A watched key is past its time now and was not when it was watched. redis 7.0.15 multi.c isWatchedKeyExpired */
function watchedKeyExpired(call: Call): boolean {
  const { store } = call
  for (const { keyspace, key, expired } of call.client.watched) {
    if (expired) continue
    const ref = keyspace.findKey(Buffer.from(key, 'latin1'))
    if (ref !== 0 && store.isExpired(ref, call.now)) return true
  }
  return false
}

/** Looks at the keys without removing one that is past its time, as any other look-up would. */
function runWatch(call: Call): void {
  const { args, client, db, host, store } = call
  if (client.transaction !== null) {
    call.error('ERR WATCH inside MULTI is not allowed')
    return
  }
  if (!client.watchFailed) {
    for (let i = 1; i < args.argc; i++) {
      const ref = db.findKey(args.view(i))
      const expired = ref !== 0 && store.isExpired(ref, call.now)
      host.watch.watch(client, db, args.latin1(i), expired)
    }
  }
  call.reply.ok()
}

function runUnwatch(call: Call): void {
  call.host.watch.unwatchAll(call.client)
  call.client.watchFailed = false
  call.reply.ok()
}

export const discard = command({
  name: 'discard',
  arity: 1,
  since: '2.0.0',
  summary: 'Discard all commands issued after MULTI',
  complexity: 'O(N), when N is the number of queued commands',
  flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
  run: runDiscard,
})

export const exec = command({
  name: 'exec',
  arity: 1,
  since: '1.2.0',
  summary: 'Execute all commands issued after MULTI',
  complexity: 'Depends on commands in the transaction',
  flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
  run: runExec,
})

export const multi = command({
  name: 'multi',
  arity: 1,
  since: '1.2.0',
  summary: 'Mark the start of a transaction block',
  complexity: 'O(1)',
  flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
  run: runMulti,
})

export const unwatch = command({
  name: 'unwatch',
  arity: 1,
  since: '2.2.0',
  summary: 'Forget about all watched keys',
  complexity: 'O(1)',
  flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
  run: runUnwatch,
})

export const watch = command({
  name: 'watch',
  arity: -2,
  since: '2.2.0',
  summary: 'Watch the given keys to determine execution of the MULTI/EXEC block',
  complexity: 'O(1) for every key.',
  flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
  keys: [keyRange(1, -1, 1, 'RO')],
  args: [arg.key('key', { multiple: true })],
  run: runWatch,
})
