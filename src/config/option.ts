/**
 * What a row of the options table may say. Each kind of value has a builder, so that a directive is one line of a
 * table: name, default, limits, what it is for, and how it differs from the rest. The builders keep names and kinds as
 * literal types: Config derives from them the type of each value.
 */
import type { OutputBufferLimits, SavePoint } from './units.ts'

export const INT_MAX = 2147483647
export const INT_MIN = -2147483648
export const UINT_MAX = 4294967295
export const LLONG_MAX = 9223372036854775807n
export const ULLONG_MAX = 18446744073709551615n

export type Unit = 'seconds' | 'milliseconds' | 'microseconds'
export type Limit = number | bigint

export interface Traits {
  /** Its name in older versions; CONFIG GET shows both. */
  readonly alias?: string
  readonly unit?: Unit
  /** Only at start. */
  readonly immutable?: true
  /** CONFIG SET needs enable-protected-configs. */
  readonly protected?: true
  /** CONFIG SET answers -LOADING while a dump is loaded. */
  readonly denyLoading?: true
  /** Its value does not appear in logs, SLOWLOG and MONITOR. */
  readonly sensitive?: true
  /** CONFIG GET shows it for its exact name only. */
  readonly hidden?: true
  /** Setting it to the value that it has is a change too: it names a file, and the file may be new. */
  readonly volatile?: true
}

interface Row<N extends string> extends Traits {
  readonly name: N
  readonly summary: string
}

export interface BoolOption<N extends string = string> extends Row<N> {
  readonly kind: 'bool'
  readonly default: boolean
  /** Why `yes` is refused. */
  readonly refuseYes?: string
}

export interface NumberOption<N extends string = string> extends Row<N> {
  /** memory takes units, octal is written in base 8. */
  readonly kind: 'integer' | 'memory' | 'octal'
  readonly default: number
  readonly min: Limit
  readonly max: Limit
  /** `20%` is a value too, kept as -20. */
  readonly percent?: true
  /** What is taken, but moved into these limits. */
  readonly clamp?: { readonly min: number; readonly max: number }
}

export interface EnumOption<N extends string = string, V extends string = string> extends Row<N> {
  readonly kind: 'enum'
  readonly default: V
  readonly values: readonly V[]
  /** Values that mean the same as another: they are shown as that one. */
  readonly synonyms?: Readonly<Record<string, V>>
}

/** Several words at once; the first of `values` stands for none of the others. */
export interface FlagsOption<N extends string = string> extends Row<N> {
  readonly kind: 'flags'
  readonly default: string
  readonly values: readonly string[]
  readonly exclusive: readonly [string, string]
  readonly exclusiveError: string
}

export interface StringOption<N extends string = string> extends Row<N> {
  readonly kind: 'string'
  readonly default: string
  /** The empty string is "not set": CONFIG REWRITE then removes the line. */
  readonly emptyIsNull?: true
  readonly check?: (value: string) => string | undefined
}

/** Kinds with one option each. */
export interface SpecialValues {
  save: readonly SavePoint[]
  'client-output-buffer-limit': OutputBufferLimits
  'notify-keyspace-events': number
  dir: string
  bind: readonly string[]
  /** `host port`, or empty. */
  replicaof: string
  'oom-score-adj-values': readonly number[]
  'latency-tracking-info-percentiles': readonly number[]
}

export type SpecialKind = keyof SpecialValues

export interface SpecialOption<K extends SpecialKind = SpecialKind> extends Row<K> {
  readonly kind: K
  readonly default: SpecialValues[K]
}

export type Option = BoolOption | NumberOption | EnumOption | FlagsOption | StringOption | SpecialOption

export type Kind = Option['kind']

export type OptionValue = boolean | number | string | SpecialValues[SpecialKind]

export type ValueOf<O> = O extends { readonly kind: 'bool' }
  ? boolean
  : O extends { readonly kind: 'integer' | 'memory' | 'octal' }
    ? number
    : O extends { readonly kind: 'enum'; readonly values: readonly (infer V)[] }
      ? V
      : O extends { readonly kind: 'flags' | 'string' }
        ? string
        : O extends { readonly kind: infer K extends SpecialKind }
          ? SpecialValues[K]
          : never

/** Directives whose arguments are several words; CONFIG SET takes them as one text. */
const MULTIPLE: ReadonlySet<Kind> = new Set<Kind>([
  'flags',
  'save',
  'client-output-buffer-limit',
  'bind',
  'replicaof',
  'oom-score-adj-values',
  'latency-tracking-info-percentiles',
])

export function takesSeveral(option: Option): boolean {
  return MULTIPLE.has(option.kind)
}

export const IMMUTABLE = { immutable: true } as const
export const HIDDEN = { hidden: true } as const
export const NULLABLE = { emptyIsNull: true } as const
export const SECRET = { sensitive: true, emptyIsNull: true } as const
export const SECONDS = { unit: 'seconds' } as const
export const MILLISECONDS = { unit: 'milliseconds' } as const
export const MICROSECONDS = { unit: 'microseconds' } as const

export function bool<const N extends string>(
  name: N,
  value: boolean,
  summary: string,
  traits: Traits & Pick<BoolOption, 'refuseYes'> = {},
): BoolOption<N> {
  return { kind: 'bool', name, default: value, summary, ...traits }
}

export function integer<const N extends string>(
  name: N,
  value: number,
  min: Limit,
  max: Limit,
  summary: string,
  traits: Traits & Pick<NumberOption, 'clamp'> = {},
): NumberOption<N> {
  return { kind: 'integer', name, default: value, min, max, summary, ...traits }
}

export function memory<const N extends string>(
  name: N,
  value: number,
  min: Limit,
  max: Limit,
  summary: string,
  traits: Traits & Pick<NumberOption, 'percent'> = {},
): NumberOption<N> {
  return { kind: 'memory', name, default: value, min, max, summary, ...traits }
}

export function octal<const N extends string>(
  name: N,
  value: number,
  min: Limit,
  max: Limit,
  summary: string,
  traits: Traits = {},
): NumberOption<N> {
  return { kind: 'octal', name, default: value, min, max, summary, ...traits }
}

export function choice<const N extends string, const V extends string>(
  name: N,
  value: NoInfer<V>,
  values: readonly V[],
  summary: string,
  traits: Traits & { readonly synonyms?: Readonly<Record<string, NoInfer<V>>> } = {},
): EnumOption<N, V> {
  return { kind: 'enum', name, default: value, values, summary, ...traits }
}

export function text<const N extends string>(
  name: N,
  value: string,
  summary: string,
  traits: Traits & Pick<StringOption, 'emptyIsNull' | 'check'> = {},
): StringOption<N> {
  return { kind: 'string', name, default: value, summary, ...traits }
}

export function special<const K extends SpecialKind>(
  kind: K,
  value: SpecialValues[K],
  summary: string,
  traits: Traits = {},
): SpecialOption<K> {
  return { kind, name: kind, default: value, summary, ...traits }
}

export function flags<const N extends string>(
  name: N,
  values: readonly [string, ...string[]],
  exclusive: readonly [string, string],
  exclusiveError: string,
  summary: string,
): FlagsOption<N> {
  return { kind: 'flags', name, default: values[0], values, exclusive, exclusiveError, summary }
}
