/**
 * Walks through the directives of a configuration text and hands each to who knows what to do with it; what is wrong
 * ends the start, with its line. Follows redis 7.0.15 config.c loadServerConfigFromString.
 */
import { takesSeveral } from './option.ts'
import { findOption, type NamedOption } from './options.ts'
import { type Directive, directives, fatalConfigError, splitArguments } from './redis-conf.ts'

/** A line that is no option: CONFIG does not know it. */
export interface FileDirective {
  readonly name: 'user' | 'rename-command' | 'loadmodule'
  /** Without the name. */
  readonly args: readonly string[]
  readonly line: number
  /** The whole line, for errors about it. */
  readonly text: string
}

/** Texts that are returned are reasons why the line is wrong. */
export interface LoadTarget {
  assign(named: NamedOption, args: readonly string[]): string | undefined
  directive(directive: FileDirective): string | undefined
  readFile(path: string): string
  /** After the last line of each file. Throws a ConfigError. */
  finish(): void
}

const INCLUDE_DEPTH_MAX = 64
/** Accepted and without effect since their options are gone. */
const DEPRECATED = new Set(['list-max-ziplist-entries', 'list-max-ziplist-value', 'lua-replicate-commands'])
const BAD_DIRECTIVE = 'Bad directive or wrong number of arguments'

export function loadText(text: string, target: LoadTarget, depth = 0): void {
  for (const directive of directives(text)) {
    const problem = loadDirective(directive, target, depth)
    if (problem !== undefined) throw fatalConfigError(problem, directive)
  }
  target.finish()
}

function loadDirective(directive: Directive, target: LoadTarget, depth: number): string | undefined {
  const name = directive.args[0]!
  const args = directive.args.slice(1)
  const named = findOption(name)
  if (named !== undefined) return loadOption(named, args, target)
  if (DEPRECATED.has(name) && args.length === 1) return undefined
  if (name === 'include' && args.length === 1) {
    if (depth >= INCLUDE_DEPTH_MAX) return 'Too many files include each other'
    loadText(target.readFile(args[0]!), target, depth + 1)
    return undefined
  }
  if (isFileDirective(name, args.length))
    return target.directive({ name, args, line: directive.line, text: directive.text })
  if (name.includes('.'))
    return args.length === 0
      ? 'Module config specified without value'
      : 'Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting'
  if (name === 'sentinel') return args.length === 0 ? undefined : 'sentinel directive while not in sentinel mode'
  return BAD_DIRECTIVE
}

function loadOption(named: NamedOption, args: readonly string[], target: LoadTarget): string | undefined {
  if (!takesSeveral(named.option)) return args.length === 1 ? target.assign(named, args) : 'wrong number of arguments'
  // One argument may hold all words: --shutdown-on-sigint "nosave now".
  const single = args.length === 1 && args[0] !== ''
  return target.assign(named, single ? (splitArguments(args[0]!) ?? []) : args)
}

function isFileDirective(name: string, count: number): name is FileDirective['name'] {
  if (name === 'rename-command') return count === 2
  return (name === 'user' || name === 'loadmodule') && count >= 1
}
