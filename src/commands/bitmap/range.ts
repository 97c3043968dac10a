/** Bits of a range: BITCOUNT, BITPOS, in bytes or in bits. */

import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { countBits, findBit } from './bits.ts'

/** BIT or BYTE at argument i: 1 for bits; undefined after the error. */
function bitUnit(call: Call, i: number): boolean | undefined {
  if (call.args.is(i, 'BIT')) return true
  if (call.args.is(i, 'BYTE')) return false
  call.syntaxError()
  return undefined
}

export function runBitcount(call: Call): void {
  const { args, store, reply } = call
  const ref = call.stringForRead(1)
  if (ref < 0) return
  if (ref === 0) return reply.integer(0)
  store.read(ref)
  const length = store.end - store.start
  if (args.argc === 2) return reply.integer(countBits(store.bytes, store.start, store.end))
  if (args.argc > 5 || args.argc < 4) return call.syntaxError()
  let start = call.integer(2)
  if (start === undefined) return
  let end = call.integer(3)
  if (end === undefined) return
  if (start < 0 && end < 0 && start > end) return reply.integer(0)
  const bits = args.argc === 5 ? bitUnit(call, 4) : false
  if (bits === undefined) return
  const total = bits ? length * 8 : length
  if (start < 0) start = Math.max(0, total + start)
  if (end < 0) end = Math.max(0, total + end)
  if (end >= total) end = total - 1
  if (start > end) return reply.integer(0)
  const scale = bits ? 1 : 8
  reply.integer(countBitRange(store.bytes, store.start, start * scale, (end + 1) * scale))
}

/** Bits set among bits [from, to). */
function countBitRange(bytes: Uint8Array, base: number, from: number, to: number): number {
  const first = Math.floor(from / 8)
  const last = Math.floor((to - 1) / 8)
  let count = countBits(bytes, base + first, base + last + 1)
  const head = bytes[base + first]! >> (8 - (from % 8))
  for (let bit = head; bit > 0; bit >>= 1) count -= bit & 1
  const over = (last + 1) * 8 - to
  for (let i = 0; i < over; i++) count -= (bytes[base + last]! >> i) & 1
  return count
}

export function runBitpos(call: Call): void {
  const { args, store, reply } = call
  const bit = call.integer(2)
  if (bit === undefined) return
  if (bit !== 0 && bit !== 1) return reply.error('ERR The bit argument must be 1 or 0.')
  const ref = call.lookupRead(1)
  if (ref === 0) return reply.integer(bit === 1 ? -1 : 0)
  if (store.type(ref) !== 0) return reply.error(errors.wrongType)
  store.read(ref)
  const length = store.end - store.start
  if (args.argc === 3) {
    const found = findBit(store.bytes, store.start, 0, length * 8, bit)
    // Behind the string are zeros without end; an empty one counts as an empty range.
    return reply.integer(found >= 0 || bit === 1 || length === 0 ? found : length * 8)
  }
  if (args.argc > 6) return call.syntaxError()
  let start = call.integer(3)
  if (start === undefined) return
  const bits = args.argc === 6 ? bitUnit(call, 5) : false
  if (bits === undefined) return
  const total = bits ? length * 8 : length
  let end: number | undefined = total - 1
  const endGiven = args.argc >= 5
  if (endGiven) end = call.integer(4)
  if (end === undefined) return
  if (start < 0) start = Math.max(0, total + start)
  if (end < 0) end = Math.max(0, total + end)
  if (end >= total) end = total - 1
  if (start > end) return reply.integer(-1)
  const scale = bits ? 1 : 8
  const found = findBit(store.bytes, store.start, start * scale, (end + 1) * scale, bit)
  reply.integer(found < 0 && bit === 0 && !endGiven ? (end + 1) * scale : found)
}

export const bitcount = command({
  name: 'bitcount',
  arity: -2,
  since: '2.6.0',
  summary: 'Count set bits in a string',
  complexity: 'O(N)',
  history: [['7.0.0', 'Added the `BYTE|BIT` option.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.block(
      'index',
      [
        arg.integer('start'),
        arg.integer('end'),
        arg.oneof('index_unit', [arg.token('BYTE'), arg.token('BIT')], { since: '7.0.0', optional: true }),
      ],
      { optional: true },
    ),
  ],
  run: runBitcount,
})

export const bitpos = command({
  name: 'bitpos',
  arity: -3,
  since: '2.8.7',
  summary: 'Find first bit set or clear in a string',
  complexity: 'O(N)',
  history: [['7.0.0', 'Added the `BYTE|BIT` option.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.integer('bit'),
    arg.block(
      'index',
      [
        arg.integer('start'),
        arg.block(
          'end_index',
          [
            arg.integer('end'),
            arg.oneof('index_unit', [arg.token('BYTE'), arg.token('BIT')], { since: '7.0.0', optional: true }),
          ],
          { optional: true },
        ),
      ],
      { optional: true },
    ),
  ],
  run: runBitpos,
})
