/**
 * The digest of a value and of the whole data set, equal to that of a redis-server with the same data (redis 7.0.15 debug.c
 * xorObjectDigest, computeDatasetDigest). Order counts in lists; keys and the elements of the other types are
 * added with xor, so that it does not. Values past their expire time count, since what is removed when is no part of the data.
 */
import { formatDouble17 } from '../../bytes/doubles.ts'
import { Digest } from '../../bytes/sha1-digest.ts'
import { NO_EXPIRE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import { elementsOf } from '../../store/values/elements.ts'
import { hashEntries } from '../../store/values/hash.ts'
import { sortedSetEntries } from '../../store/values/sorted-set.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import { StreamIterator } from '../../store/values/stream-iterator.ts'

export function datasetDigest(store: Store): string {
  const total = new Digest()
  const digest = new Digest()
  for (const keyspace of store.databases) {
    if (keyspace.size === 0) continue
    total.mix(bigEndian(keyspace.id))
    keyspace.index.visit(0, keyspace.size, (ref) => {
      digest.reset()
      digest.mix(store.key(ref))
      addValue(store, ref, digest)
      total.xorDigest(digest)
    })
  }
  return total.hex()
}

/** Of a value and its having an expire time, without its key. */
export function valueDigest(store: Store, ref: number): string {
  const digest = new Digest()
  if (ref !== 0) addValue(store, ref, digest)
  return digest.hex()
}

const EXPIRES = Buffer.from('!!expire!!', 'latin1')

function addValue(store: Store, ref: number, digest: Digest): void {
  const type = store.type(ref)
  digest.mix(bigEndian(type))
  if (type === TYPE_STRING) {
    store.read(ref)
    digest.mix(store.bytes.subarray(store.start, store.end))
  } else if (type === TYPE_LIST) {
    for (const element of elementsOf(store, ref)) digest.mix(element)
  } else if (type === TYPE_SET) {
    for (const member of elementsOf(store, ref)) digest.xor(member)
  } else if (type === TYPE_ZSET) {
    for (const [member, score] of sortedSetEntries(store, ref)) addPair(digest, member, formatDouble17(score))
  } else if (type === TYPE_HASH) {
    for (const [field, value] of hashEntries(store, ref)) addPair(digest, field, value)
  } else if (type === TYPE_STREAM) {
    addStream(store.structure<StreamValue>(ref), digest)
  }
  if (store.expireAt(ref) !== NO_EXPIRE) digest.xor(EXPIRES)
}

const iterator = new StreamIterator()

function addStream(stream: StreamValue, digest: Digest): void {
  const { field, value } = iterator
  iterator.start(stream, null, null, false)
  while (iterator.next()) {
    digest.mix(Buffer.from(iterator.id.toString().replace('-', '.'), 'latin1'))
    while (iterator.nextField()) {
      digest.mix(field.bytes.subarray(field.start, field.end))
      digest.mix(value.bytes.subarray(value.start, value.end))
    }
  }
}

const pair = new Digest()

function addPair(digest: Digest, first: Uint8Array, second: Uint8Array | string): void {
  pair.reset()
  pair.mix(first)
  pair.mix(second)
  digest.xorDigest(pair)
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}
