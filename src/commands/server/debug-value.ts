/**
 * The subcommands of DEBUG that look into one value or table: OBJECT, SDSLEN, LISTPACK, QUICKLIST, HTSTATS, HTSTATS-KEY. A
 * key past its time is still looked at where Redis does so.
 */
import { dumpValue } from '../../rdb/dump-payload.ts'
import type { KeyIndex } from '../../store/key-index.ts'
import { TYPE_HASH, TYPE_STRING, TYPE_ZSET } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import { elementsOf } from '../../store/values/elements.ts'
import { hashEntries } from '../../store/values/hash.ts'
import { sortedSetEntries } from '../../store/values/sorted-set.ts'
import type { Call } from '../call.ts'
import { errors } from '../errors.ts'
import { encodingName, referenceCount } from '../generic/object.ts'

const LRU_CLOCK_MAX = 0xffffff
/** Type byte, RDB version and checksum of a DUMP payload. */
const PAYLOAD_FRAME_BYTES = 11

/** The key at argument 2, expired or not; 0 after an error reply. */
function findKey(call: Call): number {
  const ref = call.db.findKey(call.args.view(2))
  if (ref === 0) call.reply.error(errors.noSuchKey)
  return ref
}

/** `ql_` figures of quicklists are left out: lists have no such nodes here. */
export function runObject(call: Call): void {
  const { host, store } = call
  const ref = findKey(call)
  if (ref === 0) return
  const length = dumpValue(store, ref, host.config.get('rdbcompression')).length - PAYLOAD_FRAME_BYTES
  const clock = store.clock(ref)
  const idle = (Math.floor(call.now / 1000) - clock) & LRU_CLOCK_MAX
  call.reply.simple(
    `Value at:0x${ref.toString(16)} refcount:${referenceCount(call, ref)} encoding:${encodingName(call, ref)} serializedlength:${length} ` +
      `lru:${clock} lru_seconds_idle:${idle}`,
  )
}

export function runSdslen(call: Call): void {
  const { db, store } = call
  const ref = findKey(call)
  if (ref === 0) return
  if (store.type(ref) !== TYPE_STRING || encodingName(call, ref) === 'int') {
    call.reply.error('ERR Not an sds encoded string.')
    return
  }
  store.readKey(ref)
  const keyLength = store.keyEnd - store.keyStart
  store.read(ref)
  const length = store.end - store.start
  const spare = (store.largeString(ref)?.bytes.length ?? length) - length
  const outside = store.externalBytes(ref)
  call.reply.simple(
    `key_sds_len:${keyLength}, key_sds_avail:0, key_zmalloc: ${db.recordMemory(ref)}, ` +
      `val_sds_len:${length}, val_sds_avail:${spare}, val_zmalloc: ${outside}`,
  )
}

export function runListpack(call: Call): void {
  showValue(call, 'listpack', 'ERR Not a listpack encoded object.', 'Listpack structure printed on stdout')
}

export function runQuicklist(call: Call): void {
  showValue(call, 'quicklist', 'ERR Not a quicklist encoded object.', 'Quicklist structure printed on stdout')
}

const SHOWN_BYTES = 40

/** The log takes the place of stdout, which belongs to the program that embeds this one. */
function showValue(call: Call, encoding: string, refusal: string, answer: string): void {
  const { host, reply, store } = call
  const ref = call.peek(2)
  if (ref === 0) {
    reply.error(errors.noSuchKey)
    return
  }
  if (encodingName(call, ref) !== encoding) {
    reply.error(refusal)
    return
  }
  const elements = flatElements(store, ref)
  host.log('warning', `${call.args.latin1(2)}: ${elements.length} entries, ${store.externalBytes(ref)} bytes outside`)
  for (let i = 0; i < elements.length; i++) {
    const bytes = elements[i]!
    host.log('warning', `  [${i}] ${bytes.length} bytes: ${bytes.toString('latin1', 0, SHOWN_BYTES)}`)
  }
  reply.simple(answer)
}

function flatElements(store: Store, ref: number): Buffer[] {
  const type = store.type(ref)
  if (type === TYPE_HASH) return hashEntries(store, ref).flat()
  if (type !== TYPE_ZSET) return elementsOf(store, ref)
  return sortedSetEntries(store, ref).flatMap(([member, score]) => [member, Buffer.from(String(score), 'latin1')])
}

export function runHtstats(call: Call): void {
  const { reply, store } = call
  const id = call.integer(2)
  if (id === undefined) return
  const keyspace = store.databases[id]
  if (keyspace === undefined) {
    reply.error('ERR Out of range database')
    return
  }
  reply.verbatim(`[Dictionary HT]\n${indexStats(keyspace.index)}[Expires HT]\n${indexStats(keyspace.expires)}`)
}

/** redis 7.0.15 dict.c dictGetStats, as far as a table without chains has such figures. */
function indexStats(index: KeyIndex): string {
  return tableStats(index.slots, index.size)
}

function tableStats(slots: number, size: number): string {
  if (size === 0) return 'Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n'
  const free = slots - size
  return (
    'Hash table 0 stats (main hash table):\n' +
    ` table size: ${slots}\n` +
    ` number of elements: ${size}\n` +
    ` different slots: ${size}\n` +
    ' max chain length: 1\n' +
    ' avg chain length (counted): 1.00\n' +
    ' avg chain length (computed): 1.00\n' +
    ' Chain length distribution:\n' +
    (free > 0 ? `   0: ${free} (${((free / slots) * 100).toFixed(2)}%)\n` : '') +
    `   1: ${size} (${((size / slots) * 100).toFixed(2)}%)\n`
  )
}

export function runHtstatsKey(call: Call): void {
  const { reply, store } = call
  const ref = call.peek(2)
  if (ref === 0) {
    reply.error(errors.noSuchKey)
    return
  }
  const encoding = encodingName(call, ref)
  if (encoding !== 'hashtable' && encoding !== 'skiplist') {
    reply.error('ERR The value stored at the specified key is not represented using an hash table')
    return
  }
  const entries = flatElements(store, ref).length
  const perEntry = store.type(ref) === TYPE_HASH || store.type(ref) === TYPE_ZSET ? 2 : 1
  const size = entries / perEntry
  // How the runtime's tables are laid out cannot be seen; they have at most two slots for each element.
  reply.verbatim(tableStats(2 ** Math.ceil(Math.log2(Math.max(4, size))), size))
}
