/** XLEN, XRANGE and XREVRANGE. redis 7.0.15 t_stream.c xlenCommand, xrangeGenericCommand */
import { TYPE_STREAM } from '../../store/record.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { replyRange } from './entries.ts'
import { parseInterval } from './ids.ts'

const start = new StreamId()
const end = new StreamId()

function runXlen(call: Call): void {
  const ref = call.typedForRead(1, TYPE_STREAM)
  if (ref !== WRONG_TYPE) call.reply.integer(ref === 0 ? 0 : call.store.structure<StreamValue>(ref).length)
}

function runXrange(call: Call): void {
  replyInterval(call, false)
}

function runXrevrange(call: Call): void {
  replyInterval(call, true)
}

function replyInterval(call: Call, backwards: boolean): void {
  const { args, reply } = call
  if (!parseInterval(call, backwards ? 3 : 2, backwards ? 2 : 3, start, end)) return
  let count = -1
  for (let i = 4; i < args.argc; i += 2) {
    if (i + 1 === args.argc || !args.is(i, 'COUNT')) {
      call.syntaxError()
      return
    }
    const given = call.integer(i + 1)
    if (given === undefined) return
    count = Math.max(0, given)
  }
  const ref = call.typedForRead(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  if (ref === 0) reply.array(0)
  else if (count === 0) reply.nullArray()
  else replyRange(reply, call.store.structure<StreamValue>(ref), start, end, Math.max(0, count), backwards)
}

export const xlen = command({
  name: 'xlen',
  arity: 2,
  since: '5.0.0',
  summary: 'Return the number of entries in a stream',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: runXlen,
})

export const xrange = command({
  name: 'xrange',
  arity: -4,
  since: '5.0.0',
  summary: 'Return a range of elements in a stream, with IDs matching the specified IDs interval',
  complexity:
    'O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for ' +
    'the first 10 elements with COUNT), you can consider it O(1).',
  history: [['6.2.0', 'Added exclusive ranges.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('start'), arg.string('end'), arg.integer('count', { token: 'COUNT', optional: true })],
  run: runXrange,
})

export const xrevrange = command({
  name: 'xrevrange',
  arity: -4,
  since: '5.0.0',
  summary:
    'Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse ' +
    'order (from greater to smaller IDs) compared to XRANGE',
  complexity:
    'O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the ' +
    'first 10 elements with COUNT), you can consider it O(1).',
  history: [['6.2.0', 'Added exclusive ranges.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('end'), arg.string('start'), arg.integer('count', { token: 'COUNT', optional: true })],
  run: runXrevrange,
})
