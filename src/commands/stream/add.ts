/**
 * XADD. A generated id, or the generated part of one, is propagated as it came out, and trimming as where it ended.
 * redis 7.0.15 t_stream.c xaddCommand, streamAppendItem
 */
import { NOTIFY_STREAM } from '../../config/units.ts'
import { ENCODING_STREAM, NO_EXPIRE, TYPE_STREAM } from '../../store/record.ts'
import { STREAM_MAX_NODE_BYTES, StreamValue } from '../../store/values/stream.ts'
import { STREAM_ID_MAX_TEXT, StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { keyAdded } from '../generic/lookup.ts'
import { ID_GIVEN } from './ids.ts'
import { options, TRIM_NONE } from './trim-options.ts'

const id = new StreamId()
const idText = Buffer.alloc(STREAM_ID_MAX_TEXT)
const EMPTY = new StreamValue()

function runXadd(call: Call): void {
  const { args, db, reply, store } = call
  const idAt = options.parse(call, true)
  if (idAt < 0) return
  const first = idAt + 1
  if (args.argc - first < 2 || (args.argc - first) % 2 !== 0) {
    call.wrongArity()
    return
  }
  if (options.idGiven === ID_GIVEN && options.id.isZero) {
    call.error('ERR The ID specified in XADD must be greater than 0-0')
    return
  }
  let ref = call.typedForWrite(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  if (ref === 0 && options.noMkstream) {
    reply.nullBulk()
    return
  }
  const { hash } = call
  const isNew = ref === 0
  const { lastId } = isNew ? EMPTY : store.structure<StreamValue>(ref)
  if (!chooseId(call, lastId) || !mayAppend(call, first)) return
  if (isNew) {
    const key = args.buf
    const start = args.start(1)
    ref = db.putStructure(hash, key, start, args.end(1), 0, TYPE_STREAM, ENCODING_STREAM, new StreamValue(), NO_EXPIRE)
    keyAdded(call, db, 1)
  } else {
    db.beforeChange(hash, ref)
  }
  const stream = store.structure<StreamValue>(ref)
  stream.append(id, args, first, (args.argc - first) / 2)
  const idLength = id.writeText(idText, 0)
  reply.bulk(idText, 0, idLength)
  call.changed(1, NOTIFY_STREAM, 'xadd')
  if (options.strategy !== TRIM_NONE && options.trim(stream) > 0) call.event(args.view(1), NOTIFY_STREAM, 'xtrim')
  store.recount(ref)
  propagate(call, stream, idAt, idLength)
  call.keyReady(1)
}

/** Sets `id` to that of the new entry; false after the error. */
function chooseId(call: Call, lastId: StreamId): boolean {
  if (lastId.isMax) {
    call.error('ERR The stream has exhausted the last possible ID, unable to add more items')
    return false
  }
  if (options.idGiven === 0) {
    id.setMs(call.now)
    id.setSeq(0)
    // The clock may stand still, or have gone back.
    if (id.compare(lastId) <= 0 || id.isSameMs(lastId)) {
      id.assign(lastId)
      id.increment()
    }
    return true
  }
  id.assign(options.id)
  if (options.idGiven !== ID_GIVEN && id.isSameMs(lastId)) {
    id.assign(lastId)
    if (!lastId.isMaxSeq) id.increment()
  }
  if (id.compare(lastId) > 0) return true
  call.error('ERR The ID specified in XADD is equal or smaller than the target stream top item')
  return false
}

function mayAppend(call: Call, first: number): boolean {
  const { args } = call
  // Never so much if not even the request is so long.
  if (args.end(args.argc - 1) - args.start(first) <= STREAM_MAX_NODE_BYTES) return true
  let bytes = 0
  for (let i = first; i < args.argc; i++) bytes += args.length(i)
  if (bytes <= STREAM_MAX_NODE_BYTES) return true
  call.error('ERR Elements are too large to be stored')
  return false
}

function propagate(call: Call, stream: StreamValue, idAt: number, idLength: number): void {
  const { args } = call
  if (!call.host.propagates) return
  if (options.strategy !== TRIM_NONE && options.approximate) {
    const propagated: (string | Uint8Array)[] = args.toArguments()
    options.rewrite(stream, propagated)
    propagated[idAt] = idText.subarray(0, idLength)
    call.propagateAs(...propagated)
  } else if (options.idGiven !== ID_GIVEN) {
    const command = call.effects.replaceBy(args.argc)
    for (let i = 0; i < args.argc; i++) {
      if (i === idAt) command.bytes(idText, 0, idLength)
      else command.argument(args, i)
    }
  }
}

export const xadd = command({
  name: 'xadd',
  arity: -5,
  since: '5.0.0',
  summary: 'Appends a new entry to a stream',
  complexity: 'O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.',
  history: [
    ['6.2.0', 'Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.'],
    ['7.0.0', 'Added support for the `<ms>-*` explicit ID form.'],
  ],
  flags: ['write', 'denyoom', 'fast'],
  hints: ['nondeterministic_output'],
  keys: [{ ...key(1, 'RW', 'UPDATE'), notes: 'UPDATE instead of INSERT because of the optional trimming feature' }],
  args: [
    arg.key(),
    arg.token('NOMKSTREAM', { since: '6.2.0', optional: true }),
    arg.block(
      'trim',
      [
        arg.oneof('strategy', [arg.token('MAXLEN'), arg.token('MINID', { since: '6.2.0' })]),
        arg.oneof('operator', [arg.token('=', { name: 'equal' }), arg.token('~', { name: 'approximately' })], {
          optional: true,
        }),
        arg.string('threshold'),
        arg.integer('count', { token: 'LIMIT', since: '6.2.0', optional: true }),
      ],
      { optional: true },
    ),
    arg.oneof('id_or_auto', [arg.token('*', { name: 'auto_id' }), arg.string('id')]),
    arg.block('field_value', [arg.string('field'), arg.string('value')], { multiple: true }),
  ],
  run: runXadd,
})
