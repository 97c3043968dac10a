/**
 * The command line and the environment as text in the syntax of redis.conf, which is how redis 7.0.15 server.c main()
 * does it: an option is a line after those of the file, so it has the last word, and an error names its line all the
 * same.
 */
import { OPTIONS } from './options.ts'
import { quote, splitArguments } from './redis-conf.ts'

export interface CommandLine {
  /** The first argument, when it is no option. */
  readonly file: string | undefined
  readonly readStdin: boolean
  readonly text: string
}

/** `args` without the program: `[file] [--option value…]… [-]`. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const file = args.length > 0 && !args[0]!.startsWith('-') ? args[0] : undefined
  const last = args.length - 1
  let readStdin = false
  let text = ''
  // False right after an option's name: what follows is its value, even if that begins with --.
  let atOption = true
  for (let i = file === undefined ? 0 : 1; i < args.length; i++) {
    const arg = args[i]!
    if (arg === '-' && (i === 0 || i === last)) {
      readStdin = true
    } else if (atOption && arg.startsWith('--')) {
      text += `${text === '' ? '' : '\n'}${arg.slice(2)} `
      atOption = splitArguments(arg)?.length !== 1
      if (atOption) continue
      const valueFollows = i !== last && !args[i + 1]!.startsWith('--')
      // An array of save points that is empty leaves `--save --other value`; `--sentinel` never has a value.
      const pseudo = arg.toLowerCase()
      if (valueFollows || (pseudo !== '--save' && pseudo !== '--sentinel')) continue
      if (pseudo === '--save') text += '""'
      if (i !== last) atOption = true
    } else {
      text += `${quote(arg)} `
      atOption = true
    }
  }
  return { file, readStdin, text }
}

const PREFIX = 'TANDEM_'

/** TANDEM_REPL_TIMEOUT → repl-timeout. */
const VARIABLES = new Map(
  OPTIONS.map((option): [string, string] => [
    `${PREFIX}${option.name.toUpperCase().replaceAll('-', '_')}`,
    option.name,
  ]),
)

export type Environment = Readonly<Record<string, string | undefined>>

/** A line for each variable that names an option; empty when none does. */
export function environmentText(env: Environment): string {
  let text = ''
  for (const [variable, name] of VARIABLES) {
    const value = env[variable]
    if (value !== undefined) text += `${text === '' ? '' : '\n'}${name} ${quote(value)}`
  }
  return text
}

/** Variables with the prefix that name no option: perhaps a slip, so worth a warning. */
export function unknownVariables(env: Environment): string[] {
  return Object.keys(env).filter((name) => name.startsWith(PREFIX) && !VARIABLES.has(name))
}
