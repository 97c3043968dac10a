/** XGROUP and XACK: consumer groups and what they have acknowledged. redis 7.0.15 t_stream.c xgroupCommand, xackCommand */
import { NOTIFY_STREAM } from '../../config/units.ts'
import { ENCODING_STREAM, NO_EXPIRE, TYPE_STREAM } from '../../store/record.ts'
import { StreamValue } from '../../store/values/stream.ts'
import { type Group, INVALID_ENTRIES_READ } from '../../store/values/stream-groups.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { keyAdded } from '../generic/lookup.ts'
import { replyHelp } from '../help.ts'
import { parseId, parseStrictId } from './ids.ts'
import { noGroup } from './no-group.ts'

const HELP = [
  'CREATE <key> <groupname> <id|$> [option]',
  '    Create a new consumer group. Options are:',
  '    * MKSTREAM',
  '      Create the empty stream if it does not exist.',
  '    * ENTRIESREAD entries_read',
  "      Set the group's entries_read counter (internal use).",
  'CREATECONSUMER <key> <groupname> <consumer>',
  '    Create a new consumer in the specified group.',
  'DELCONSUMER <key> <groupname> <consumer>',
  '    Remove the specified consumer.',
  'DESTROY <key> <groupname>',
  '    Remove the specified group.',
  'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
  '    Set the current group ID and entries_read counter.',
]

const NO_KEY =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.'
const KEY = 2
const GROUP = 3
const ID = 4
const CONSUMER = 4
const OPTIONS = 5
/** Options of CREATE may be said twice, but not more arguments than there are options. */
const CREATE_MAX_ARGUMENTS = 8
const MAX_NAME_IN_ERROR = 128

const id = new StreamId()

/** What a subcommand works on. */
class Target {
  ref = 0
  hash = 0
  stream: StreamValue | undefined
  group: Group | undefined
  makesStream = false
  entriesRead = INVALID_ENTRIES_READ

  /** Reads options and looks up the key. False after the error. */
  open(call: Call, options: { create: boolean; setId: boolean }): boolean {
    this.makesStream = false
    this.entriesRead = INVALID_ENTRIES_READ
    if (!this.#options(call, options)) return false
    this.ref = call.typedForWrite(KEY, TYPE_STREAM)
    if (this.ref === WRONG_TYPE) return false
    this.hash = call.hash
    this.stream = this.ref === 0 ? undefined : call.store.structure<StreamValue>(this.ref)
    if (this.makesStream) return true
    if (this.stream === undefined) {
      call.error(NO_KEY)
      return false
    }
    this.group = this.stream.group(call.args.buf, call.args.start(GROUP), call.args.end(GROUP))
    return true
  }

  #options(call: Call, { create, setId }: { create: boolean; setId: boolean }): boolean {
    const { args } = call
    for (let i = OPTIONS; i < args.argc; i++) {
      if (create && args.is(i, 'MKSTREAM')) {
        this.makesStream = true
      } else if ((create || setId) && args.is(i, 'ENTRIESREAD') && i + 1 < args.argc) {
        const read = call.integer(++i)
        if (read === undefined) return false
        if (read < 0 && read !== INVALID_ENTRIES_READ) {
          call.error('ERR value for ENTRIESREAD must be positive or -1')
          return false
        }
        this.entriesRead = read
      } else {
        refuseSubcommand(call)
        return false
      }
    }
    return true
  }

  /** The group, or the error that there is none. */
  requireGroup(call: Call): Group | undefined {
    if (this.group === undefined) noGroup(call, KEY, GROUP)
    return this.group
  }

  changing(call: Call): void {
    if (this.ref !== 0) call.db.beforeChange(this.hash, this.ref)
  }

  changed(call: Call, event: string): void {
    call.store.recount(this.ref)
    call.effects.dirty++
    call.event(call.args.view(KEY), NOTIFY_STREAM, event)
  }
}

const target = new Target()
const NO_OPTIONS = { create: false, setId: false }

/** redis 7.0.15 networking.c addReplySubcommandSyntaxError */
function refuseSubcommand(call: Call): void {
  call.error(errors.unknownSubcommand(call.args.latin1(1).slice(0, MAX_NAME_IN_ERROR), 'XGROUP'))
}

function isDollar(call: Call): boolean {
  return call.args.length(ID) === 1 && call.args.buf[call.args.start(ID)] === 0x24
}

function runCreate(call: Call): void {
  const { args, db, reply } = call
  if (!target.open(call, { create: true, setId: false })) return
  const { hash } = target
  if (args.argc > CREATE_MAX_ARGUMENTS) {
    refuseSubcommand(call)
    return
  }
  if (!isDollar(call)) {
    if (!parseStrictId(call, ID, id)) return
  } else if (target.stream !== undefined) {
    id.assign(target.stream.lastId)
  } else {
    id.clear()
  }
  if (target.stream === undefined) {
    target.stream = new StreamValue()
    const [start, end] = [args.start(KEY), args.end(KEY)]
    target.ref = db.putStructure(hash, args.buf, start, end, 0, TYPE_STREAM, ENCODING_STREAM, target.stream, NO_EXPIRE)
    keyAdded(call, db, KEY)
    call.modified(args.buf, start, end)
  } else {
    target.changing(call)
  }
  const { stream, entriesRead } = target
  if (stream.createGroup(args.buf, id, entriesRead, args.start(GROUP), args.end(GROUP)) === undefined) {
    call.error('BUSYGROUP Consumer Group name already exists')
    return
  }
  reply.ok()
  target.changed(call, 'xgroup-create')
}

function runSetId(call: Call): void {
  if (!target.open(call, { create: false, setId: true })) return
  const group = target.requireGroup(call)
  if (group === undefined) return
  // The general form is for arity's sake: SETID key group id [ENTRIESREAD n].
  if (call.args.argc !== 5 && call.args.argc !== 7) {
    refuseSubcommand(call)
    return
  }
  if (isDollar(call)) id.assign(target.stream!.lastId)
  else if (!parseId(call, ID, id)) return
  target.changing(call)
  group.lastId.assign(id)
  group.entriesRead = target.entriesRead
  call.reply.ok()
  target.changed(call, 'xgroup-setid')
}

function runDestroy(call: Call): void {
  const { args } = call
  if (!target.open(call, NO_OPTIONS)) return
  if (target.group === undefined) {
    call.reply.integer(0)
    return
  }
  target.changing(call)
  target.stream!.deleteGroup(args.buf, args.start(GROUP), args.end(GROUP))
  call.reply.integer(1)
  target.changed(call, 'xgroup-destroy')
  // Those who wait in XREADGROUP hear that there is no group any more.
  call.keyReady(KEY)
}

function runCreateConsumer(call: Call): void {
  const { args } = call
  if (!target.open(call, NO_OPTIONS)) return
  const group = target.requireGroup(call)
  if (group === undefined) return
  target.changing(call)
  const made = group.createConsumer(args.buf, call.host.unixMs, args.start(CONSUMER), args.end(CONSUMER))
  if (made !== undefined) target.changed(call, 'xgroup-createconsumer')
  call.reply.integer(made === undefined ? 0 : 1)
}

function runDeleteConsumer(call: Call): void {
  const { args } = call
  if (!target.open(call, NO_OPTIONS)) return
  const group = target.requireGroup(call)
  if (group === undefined) return
  const consumer = group.consumer(args.buf, args.start(CONSUMER), args.end(CONSUMER))
  const pending = consumer?.pending.size ?? 0
  if (consumer !== undefined) {
    target.changing(call)
    group.deleteConsumer(consumer)
    target.changed(call, 'xgroup-delconsumer')
  }
  call.reply.integer(pending)
}

function runXack(call: Call): void {
  const { args, store } = call
  const ref = call.typedForRead(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  const { hash } = call
  const stream = ref === 0 ? undefined : store.structure<StreamValue>(ref)
  const group = stream?.group(args.buf, args.start(2), args.end(2))
  if (group === undefined) {
    call.reply.integer(0)
    return
  }
  // All or nothing: an error after some were acknowledged could not be told.
  for (let i = 3; i < args.argc; i++) if (!parseStrictId(call, i, id)) return
  call.db.beforeChange(hash, ref)
  let acknowledged = 0
  for (let i = 3; i < args.argc; i++) {
    parseStrictId(call, i, id)
    if (group.deletePending(id) !== undefined) acknowledged++
  }
  if (acknowledged > 0) store.recount(ref)
  call.effects.dirty += acknowledged
  call.reply.integer(acknowledged)
}

export const xgroup = command({
  name: 'xgroup',
  arity: -2,
  since: '5.0.0',
  summary: 'A container for consumer groups commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'create',
      run: runCreate,
      arity: -5,
      since: '5.0.0',
      summary: 'Create a consumer group.',
      complexity: 'O(1)',
      history: [['7.0.0', 'Added the `entries_read` named argument.']],
      flags: ['write', 'denyoom'],
      keys: [key(2, 'RW', 'INSERT')],
      args: [
        arg.key(),
        arg.string('groupname'),
        arg.oneof('id', [arg.string('id'), arg.token('$', { name: 'new_id' })]),
        arg.token('MKSTREAM', { optional: true }),
        arg.integer('entries_read', { token: 'ENTRIESREAD', optional: true }),
      ],
    },
    {
      name: 'createconsumer',
      run: runCreateConsumer,
      arity: 5,
      since: '6.2.0',
      summary: 'Create a consumer in a consumer group.',
      complexity: 'O(1)',
      flags: ['write', 'denyoom'],
      keys: [key(2, 'RW', 'INSERT')],
      args: [arg.key(), arg.string('groupname'), arg.string('consumername')],
    },
    {
      name: 'delconsumer',
      run: runDeleteConsumer,
      arity: 5,
      since: '5.0.0',
      summary: 'Delete a consumer from a consumer group.',
      complexity: 'O(1)',
      flags: ['write'],
      keys: [key(2, 'RW', 'DELETE')],
      args: [arg.key(), arg.string('groupname'), arg.string('consumername')],
    },
    {
      name: 'destroy',
      run: runDestroy,
      arity: 4,
      since: '5.0.0',
      summary: 'Destroy a consumer group.',
      complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
      flags: ['write'],
      keys: [key(2, 'RW', 'DELETE')],
      args: [arg.key(), arg.string('groupname')],
    },
    {
      name: 'help',
      run: (call) => replyHelp(call, HELP),
      arity: 2,
      since: '5.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
    },
    {
      name: 'setid',
      run: runSetId,
      arity: -5,
      since: '5.0.0',
      summary: 'Set a consumer group to an arbitrary last delivered ID value.',
      complexity: 'O(1)',
      history: [['7.0.0', 'Added the optional `entries_read` argument.']],
      flags: ['write'],
      keys: [key(2, 'RW', 'UPDATE')],
      args: [
        arg.key(),
        arg.string('groupname'),
        arg.oneof('id', [arg.string('id'), arg.token('$', { name: 'new_id' })]),
        arg.integer('entries_read', { token: 'ENTRIESREAD', optional: true }),
      ],
    },
  ],
})

export const xack = command({
  name: 'xack',
  arity: -4,
  since: '5.0.0',
  summary:
    'Marks a pending message as correctly processed, effectively removing it from the pending entries ' +
    'list of the consumer group. Return value of the command is the number of messages successfully ' +
    'acknowledged, that is, the IDs we were actually able to resolve in the PEL.',
  complexity: 'O(1) for each message ID processed.',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.string('group'), arg.string('id', { multiple: true })],
  run: runXack,
})
