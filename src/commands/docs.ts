/**
 * The replies of COMMAND INFO and COMMAND DOCS, written from the declarations: the same fields in the same order, with the
 * same types in RESP2 and RESP3, as redis 7.0.15 server.c addReplyCommandInfo and addReplyCommandDocs.
 */
import type { ReplyWriter } from '../resp/reply-writer.ts'
import { categoryNames } from './categories.ts'
import type { Command } from './command.ts'
import { type Argument, FLAG_BITS, FLAG_MOVABLE_KEYS, KEY_FLAG_BITS } from './define.ts'
import type { CompiledKeySpec } from './keys.ts'

/** In the order in which Redis lists them; the flags that it hides are missing here too. */
const SHOWN_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [FLAG_BITS.write, 'write'],
  [FLAG_BITS.readonly, 'readonly'],
  [FLAG_BITS.denyoom, 'denyoom'],
  [FLAG_BITS.admin, 'admin'],
  [FLAG_BITS.pubsub, 'pubsub'],
  [FLAG_BITS.noscript, 'noscript'],
  [FLAG_BITS.blocking, 'blocking'],
  [FLAG_BITS.loading, 'loading'],
  [FLAG_BITS.stale, 'stale'],
  [FLAG_BITS.skip_monitor, 'skip_monitor'],
  [FLAG_BITS.skip_slowlog, 'skip_slowlog'],
  [FLAG_BITS.asking, 'asking'],
  [FLAG_BITS.fast, 'fast'],
  [FLAG_BITS.no_auth, 'no_auth'],
  [FLAG_BITS.no_mandatory_keys, 'no_mandatory_keys'],
  [FLAG_BITS.no_async_loading, 'no_async_loading'],
  [FLAG_BITS.no_multi, 'no_multi'],
  [FLAG_MOVABLE_KEYS, 'movablekeys'],
  [FLAG_BITS.allow_busy, 'allow_busy'],
]

const SHOWN_KEY_FLAGS: readonly (readonly [bit: number, name: string])[] = Object.entries(KEY_FLAG_BITS).map(
  ([name, bit]) => [bit, name.length === 2 ? name : name.toLowerCase()],
)

const SHOWN_DOC_FLAGS = ['deprecated', 'syscmd'] as const

export function replyCommandInfo(reply: ReplyWriter, command: Command | undefined): void {
  if (command === undefined) {
    reply.nullBulk()
    return
  }
  reply.array(10)
  reply.bulkString(command.fullName)
  reply.integer(command.arity)
  replyFlags(reply, SHOWN_FLAGS, command.flagBits)
  reply.integer(command.firstKey)
  reply.integer(command.lastKey)
  reply.integer(command.keyStep)
  replyNames(
    reply,
    categoryNames(command.categories).map((name) => `@${name}`),
  )
  replyHints(reply, command.declaration.hints ?? [])
  reply.set(command.keySpecs.length)
  for (const spec of command.keySpecs) replyKeySpec(reply, spec)
  if (command.subcommands === undefined) {
    reply.set(0)
    return
  }
  reply.array(command.subcommands.size)
  for (const sub of command.subcommands.values()) replyCommandInfo(reply, sub)
}

/** The flags of a key, as COMMAND GETKEYSANDFLAGS tells them. */
export function replyKeyFlags(reply: ReplyWriter, bits: number): void {
  replyFlags(reply, SHOWN_KEY_FLAGS, bits)
}

function replyFlags(reply: ReplyWriter, shown: readonly (readonly [bit: number, name: string])[], bits: number): void {
  replyNames(
    reply,
    shown.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name),
  )
}

function replyNames(reply: ReplyWriter, names: readonly string[]): void {
  reply.set(names.length)
  for (const name of names) reply.simple(name)
}

function replyHints(reply: ReplyWriter, hints: readonly string[]): void {
  reply.set(hints.length)
  for (const hint of hints) reply.bulkUtf8(hint)
}

function replyKeySpec(reply: ReplyWriter, spec: CompiledKeySpec): void {
  const { notes, begin, find } = spec.declaration
  reply.map(notes === undefined ? 3 : 4)
  if (notes !== undefined) replyText(reply, 'notes', notes)
  reply.bulkString('flags')
  replyKeyFlags(reply, spec.flagBits)
  reply.bulkString('begin_search')
  if (begin === 'unknown') replyTyped(reply, 'unknown', {})
  else if ('index' in begin) replyTyped(reply, 'index', { index: begin.index })
  else replyTyped(reply, 'keyword', { keyword: begin.keyword, startfrom: begin.startFrom })
  reply.bulkString('find_keys')
  if (find === 'unknown') {
    replyTyped(reply, 'unknown', {})
  } else if ('range' in find) {
    const { last, step, limit } = find.range
    replyTyped(reply, 'range', { lastkey: last, keystep: step, limit })
  } else {
    const { countIndex, first, step } = find.numkeys
    replyTyped(reply, 'keynum', { keynumidx: countIndex, firstkey: first, keystep: step })
  }
}

function replyTyped(reply: ReplyWriter, type: string, spec: Record<string, string | number>): void {
  reply.map(2)
  replyText(reply, 'type', type)
  reply.bulkString('spec')
  const fields = Object.entries(spec)
  reply.map(fields.length)
  for (const [name, value] of fields) {
    if (typeof value === 'string') {
      replyText(reply, name, value)
    } else {
      reply.bulkString(name)
      reply.integer(value)
    }
  }
}

function replyText(reply: ReplyWriter, name: string, text: string): void {
  reply.bulkString(name)
  reply.bulkUtf8(text)
}

export function replyCommandDocs(reply: ReplyWriter, command: Command): void {
  const { summary, since, complexity, docFlags, deprecatedSince, replacedBy, history, args } = command.declaration
  const texts: [name: string, text: string | undefined][] = [
    ['summary', summary],
    ['since', since],
    ['group', command.group],
    ['complexity', complexity],
  ]
  const more: [name: string, text: string | undefined][] = [
    ['deprecated_since', deprecatedSince],
    ['replaced_by', replacedBy],
  ]
  const others = [docFlags, history, args, command.subcommands]
  reply.map(
    [...texts, ...more].filter(([, text]) => text !== undefined).length +
      others.filter((field) => field !== undefined).length,
  )
  for (const [name, text] of texts) if (text !== undefined) replyText(reply, name, text)
  if (docFlags !== undefined) {
    reply.bulkString('doc_flags')
    replyNames(
      reply,
      SHOWN_DOC_FLAGS.filter((name) => docFlags.includes(name)),
    )
  }
  for (const [name, text] of more) if (text !== undefined) replyText(reply, name, text)
  if (history !== undefined) replyHistory(reply, history)
  if (args !== undefined) {
    reply.bulkString('arguments')
    replyArguments(reply, args)
  }
  if (command.subcommands !== undefined) {
    reply.bulkString('subcommands')
    reply.map(command.subcommands.size)
    for (const sub of command.subcommands.values()) {
      reply.bulkString(sub.fullName)
      replyCommandDocs(reply, sub)
    }
  }
}

function replyHistory(reply: ReplyWriter, history: readonly (readonly [version: string, change: string])[]): void {
  reply.bulkString('history')
  reply.set(history.length)
  for (const [version, change] of history) {
    reply.array(2)
    reply.bulkString(version)
    reply.bulkUtf8(change)
  }
}

/** redis 7.0.15 server.c addReplyCommandArgList */
function replyArguments(reply: ReplyWriter, args: readonly Argument[]): void {
  reply.array(args.length)
  for (const argument of args) {
    const flags = flagNames(argument)
    const texts: [name: string, text: string | undefined][] = [
      ['token', argument.token],
      ['summary', argument.summary],
      ['since', argument.since],
      ['deprecated_since', argument.deprecatedSince],
    ]
    const { keySpec, arguments: inner } = argument
    reply.map(
      2 +
        (keySpec === undefined ? 0 : 1) +
        texts.filter(([, text]) => text !== undefined).length +
        (flags.length > 0 ? 1 : 0) +
        (inner === undefined ? 0 : 1),
    )
    replyText(reply, 'name', argument.name)
    replyText(reply, 'type', argument.type)
    if (keySpec !== undefined) {
      reply.bulkString('key_spec_index')
      reply.integer(keySpec)
    }
    for (const [name, text] of texts) if (text !== undefined) replyText(reply, name, text)
    if (flags.length > 0) {
      reply.bulkString('flags')
      replyNames(reply, flags)
    }
    if (inner !== undefined) {
      reply.bulkString('arguments')
      replyArguments(reply, inner)
    }
  }
}

function flagNames(argument: Argument): string[] {
  const names: string[] = []
  if (argument.optional) names.push('optional')
  if (argument.multiple) names.push('multiple')
  if (argument.multipleToken) names.push('multiple_token')
  return names
}
