/** What takes entries away: XDEL and XTRIM; and XSETID. redis 7.0.15 t_stream.c xdelCommand, xtrimCommand, xsetidCommand */
import { NOTIFY_STREAM } from '../../config/units.ts'
import { TYPE_STREAM } from '../../store/record.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { parseStrictId } from './ids.ts'
import { options } from './trim-options.ts'

const id = new StreamId()
const maxDeletedId = new StreamId()
const topId = new StreamId()

function runXdel(call: Call): void {
  const { args, store } = call
  const ref = call.typedForWrite(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    call.reply.integer(0)
    return
  }
  // None is removed if one of them is no id.
  for (let i = 2; i < args.argc; i++) if (!parseStrictId(call, i, id)) return
  call.db.beforeChange(call.hash, ref)
  const stream = store.structure<StreamValue>(ref)
  let deleted = 0
  let isFirstGone = false
  for (let i = 2; i < args.argc; i++) {
    parseStrictId(call, i, id)
    if (!stream.delete(id)) continue
    if (id.equals(stream.firstId)) isFirstGone = true
    if (id.compare(stream.maxDeletedId) > 0) stream.maxDeletedId.assign(id)
    deleted++
  }
  if (deleted > 0) {
    if (stream.length === 0 || isFirstGone) stream.updateFirstId()
    store.recount(ref)
    call.effects.dirty += deleted - 1
    call.changed(1, NOTIFY_STREAM, 'xdel')
  }
  call.reply.integer(deleted)
}

function runXtrim(call: Call): void {
  const { args, store } = call
  if (options.parse(call, false) < 0) return
  const ref = call.typedForWrite(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    call.reply.integer(0)
    return
  }
  call.db.beforeChange(call.hash, ref)
  const stream = store.structure<StreamValue>(ref)
  const removed = options.trim(stream)
  if (removed > 0) {
    store.recount(ref)
    call.effects.dirty += removed - 1
    call.changed(1, NOTIFY_STREAM, 'xtrim')
    if (options.approximate && call.host.propagates) {
      const propagated: (string | Uint8Array)[] = args.toArguments()
      options.rewrite(stream, propagated)
      call.propagateAs(...propagated)
    }
  }
  call.reply.integer(removed)
}

function runXsetid(call: Call): void {
  const { args, db, store } = call
  if (!parseStrictId(call, 2, id)) return
  maxDeletedId.clear()
  let entriesAdded = -1
  for (let i = 3; i < args.argc; i += 2) {
    const hasMore = i + 1 < args.argc
    if (hasMore && args.is(i, 'ENTRIESADDED')) {
      const given = call.integer(i + 1)
      if (given === undefined) return
      if (given < 0) {
        call.error('ERR entries_added must be positive')
        return
      }
      entriesAdded = given
    } else if (hasMore && args.is(i, 'MAXDELETEDID')) {
      if (!parseStrictId(call, i + 1, maxDeletedId)) return
      if (id.compare(maxDeletedId) < 0) {
        call.error('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id')
        return
      }
    } else {
      call.syntaxError()
      return
    }
  }
  const ref = call.typedForWrite(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    call.error(errors.noSuchKey)
    return
  }
  const stream = store.structure<StreamValue>(ref)
  if (stream.length > 0 && !maySetId(call, stream, entriesAdded)) return
  db.beforeChange(call.hash, ref)
  stream.lastId.assign(id)
  if (entriesAdded !== -1) stream.entriesAdded = entriesAdded
  if (!maxDeletedId.isZero) stream.maxDeletedId.assign(maxDeletedId)
  call.reply.ok()
  // Redis wakes no WATCH here.
  call.effects.dirty++
  call.event(args.view(1), NOTIFY_STREAM, 'xsetid')
}

/** Ids must go on ascending. False after the error. */
function maySetId(call: Call, stream: StreamValue, entriesAdded: number): boolean {
  stream.edgeId(false, true, topId)
  if (id.compare(topId) < 0) {
    call.error('ERR The ID specified in XSETID is smaller than the target stream top item')
    return false
  }
  if (entriesAdded !== -1 && stream.length > entriesAdded) {
    call.error('ERR The entries_added specified in XSETID is smaller than the target stream length')
    return false
  }
  return true
}

export const xdel = command({
  name: 'xdel',
  arity: -3,
  since: '5.0.0',
  summary:
    'Removes the specified entries from the stream. Returns the number of items actually deleted, that ' +
    'may be different from the number of IDs passed in case certain IDs do not exist.',
  complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.string('id', { multiple: true })],
  run: runXdel,
})

export const xtrim = command({
  name: 'xtrim',
  arity: -4,
  since: '5.0.0',
  summary: "Trims the stream to (approximately if '~' is passed) a certain size",
  complexity:
    'O(N), with N being the number of evicted entries. Constant times are very small however, since ' +
    'entries are organized in macro nodes containing multiple entries that can be released with a single ' +
    'deallocation.',
  history: [['6.2.0', 'Added the `MINID` trimming strategy and the `LIMIT` option.']],
  flags: ['write'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [
    arg.key(),
    arg.block('trim', [
      arg.oneof('strategy', [arg.token('MAXLEN'), arg.token('MINID', { since: '6.2.0' })]),
      arg.oneof('operator', [arg.token('=', { name: 'equal' }), arg.token('~', { name: 'approximately' })], {
        optional: true,
      }),
      arg.string('threshold'),
      arg.integer('count', { token: 'LIMIT', since: '6.2.0', optional: true }),
    ]),
  ],
  run: runXtrim,
})

export const xsetid = command({
  name: 'xsetid',
  arity: -3,
  since: '5.0.0',
  summary: 'An internal command for replicating stream values',
  complexity: 'O(1)',
  history: [['7.0.0', 'Added the `entries_added` and `max_deleted_entry_id` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [
    arg.key(),
    arg.string('last-id'),
    arg.integer('entries_added', { token: 'ENTRIESADDED', since: '7.0.0', optional: true }),
    arg.string('max_deleted_entry_id', { token: 'MAXDELETEDID', since: '7.0.0', optional: true }),
  ],
  run: runXsetid,
})
