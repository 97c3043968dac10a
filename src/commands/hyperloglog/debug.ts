/** PFDEBUG: a look at the representation. redis 7.0.15 hyperloglog.c pfdebugCommand */
import { denseRegister } from '../../store/encodings/hyperloglog-dense.ts'
import { HLL_HEADER, HLL_REGISTERS, isDense } from '../../store/encodings/hyperloglog-format.ts'
import { sparseText } from '../../store/encodings/hyperloglog-sparse.ts'
import { ENCODING_RAW } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { CORRUPTED, readHyperLogLog, target } from './target.ts'

function runPfdebug(call: Call): void {
  const { args, db, store } = call
  let ref = call.lookupWrite(2)
  if (ref === 0) return call.error('ERR The specified key does not exist')
  if (!readHyperLogLog(call, ref)) return
  if (store.encoding(ref) !== ENCODING_RAW) {
    ref = db.writableString(call.hash, ref, store.end - store.start, ENCODING_RAW)
  }
  if (args.is(1, 'GETREG')) getRegisters(call, ref)
  else if (args.is(1, 'DECODE')) decode(call)
  else if (args.is(1, 'ENCODING')) call.reply.simple(isDense(store.bytes, store.start) ? 'dense' : 'sparse')
  else if (args.is(1, 'TODENSE')) convert(call, ref)
  else call.error(`ERR Unknown PFDEBUG subcommand '${args.cString(1)}'`)
}

/** Makes it dense: 1, or 0 if it was already; undefined after the error. Nobody but replicas hears of it. */
function makeDense(call: Call, ref: number): 0 | 1 | undefined {
  const { store } = call
  if (isDense(store.bytes, store.start)) return 0
  target.open(call, 2, ref)
  if (!target.toDense()) {
    call.error(CORRUPTED)
    return undefined
  }
  target.close()
  call.effects.dirty++
  return 1
}

function convert(call: Call, ref: number): void {
  const converted = makeDense(call, ref)
  if (converted !== undefined) call.reply.integer(converted)
}

function getRegisters(call: Call, ref: number): void {
  const { db, reply, store } = call
  if (makeDense(call, ref) === undefined) return
  const { args } = call
  store.read(db.find(call.hash, args.buf, args.start(2), args.end(2)))
  reply.array(HLL_REGISTERS)
  for (let i = 0; i < HLL_REGISTERS; i++) reply.integer(denseRegister(store.bytes, store.start + HLL_HEADER, i))
}

function decode(call: Call): void {
  const { bytes, start, end } = call.store
  if (isDense(bytes, start)) call.error('ERR HLL encoding is not sparse')
  else call.reply.bulkString(sparseText(bytes, start + HLL_HEADER, end))
}

export const pfdebug = command({
  name: 'pfdebug',
  arity: 3,
  since: '2.8.9',
  summary: 'Internal commands for debugging HyperLogLog values',
  complexity: 'N/A',
  docFlags: ['syscmd'],
  flags: ['write', 'denyoom', 'admin'],
  keys: [key(2, 'RW', 'ACCESS')],
  args: [arg.string('subcommand'), arg.key()],
  run: runPfdebug,
})
