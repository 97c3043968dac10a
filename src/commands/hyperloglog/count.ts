/**
 * PFCOUNT. Of one key it reads the cardinality that is kept in the value, or computes it and puts it there: a change, which
 * replicas are told of by the same command. redis 7.0.15 hyperloglog.c pfcountCommand
 */
import { denseHistogram } from '../../store/encodings/hyperloglog-dense.ts'
import { estimate, newHistogram, rawHistogram } from '../../store/encodings/hyperloglog-estimate.ts'
import { cachedCardinality, HLL_HEADER, isDense, writeCardinality } from '../../store/encodings/hyperloglog-format.ts'
import { sparseHistogram } from '../../store/encodings/hyperloglog-sparse.ts'
import { ENCODING_RAW } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, keyRange } from '../define.ts'
import { mergeRegisters, registers } from './registers.ts'
import { CORRUPTED, readHyperLogLog } from './target.ts'

const histogram = newHistogram()

function replyCardinality(call: Call, cardinality: number): void {
  call.reply.integer(Number.isSafeInteger(cardinality) ? cardinality : BigInt(cardinality))
}

function countUnion(call: Call): void {
  const { args, store } = call
  registers.fill(0)
  for (let i = 1; i < args.argc; i++) {
    const ref = call.lookupRead(i)
    if (ref === 0) continue
    if (!readHyperLogLog(call, ref)) return
    if (!mergeRegisters(store)) return call.error(CORRUPTED)
  }
  histogram.fill(0)
  rawHistogram(registers, histogram)
  replyCardinality(call, estimate(histogram))
}

function runPfcount(call: Call): void {
  if (call.args.argc > 2) return countUnion(call)
  const { args, db, reply, store } = call
  let ref = call.lookupRead(1)
  if (ref === 0) return reply.integer(0)
  if (!readHyperLogLog(call, ref)) return
  const length = store.end - store.start
  if (store.encoding(ref) !== ENCODING_RAW) ref = db.writableString(call.hash, ref, length, ENCODING_RAW)
  const cached = cachedCardinality(store.bytes, store.start)
  if (cached !== undefined) return reply.integer(cached)
  histogram.fill(0)
  const at = store.start + HLL_HEADER
  if (isDense(store.bytes, store.start)) denseHistogram(store.bytes, at, histogram)
  else if (!sparseHistogram(store.bytes, at, store.end, histogram)) return call.error(CORRUPTED)
  const cardinality = estimate(histogram)
  db.writableString(call.hash, ref, length, ENCODING_RAW)
  writeCardinality(store.bytes, store.start, cardinality)
  call.modified(args.buf, args.start(1), args.end(1))
  call.effects.dirty++
  replyCardinality(call, cardinality)
}

export const pfcount = command({
  name: 'pfcount',
  arity: -2,
  since: '2.8.9',
  summary: 'Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).',
  complexity:
    'O(1) with a very small average constant time when called with a single key. O(N) with N being the ' +
    'number of keys, and much bigger constant times, when called with multiple keys.',
  flags: ['readonly', 'may_replicate'],
  keys: [
    {
      ...keyRange(1, -1, 1, 'RW', 'ACCESS'),
      notes: 'RW because it may change the internal representation of the key, and propagate to replicas',
    },
  ],
  args: [arg.key('key', { multiple: true })],
  run: runPfcount,
})
