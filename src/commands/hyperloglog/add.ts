/** PFADD and PFMERGE. redis 7.0.15 hyperloglog.c pfaddCommand, pfmergeCommand */
import { NOTIFY_STRING } from '../../config/units.ts'
import { HashedElement, HLL_REGISTERS, isDense } from '../../store/encodings/hyperloglog-format.ts'
import type { Call } from '../call.ts'
import { arg, command, key, keyRange } from '../define.ts'
import { mergeRegisters, registers } from './registers.ts'
import { CORRUPTED, INVALID, RAISED, readHyperLogLog, target } from './target.ts'

const element = new HashedElement()

function runPfadd(call: Call): void {
  const { args, reply } = call
  const ref = call.lookupWrite(1)
  if (ref !== 0 && !readHyperLogLog(call, ref)) return
  target.open(call, 1, ref)
  let updated = ref === 0 ? 1 : 0
  for (let i = 2; i < args.argc; i++) {
    element.hash(args.buf, args.start(i), args.end(i))
    const result = target.raise(element.index, element.rank)
    if (result === RAISED) updated++
    else if (result === INVALID) {
      // What was raised before stays so, of which nobody is told: as in Redis.
      target.close()
      call.error(CORRUPTED)
      return
    }
  }
  if (updated > 0) target.invalidate()
  target.close()
  if (updated > 0) {
    call.effects.dirty += updated - 1
    call.changed(1, NOTIFY_STRING, 'pfadd')
  }
  reply.integer(updated > 0 ? 1 : 0)
}

function runPfmerge(call: Call): void {
  const { args, store } = call
  let becomesDense = false
  registers.fill(0)
  for (let i = 1; i < args.argc; i++) {
    const ref = call.lookupRead(i)
    if (ref === 0) continue
    if (!readHyperLogLog(call, ref)) return
    if (isDense(store.bytes, store.start)) becomesDense = true
    if (!mergeRegisters(store)) return call.error(CORRUPTED)
  }
  target.open(call, 1, call.lookupWrite(1))
  if (becomesDense && !target.toDense()) return call.error(CORRUPTED)
  for (let i = 0; i < HLL_REGISTERS; i++) {
    const rank = registers[i]!
    if (rank > 0) target.raise(i, rank)
  }
  target.invalidate()
  target.close()
  call.changed(1, NOTIFY_STRING, 'pfadd')
  call.reply.ok()
}

export const pfadd = command({
  name: 'pfadd',
  arity: -2,
  since: '2.8.9',
  summary: 'Adds the specified elements to the specified HyperLogLog.',
  complexity: 'O(1) to add every element.',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('element', { optional: true, multiple: true })],
  run: runPfadd,
})

export const pfmerge = command({
  name: 'pfmerge',
  arity: -2,
  since: '2.8.9',
  summary: 'Merge N different HyperLogLogs into a single one.',
  complexity: 'O(N) to merge N HyperLogLogs, but with high constant times.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'ACCESS', 'INSERT'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('destkey'), arg.key('sourcekey', { keySpec: 1, multiple: true })],
  run: runPfmerge,
})
