/** One bit: GETBIT, SETBIT. */
import { parseInteger } from '../../bytes/integers.ts'
import { NOTIFY_STRING } from '../../config/units.ts'
import { ENCODING_RAW, NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'

/**
 * Argument i as a bit offset; `#n` counts in fields of `width` bits where that is given. Undefined after the error.
 * redis 7.0.15 bitops.c getBitOffsetFromArgument
 */
export function bitOffset(call: Call, i: number, width = 0): number | undefined {
  const { args } = call
  let offset: number
  if (width > 0 && args.length(i) > 0 && args.buf[args.start(i)] === HASH) {
    offset = parseInteger(args.buf, args.start(i) + 1, args.end(i)) * width
  } else {
    offset = args.integer(i)
  }
  const limit = call.host.config.get('proto-max-bulk-len')
  if (offset >= 0 && Number.isSafeInteger(offset) && (call.fromPrimary || Math.floor(offset / 8) < limit)) return offset
  call.reply.error(errors.bitOffset)
  return undefined
}

/**
 * The string at argument 1 with room up to this bit, in store.bytes from store.start on. `created` or grown is told by
 * the result's `dirty`; undefined after WRONGTYPE. redis 7.0.15 bitops.c lookupStringForBitCommand
 */
export function stringForBits(call: Call, highestBit: number): { dirty: boolean } | undefined {
  const { store } = call
  const wanted = Math.floor(highestBit / 8) + 1
  let ref = call.stringForWrite(1)
  if (ref < 0) return undefined
  let dirty = false
  let length = 0
  if (ref === 0) {
    ref = call.putString(1, 0, call.args.buf, 0, 0, NO_EXPIRE)
    dirty = true
  } else {
    store.read(ref)
    length = store.end - store.start
  }
  if (wanted > length) dirty = true
  call.db.writableString(call.hash, ref, Math.max(length, wanted), ENCODING_RAW)
  return { dirty }
}

export function runGetbit(call: Call): void {
  const offset = bitOffset(call, 2)
  if (offset === undefined) return
  const ref = call.stringForRead(1)
  if (ref < 0) return
  if (ref === 0) return call.reply.integer(0)
  const { store } = call
  store.read(ref)
  const at = store.start + Math.floor(offset / 8)
  call.reply.integer(at < store.end ? (store.bytes[at]! >> (7 - (offset % 8))) & 1 : 0)
}

export function runSetbit(call: Call): void {
  const offset = bitOffset(call, 2)
  if (offset === undefined) return
  const on = call.args.integer(3)
  if (on !== 0 && on !== 1) return call.reply.error(errors.bitValue)
  const found = stringForBits(call, offset)
  if (found === undefined) return
  const { store } = call
  const at = store.start + Math.floor(offset / 8)
  const mask = 1 << (7 - (offset % 8))
  const old = (store.bytes[at]! & mask) !== 0 ? 1 : 0
  if (found.dirty || old !== on) {
    if (on === 1) store.bytes[at]! |= mask
    else store.bytes[at]! &= ~mask
    call.changed(1, NOTIFY_STRING, 'setbit')
  }
  call.reply.integer(old)
}

const HASH = 0x23

export const getbit = command({
  name: 'getbit',
  arity: 3,
  since: '2.2.0',
  summary: 'Returns the bit value at offset in the string value stored at key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('offset')],
  run: runGetbit,
})

export const setbit = command({
  name: 'setbit',
  arity: 4,
  since: '2.2.0',
  summary: 'Sets or clears the bit at offset in the string value stored at key',
  complexity: 'O(1)',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('offset'), arg.integer('value')],
  run: runSetbit,
})
