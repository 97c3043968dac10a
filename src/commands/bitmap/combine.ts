/** BITOP: strings combined bit by bit; shorter ones count as followed by zeros. */
import { hashBytes } from '../../bytes/siphash.ts'
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../../config/units.ts'
import { ENCODING_RAW, NO_EXPIRE, TYPE_STRING } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key, keyRange } from '../define.ts'
import { errors } from '../errors.ts'

type Combine = 'AND' | 'OR' | 'XOR' | 'NOT'
const OPERATIONS: readonly Combine[] = ['AND', 'OR', 'XOR', 'NOT']

export function runBitop(call: Call): void {
  const { args, store, reply } = call
  const operation = OPERATIONS.find((name) => args.is(1, name))
  if (operation === undefined) return call.syntaxError()
  if (operation === 'NOT' && args.argc !== 4)
    return reply.error('ERR BITOP NOT must be called with a single source key.')
  const sources: Buffer[] = []
  let length = 0
  for (let i = 3; i < args.argc; i++) {
    const ref = call.lookupRead(i)
    if (ref === 0) {
      sources.push(EMPTY)
      continue
    }
    if (store.type(ref) !== 0) return reply.error(errors.wrongType)
    store.read(ref)
    // A view stays right: nothing is written before all are read.
    const source = store.bytes.subarray(store.start, store.end)
    sources.push(source)
    length = Math.max(length, source.length)
  }
  storeResult(call, combine(operation, sources, length))
  reply.integer(length)
}

function combine(operation: Combine, sources: readonly Buffer[], length: number): Buffer {
  const result = Buffer.alloc(length)
  if (length === 0) return result
  result.set(sources[0]!)
  if (operation === 'NOT') {
    for (let i = 0; i < length; i++) result[i] = ~result[i]! & 0xff
    return result
  }
  for (let s = 1; s < sources.length; s++) {
    const source = sources[s]!
    const common = source.length
    if (operation === 'AND') {
      for (let i = 0; i < common; i++) result[i]! &= source[i]!
      result.fill(0, common)
    } else if (operation === 'OR') {
      for (let i = 0; i < common; i++) result[i]! |= source[i]!
    } else {
      for (let i = 0; i < common; i++) result[i]! ^= source[i]!
    }
  }
  return result
}

/** The result goes to argument 2; an empty one removes what is there. */
function storeResult(call: Call, result: Buffer): void {
  const key = call.args.view(2)
  const ref = call.lookupWrite(2)
  if (result.length > 0) {
    const hash = hashBytes(key, 0, key.length)
    call.db.putBytes(hash, key, 0, key.length, ref, TYPE_STRING, ENCODING_RAW, result, 0, result.length, NO_EXPIRE)
    call.changed(2, NOTIFY_STRING, 'set')
  } else if (ref !== 0) {
    call.remove(ref)
    call.changed(2, NOTIFY_GENERIC, 'del')
  }
}

const EMPTY = Buffer.alloc(0)

export const bitop = command({
  name: 'bitop',
  arity: -4,
  since: '2.6.0',
  summary: 'Perform bitwise operations between strings',
  complexity: 'O(N)',
  flags: ['write', 'denyoom'],
  keys: [key(2, 'OW', 'UPDATE'), keyRange(3, -1, 1, 'RO', 'ACCESS')],
  args: [arg.string('operation'), arg.key('destkey'), arg.key('key', { keySpec: 1, multiple: true })],
  run: runBitop,
})
