/** BITFIELD: integers of 1 to 64 bits anywhere in a string, with three ways to overflow. */
import { parseInteger } from '../../bytes/integers.ts'
import { NOTIFY_STRING } from '../../config/units.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { bitfieldKeys } from '../movable-keys.ts'
import { readBits, writeBits } from './bits.ts'
import { bitOffset, stringForBits } from './single.ts'

type Overflow = 'WRAP' | 'SAT' | 'FAIL'

interface Operation {
  kind: 'GET' | 'SET' | 'INCRBY'
  offset: number
  width: number
  signed: boolean
  amount: bigint
  overflow: Overflow
}

const INVALID_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.'

export function runBitfield(call: Call): void {
  runOperations(call, false)
}

export function runBitfieldRo(call: Call): void {
  runOperations(call, true)
}

function runOperations(call: Call, readOnly: boolean): void {
  const operations = parse(call)
  if (operations === undefined) return
  const { store, reply } = call
  let highest = -1
  for (const { kind, offset, width } of operations) if (kind !== 'GET') highest = Math.max(highest, offset + width - 1)
  let dirty = false
  let present = true
  if (highest < 0) {
    const ref = call.stringForRead(1)
    if (ref < 0) return
    present = ref !== 0
    if (present) store.read(ref)
  } else {
    if (readOnly) return reply.error('ERR BITFIELD_RO only supports the GET subcommand')
    const found = stringForBits(call, highest)
    if (found === undefined) return
    dirty = found.dirty
  }
  reply.array(operations.length)
  let changes = 0
  for (const operation of operations) if (run(call, operation, present, dirty)) changes++
  if (changes === 0) return
  call.changed(1, NOTIFY_STRING, 'setbit')
  call.effects.dirty += changes - 1
}

/** Runs one operation and replies its value. True if the string counts as changed. */
function run(call: Call, operation: Operation, present: boolean, dirty: boolean): boolean {
  const { store, reply } = call
  const { offset, width, signed } = operation
  const bits = present ? readBits(store.bytes, store.start, store.end, offset, width) : 0n
  const old = signed ? BigInt.asIntN(width, bits) : bits
  if (operation.kind === 'GET') {
    reply.integer(old)
    return false
  }
  const wanted = operation.kind === 'INCRBY' ? old + operation.amount : operation.amount
  const fitted = fit(wanted, operation)
  if (fitted === undefined) {
    reply.nullBulk()
    return false
  }
  writeBits(store.bytes, store.start, offset, width, fitted)
  reply.integer(operation.kind === 'INCRBY' ? fitted : old)
  return dirty || fitted !== old
}

/** The value within its type by the rule of overflow; undefined for FAIL. */
function fit(value: bigint, { width, signed, overflow, kind }: Operation): bigint | undefined {
  const max = signed ? 2n ** BigInt(width - 1) - 1n : 2n ** BigInt(width) - 1n
  const min = signed ? -(2n ** BigInt(width - 1)) : 0n
  // SET of an unsigned field takes its number as C does, as 64 bits without a sign.
  const given = !signed && kind === 'SET' ? BigInt.asUintN(64, value) : value
  if (given >= min && given <= max) return given
  if (overflow === 'FAIL') return undefined
  if (overflow === 'SAT') return given > max ? max : min
  return signed ? BigInt.asIntN(width, given) : BigInt.asUintN(width, given)
}

function parse(call: Call): Operation[] | undefined {
  const { args } = call
  const operations: Operation[] = []
  let overflow: Overflow = 'WRAP'
  for (let i = 2; i < args.argc; i++) {
    const left = args.argc - i - 1
    if (args.is(i, 'OVERFLOW') && left >= 1) {
      const found = (['WRAP', 'SAT', 'FAIL'] as const).find((name) => args.is(i + 1, name))
      if (found === undefined) return fail(call, 'ERR Invalid OVERFLOW type specified')
      overflow = found
      i++
      continue
    }
    const kind = args.is(i, 'GET') && left >= 2 ? 'GET' : left < 3 ? undefined : setOrIncrby(call, i)
    if (kind === undefined) return fail(call, errors.syntax)
    const type = fieldType(call, i + 1)
    if (type === undefined) return fail(call, INVALID_TYPE)
    const offset = bitOffset(call, i + 2, type.width)
    if (offset === undefined) return undefined
    let amount: bigint | undefined = 0n
    if (kind !== 'GET') amount = args.int64(i + 3)
    if (amount === undefined) return fail(call, errors.notInteger)
    operations.push({ kind, offset, ...type, amount, overflow })
    i += kind === 'GET' ? 2 : 3
  }
  return operations
}

function setOrIncrby(call: Call, i: number): 'SET' | 'INCRBY' | undefined {
  return call.args.is(i, 'SET') ? 'SET' : call.args.is(i, 'INCRBY') ? 'INCRBY' : undefined
}

function fieldType(call: Call, i: number): { width: number; signed: boolean } | undefined {
  const { args } = call
  const sign = args.length(i) > 0 ? args.buf[args.start(i)] : 0
  if (sign !== 0x69 && sign !== 0x75) return undefined
  const signed = sign === 0x69
  const width = parseInteger(args.buf, args.start(i) + 1, args.end(i))
  return width >= 1 && width <= (signed ? 64 : 63) ? { width, signed } : undefined
}

function fail(call: Call, text: string): undefined {
  call.reply.error(text)
  return undefined
}

export const bitfield = command({
  name: 'bitfield',
  arity: -2,
  since: '3.2.0',
  summary: 'Perform arbitrary bitfield integer operations on strings',
  complexity: 'O(1) for each subcommand specified',
  flags: ['write', 'denyoom'],
  keys: [
    {
      ...key(1, 'RW', 'UPDATE', 'ACCESS', 'VARIABLE_FLAGS'),
      notes: 'This command allows both access and modification of the key',
    },
  ],
  getKeys: bitfieldKeys,
  args: [
    arg.key(),
    arg.oneof(
      'operation',
      [
        arg.block('encoding_offset', [arg.string('encoding'), arg.integer('offset')], { token: 'GET' }),
        arg.block('write', [
          arg.oneof('wrap_sat_fail', [arg.token('WRAP'), arg.token('SAT'), arg.token('FAIL')], {
            token: 'OVERFLOW',
            optional: true,
          }),
          arg.oneof('write_operation', [
            arg.block('encoding_offset_value', [arg.string('encoding'), arg.integer('offset'), arg.integer('value')], {
              token: 'SET',
            }),
            arg.block(
              'encoding_offset_increment',
              [arg.string('encoding'), arg.integer('offset'), arg.integer('increment')],
              { token: 'INCRBY' },
            ),
          ]),
        ]),
      ],
      { optional: true, multiple: true },
    ),
  ],
  run: runBitfield,
})

export const bitfieldRo = command({
  name: 'bitfield_ro',
  arity: -2,
  since: '6.0.0',
  summary: 'Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD',
  complexity: 'O(1) for each subcommand specified',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.block('encoding_offset', [arg.string('encoding'), arg.integer('offset')], {
      token: 'GET',
      optional: true,
      multiple: true,
      multipleToken: true,
    }),
  ],
  run: runBitfieldRo,
})
