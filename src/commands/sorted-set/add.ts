/** ZADD, ZINCRBY and ZREM. redis 7.0.15 t_zset.c zaddGenericCommand, zsetAdd */
import { NOTIFY_GENERIC, NOTIFY_ZSET } from '../../config/units.ts'
import { doubleArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { target } from './target.ts'

const NX = 1
const XX = 2
const GT = 4
const LT = 8
const INCR = 16
const CH = 32

const NOTHING = 0
const SAME = 1
const ADDED = 2
const UPDATED = 3
const NOT_A_NUMBER = 4

/** The option that argument i is, 0 if it is none. */
function optionArgument(call: Call, i: number): number {
  const { args } = call
  const length = args.length(i)
  if (length === 2) {
    if (args.is(i, 'NX')) return NX
    if (args.is(i, 'XX')) return XX
    if (args.is(i, 'GT')) return GT
    if (args.is(i, 'LT')) return LT
    if (args.is(i, 'CH')) return CH
  }
  return length === 4 && args.is(i, 'INCR') ? INCR : 0
}

/** Where the pairs begin, after having collected the options in `given`; 0 after the error. */
function checkArguments(call: Call, given: { options: number }): number {
  const { args } = call
  let first = 2
  for (; first < args.argc; first++) {
    const option = optionArgument(call, first)
    if (option === 0) break
    given.options |= option
  }
  const { options } = given
  const count = args.argc - first
  if (count === 0 || count % 2 === 1) call.syntaxError()
  else if ((options & (NX | XX)) === (NX | XX)) call.error('ERR XX and NX options at the same time are not compatible')
  else if (howMany(options, GT, LT, NX) > 1)
    call.error('ERR GT, LT, and/or NX options at the same time are not compatible')
  else if ((options & INCR) !== 0 && count > 2) call.error('ERR INCR option supports a single increment-element pair')
  else return first
  return 0
}

function howMany(options: number, ...flags: number[]): number {
  let count = 0
  for (const flag of flags) if ((options & flag) !== 0) count++
  return count
}

/** Adds or updates the member at argument i. target.score is then its score. */
function addMember(call: Call, i: number, given: number, options: number): number {
  const { args } = call
  const { buf } = args
  const start = args.start(i)
  const end = args.end(i)
  if (!target.find(buf, start, end)) {
    if ((options & XX) !== 0) return NOTHING
    target.insert(buf, start, end, given)
    target.score = given
    return ADDED
  }
  if ((options & NX) !== 0) return NOTHING
  const old = target.score
  const score = (options & INCR) !== 0 ? old + given : given
  if (Number.isNaN(score)) return NOT_A_NUMBER
  if (((options & LT) !== 0 && score >= old) || ((options & GT) !== 0 && score <= old)) return NOTHING
  if (score === old) {
    target.score = score
    return SAME
  }
  target.update(buf, start, end, score)
  target.score = score
  return UPDATED
}

const scores: number[] = []

/** The scores of all pairs, before anything is changed; false after the error. */
function readScores(call: Call, first: number): boolean {
  scores.length = 0
  for (let i = first; i < call.args.argc; i += 2) {
    const score = doubleArgument(call, i)
    if (score === undefined) return false
    scores.push(score)
  }
  return true
}

function addGeneric(call: Call, first: number, options: number): void {
  const { args, reply } = call
  if (!readScores(call, first)) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  const isIncrement = (options & INCR) !== 0
  let added = 0
  let updated = 0
  let result = NOTHING
  if (ref !== 0 || (options & XX) === 0) {
    for (let i = first; i < args.argc; i += 2) {
      result = addMember(call, i + 1, scores[(i - first) >> 1]!, options)
      if (result === ADDED) added++
      else if (result === UPDATED) updated++
      else if (result === NOT_A_NUMBER) {
        call.error('ERR resulting score is not a number (NaN)')
        return
      }
    }
  }
  const { score } = target
  if (added + updated > 0) {
    target.close()
    call.effects.dirty += added + updated - 1
  }
  if (!isIncrement) reply.integer((options & CH) !== 0 ? added + updated : added)
  else if (result === NOTHING) reply.nullBulk()
  else reply.double(score)
  if (added + updated > 0) call.changed(1, NOTIFY_ZSET, isIncrement ? 'zincr' : 'zadd')
}

function runZadd(call: Call): void {
  const given = { options: 0 }
  const first = checkArguments(call, given)
  if (first !== 0) addGeneric(call, first, given.options)
}

function runZincrby(call: Call): void {
  const given = { options: INCR }
  const first = checkArguments(call, given)
  if (first !== 0) addGeneric(call, first, given.options)
}

function runZrem(call: Call): void {
  const { args, reply } = call
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  let removed = 0
  for (let i = 2; ref !== 0 && i < args.argc && target.size > 0; i++) {
    if (target.delete(args.buf, args.start(i), args.end(i))) removed++
  }
  if (removed > 0) {
    const isLeft = target.close()
    call.effects.dirty += removed - 1
    call.changed(1, NOTIFY_ZSET, 'zrem')
    if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  }
  reply.integer(removed)
}

export const zadd = command({
  name: 'zadd',
  arity: -4,
  since: '1.2.0',
  summary: 'Add one or more members to a sorted set, or update its score if it already exists',
  complexity: 'O(log(N)) for each item added, where N is the number of elements in the sorted set.',
  history: [
    ['2.4.0', 'Accepts multiple elements.'],
    ['3.0.2', 'Added the `XX`, `NX`, `CH` and `INCR` options.'],
    ['6.2.0', 'Added the `GT` and `LT` options.'],
  ],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [
    arg.key(),
    arg.oneof('condition', [arg.token('NX'), arg.token('XX')], { since: '3.0.2', optional: true }),
    arg.oneof('comparison', [arg.token('GT'), arg.token('LT')], { since: '6.2.0', optional: true }),
    arg.token('CH', { name: 'change', since: '3.0.2', optional: true }),
    arg.token('INCR', { name: 'increment', since: '3.0.2', optional: true }),
    arg.block('score_member', [arg.double('score'), arg.string('member')], { multiple: true }),
  ],
  run: runZadd,
})

export const zincrby = command({
  name: 'zincrby',
  arity: 4,
  since: '1.2.0',
  summary: 'Increment the score of a member in a sorted set',
  complexity: 'O(log(N)) where N is the number of elements in the sorted set.',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('increment'), arg.string('member')],
  run: runZincrby,
})

export const zrem = command({
  name: 'zrem',
  arity: -3,
  since: '1.2.0',
  summary: 'Remove one or more members from a sorted set',
  complexity:
    'O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to ' +
    'be removed.',
  history: [['2.4.0', 'Accepts multiple elements.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runZrem,
})
