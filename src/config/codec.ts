/**
 * How each kind of option reads its arguments, prints its value for CONFIG GET, and writes its lines into redis.conf.
 * One object a kind; behaviour and error texts are those of redis 7.0.15 config.c (boolConfigSet, numericConfigGet …).
 */
import { accessSync, constants, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type {
  BoolOption,
  EnumOption,
  FlagsOption,
  Kind,
  NumberOption,
  Option,
  OptionValue,
  SpecialOption,
  SpecialValues,
  StringOption,
} from './option.ts'
import { quote } from './redis-conf.ts'
import { strerror } from './strerror.ts'
import {
  CLIENT_CLASSES,
  formatInteger,
  formatKeyspaceEvents,
  formatMemory,
  formatOutputBufferLimits,
  formatPercentiles,
  formatSavePoints,
  type Parsed,
  parseKeyspaceEvents,
  parseLongLong,
  parseMemory,
  parseOutputBufferLimits,
  parsePercentiles,
  parseSavePoints,
  parseStrictInteger,
  refuse,
  toNumber,
} from './units.ts'

const BIND_ADDRESSES_MAX = 16
const OOM_SCORES = 3
const WRONG_NUMBER = 'wrong number of arguments'

export interface Scope<V> {
  readonly current: V
  /** Relative directories begin here. */
  readonly dir: string
  /** Add to the current value: what a second `save` line does. */
  readonly append: boolean
}

export interface RewriteLine {
  readonly text: string
  /** Write it even if the old file has no line to put it into: it is not the default. */
  readonly force: boolean
}

export interface Codec<O extends Option, V extends OptionValue> {
  parse(option: O, args: readonly string[], scope: Scope<V>): Parsed<V>
  format(option: O, value: V): string
  /** None: the option is not in the file, and lines about it go. */
  lines(option: O, value: V): RewriteLine[]
}

const boolCodec: Codec<BoolOption, boolean> = {
  parse(option, args) {
    const text = args[0]!.toLowerCase()
    if (text !== 'yes' && text !== 'no') return refuse("argument must be 'yes' or 'no'")
    if (text === 'yes' && option.refuseYes !== undefined) return refuse(option.refuseYes)
    return { value: text === 'yes' }
  },
  format: (_option, value) => (value ? 'yes' : 'no'),
  lines: (option, value) => [{ text: `${option.name} ${value ? 'yes' : 'no'}`, force: value !== option.default }],
}

const numberCodec: Codec<NumberOption, number> = {
  parse(option, args) {
    const parsed = parseNumber(option, args[0]!)
    if ('error' in parsed) return parsed
    const problem = checkLimits(option, parsed.value)
    if (problem !== undefined) return refuse(problem)
    const value = toNumber(parsed.value)
    const clamp = option.clamp
    return { value: clamp === undefined ? value : Math.min(Math.max(value, clamp.min), clamp.max) }
  },
  format(option, value) {
    if (option.percent === true && value < 0) return `${-value}%`
    return option.kind === 'octal' ? value.toString(8) : formatInteger(value)
  },
  lines(option, value) {
    const plain = option.kind !== 'memory' || value < 0
    const shown = plain ? numberCodec.format(option, value) : formatMemory(value)
    return [{ text: `${option.name} ${shown}`, force: value !== option.default }]
  },
}

// redis 7.0.15 config.c numericParseString
function parseNumber(option: NumberOption, text: string): Parsed<bigint> {
  if (option.kind === 'integer') {
    const value = parseStrictInteger(text)
    return value === undefined ? refuse("argument couldn't be parsed into an integer") : { value }
  }
  if (option.kind === 'octal') {
    const value = parseLongLong(text, 8)
    return value === undefined ? refuse("argument couldn't be parsed as an octal number") : { value }
  }
  const bytes = parseMemory(text)
  if (option.percent !== true) return bytes === undefined ? refuse('argument must be a memory value') : { value: bytes }
  if (bytes !== undefined) return { value: BigInt.asIntN(64, bytes) }
  const percent = text.endsWith('%') ? parseStrictInteger(text.slice(0, -1)) : undefined
  if (percent === undefined || percent < 0n) return refuse('argument must be a memory or percent value')
  return { value: -percent }
}

// redis 7.0.15 config.c numericBoundaryCheck
function checkLimits(option: NumberOption, value: bigint): string | undefined {
  const { min, max } = option
  if (value >= min && value <= max) return undefined
  if (option.percent === true && value < 0n) return `percentage argument must be less or equal to ${-min}`
  const radix = option.kind === 'octal' ? 8 : 10
  return `argument must be between ${min.toString(radix)} and ${max.toString(radix)} inclusive`
}

function refuseWord(values: readonly string[]): Parsed<never> {
  return refuse(`argument(s) must be one of the following: ${values.join(', ')}`)
}

const enumeration: Codec<EnumOption, string> = {
  parse(option, args) {
    const word = args[0]!.toLowerCase()
    if (!option.values.includes(word)) return refuseWord(option.values)
    return { value: option.synonyms?.[word] ?? word }
  },
  format: (_option, value) => value,
  lines: (option, value) => [{ text: `${option.name} ${value}`, force: value !== option.default }],
}

/** The words in the order of the table, which is how they are shown. */
const flagWords: Codec<FlagsOption, string> = {
  parse(option, args) {
    const words = new Set(args.map((arg) => arg.toLowerCase()))
    if (words.size === 0 || [...words].some((word) => !option.values.includes(word))) return refuseWord(option.values)
    if (option.exclusive.every((word) => words.has(word))) return refuse(option.exclusiveError)
    const given = option.values.slice(1).filter((word) => words.has(word))
    return { value: given.length === 0 ? option.default : given.join(' ') }
  },
  format: (_option, value) => value,
  lines: (option, value) => [{ text: `${option.name} ${value}`, force: value !== option.default }],
}

const stringCodec: Codec<StringOption, string> = {
  parse(option, args) {
    const value = args[0]!
    const problem = option.check?.(value)
    return problem === undefined ? { value } : refuse(problem)
  },
  format: (_option, value) => value,
  lines(option, value) {
    if (option.emptyIsNull === true && value === '') return []
    return [{ text: `${option.name} ${quote(value)}`, force: value !== option.default }]
  },
}

type SpecialCodec<K extends keyof SpecialValues> = Codec<SpecialOption<K>, SpecialValues[K]>

/** An empty text as the only argument is no argument. */
function unlessEmpty(args: readonly string[]): readonly string[] {
  return args.length === 1 && args[0] === '' ? [] : args
}

const save: SpecialCodec<'save'> = {
  parse(_option, args, scope) {
    const given = unlessEmpty(args)
    const points = parseSavePoints(given)
    if (points === undefined) return refuse('Invalid save parameters')
    const append = scope.append && given === args
    return { value: append ? [...scope.current, ...points] : points }
  },
  format: (_option, value) => formatSavePoints(value),
  lines(option, value) {
    if (value.length === 0) return [{ text: `${option.name} ""`, force: true }]
    return value.map((point) => ({ text: `${option.name} ${formatSavePoints([point])}`, force: true }))
  },
}

const outputBufferLimits: SpecialCodec<'client-output-buffer-limit'> = {
  parse: (_option, args, scope) => parseOutputBufferLimits(args, scope.current),
  format: (_option, value) => formatOutputBufferLimits(value),
  lines: (option, value) =>
    CLIENT_CLASSES.map((name) => {
      const { hardBytes, softBytes, softSeconds } = value[name]
      const usual = option.default[name]
      const same = hardBytes === usual.hardBytes && softBytes === usual.softBytes && softSeconds === usual.softSeconds
      const text = `${option.name} ${name} ${formatMemory(hardBytes)} ${formatMemory(softBytes)} ${softSeconds}`
      return { text, force: !same }
    }),
}

const keyspaceEvents: SpecialCodec<'notify-keyspace-events'> = {
  parse(_option, args) {
    const value = parseKeyspaceEvents(args[0]!)
    if (value === undefined) return refuse("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    return { value }
  },
  format: (_option, value) => formatKeyspaceEvents(value),
  lines: (option, value) => [
    { text: `${option.name} ${quote(formatKeyspaceEvents(value))}`, force: value !== option.default },
  ],
}

/** As after chdir(): the real path of a directory that can be entered. The process itself stays where it is. */
const directory: SpecialCodec<'dir'> = {
  parse(_option, args, scope) {
    if (args[0] === '') return refuse('No such file or directory')
    try {
      const value = realpathSync(resolve(scope.dir, args[0]!))
      accessSync(`${value}/.`, constants.X_OK)
      return { value }
    } catch (error) {
      return refuse(strerror(error))
    }
  },
  format: (_option, value) => value,
  lines: (option, value) => [{ text: `${option.name} ${quote(value)}`, force: true }],
}

const bind: SpecialCodec<'bind'> = {
  parse(_option, args) {
    if (args.length > BIND_ADDRESSES_MAX) return refuse('Too many bind addresses specified.')
    return { value: unlessEmpty(args) }
  },
  format: (_option, value) => value.join(' '),
  lines(option, value) {
    const addresses = value.join(' ')
    if (addresses === option.default.join(' ')) return []
    return [{ text: `${option.name} ${value.length === 0 ? '""' : addresses}`, force: true }]
  },
}

const replicaOf: SpecialCodec<'replicaof'> = {
  parse(_option, args) {
    if (args.length !== 2) return refuse(WRONG_NUMBER)
    const [host, portText] = args as [string, string]
    if (host.toLowerCase() === 'no' && portText.toLowerCase() === 'one') return { value: '' }
    const port = parseLongLong(portText)
    if (port === undefined || port < 0n || port > 65535n) return refuse('Invalid master port')
    return { value: `${host} ${port}` }
  },
  format: (_option, value) => value,
  lines: (option, value) => (value === '' ? [] : [{ text: `${option.name} ${value}`, force: true }]),
}

const oomScores: SpecialCodec<'oom-score-adj-values'> = {
  parse(_option, args) {
    if (args.length !== OOM_SCORES) return refuse(WRONG_NUMBER)
    const scores: number[] = []
    for (const arg of args) {
      const score = parseLongLong(arg)
      if (score === undefined || score < -2000n || score > 2000n)
        return refuse('Invalid oom-score-adj-values, elements must be between -2000 and 2000.')
      scores.push(Number(score))
    }
    return { value: scores }
  },
  format: (_option, value) => value.join(' '),
  lines(option, value) {
    const text = value.join(' ')
    return [{ text: `${option.name} ${text}`, force: text !== option.default.join(' ') }]
  },
}

const percentiles: SpecialCodec<'latency-tracking-info-percentiles'> = {
  parse: (_option, args) => parsePercentiles(unlessEmpty(args)),
  format: (_option, value) => formatPercentiles(value),
  lines: (option, value) => [
    { text: `${option.name} ${value.length === 0 ? '""' : formatPercentiles(value)}`, force: true },
  ],
}

/** A codec is only ever given options and values of its own kind: both come from the same row. */
const CODECS: Readonly<Record<Kind, Codec<Option, OptionValue>>> = {
  bool: boolCodec,
  integer: numberCodec,
  memory: numberCodec,
  octal: numberCodec,
  enum: enumeration,
  flags: flagWords,
  string: stringCodec,
  save,
  'client-output-buffer-limit': outputBufferLimits,
  'notify-keyspace-events': keyspaceEvents,
  dir: directory,
  bind,
  replicaof: replicaOf,
  'oom-score-adj-values': oomScores,
  'latency-tracking-info-percentiles': percentiles,
}

export function parseValue(option: Option, args: readonly string[], scope: Scope<OptionValue>): Parsed<OptionValue> {
  return CODECS[option.kind].parse(option, args, scope)
}

export function formatValue(option: Option, value: OptionValue): string {
  return CODECS[option.kind].format(option, value)
}

export function rewriteLines(option: Option, value: OptionValue): RewriteLine[] {
  return CODECS[option.kind].lines(option, value)
}
