/**
 * The syntax of redis.conf: lines split into arguments with quotes and escapes, comments, `include` with wildcards, and
 * the error that names a line. The meaning of a directive is config.ts's, writing a file back is rewrite.ts's.
 *
 * Text is UTF-8; an escape `\xHH` is a byte of it. Bytes that are not UTF-8 do not survive, which Redis would keep.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { globMatch } from '../bytes/glob.ts'
import { strerror } from './strerror.ts'

export const REDIS_VERSION = '7.0.15'

export interface Directive {
  /** Counted from 1. */
  readonly line: number
  /** The line without the blanks around it. */
  readonly text: string
  /** Its arguments; the first is the directive's name, in lower case. */
  readonly args: readonly string[]
}

/** What ends the program at its start. The message is what Redis prints; the caller adds empty lines around it. */
export class ConfigError extends Error {
  /** 0 when it is not about a line. */
  readonly line: number
  readonly reason: string

  constructor(reason: string, message: string, line = 0) {
    super(message)
    this.name = 'ConfigError'
    this.line = line
    this.reason = reason
  }
}

/** redis 7.0.15 config.c loadServerConfigFromString, its label loaderr. */
export function fatalConfigError(reason: string, at?: { readonly line: number; readonly text: string }): ConfigError {
  const head = `*** FATAL CONFIG FILE ERROR (Redis ${REDIS_VERSION}) ***\n`
  const where = at === undefined ? '' : `Reading the configuration file, at line ${at.line}\n>>> '${at.text}'\n`
  return new ConfigError(reason, `${head}${where}${reason}`, at?.line ?? 0)
}

/**
 * The directives of a text, in order. Throws at a line that cannot be split, but only when the caller gets there: an
 * earlier directive that is wrong is reported first.
 */
export function* directives(text: string): Generator<Directive> {
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const trimmed = trimLine(lines[i]!)
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const args = splitArguments(trimmed)
    if (args === undefined)
      throw fatalConfigError('Unbalanced quotes in configuration line', { line: i + 1, text: trimmed })
    if (args.length === 0) continue
    args[0] = args[0]!.toLowerCase()
    yield { line: i + 1, text: trimmed, args }
  }
}

export function trimLine(line: string): string {
  return line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')
}

const BLANK = ' \t\n\v\f\r\0'
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }

/** redis 7.0.15 sds.c sdssplitargs; undefined when a quote is not closed, or closed before anything but a blank. */
export function splitArguments(line: string): string[] | undefined {
  // One character a byte, so that escapes can spell bytes of a longer UTF-8 sequence.
  const bytes = Buffer.from(line, 'utf8').toString('latin1')
  const args: string[] = []
  let pos = 0
  for (;;) {
    while (pos < bytes.length && BLANK.includes(bytes[pos]!)) pos++
    if (pos >= bytes.length) return args
    const token = readToken(bytes, pos)
    if (token === undefined) return undefined
    args.push(Buffer.from(token.text, 'latin1').toString('utf8'))
    pos = token.end
  }
}

interface Token {
  text: string
  end: number
}

function readToken(bytes: string, start: number): Token | undefined {
  let text = ''
  let pos = start
  for (; pos < bytes.length; pos++) {
    const char = bytes[pos]!
    if (' \n\r\t\0'.includes(char)) break
    if (char !== '"' && char !== "'") {
      text += char
      continue
    }
    // A quoted part ends the argument, whatever stood before it.
    const quoted = char === '"' ? readDoubleQuoted(bytes, pos + 1) : readSingleQuoted(bytes, pos + 1)
    if (quoted === undefined) return undefined
    if (quoted.end < bytes.length && !BLANK.includes(bytes[quoted.end]!)) return undefined
    return { text: text + quoted.text, end: quoted.end }
  }
  return { text, end: pos }
}

function readDoubleQuoted(bytes: string, start: number): Token | undefined {
  let text = ''
  for (let pos = start; pos < bytes.length; pos++) {
    const char = bytes[pos]!
    if (char === '"') return { text, end: pos + 1 }
    if (char !== '\\' || pos + 1 >= bytes.length) {
      text += char
      continue
    }
    const hex = /^x([0-9a-fA-F]{2})/.exec(bytes.slice(pos + 1, pos + 4))
    if (hex !== null) {
      text += String.fromCharCode(Number.parseInt(hex[1]!, 16))
      pos += 3
    } else {
      const escaped = bytes[++pos]!
      text += ESCAPES[escaped] ?? escaped
    }
  }
  return undefined
}

function readSingleQuoted(bytes: string, start: number): Token | undefined {
  let text = ''
  for (let pos = start; pos < bytes.length; pos++) {
    const char = bytes[pos]!
    if (char === "'") return { text, end: pos + 1 }
    if (char === '\\' && bytes[pos + 1] === "'") pos++
    text += bytes[pos]!
  }
  return undefined
}

const ESCAPED = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
])

/** redis 7.0.15 sds.c sdscatrepr: the text in double quotes, so that splitArguments() gives it back. */
export function quote(text: string): string {
  let quoted = '"'
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte)
    const printable = byte >= 0x20 && byte < 0x7f
    quoted += ESCAPED.get(char) ?? (printable ? char : `\\x${byte.toString(16).padStart(2, '0')}`)
  }
  return `${quoted}"`
}

/**
 * The text of a configuration file, or of all files that a path with wildcards means; none is fine then, so that an
 * empty conf.d can be included (redis 7.0.15 config.c loadServerConfig).
 */
export function readConfigFiles(path: string, directory: string): string {
  if (!/[*?[]/.test(path)) return readConfigFile(resolve(directory, path), path)
  let text = ''
  for (const found of expandPath(resolve(directory, path))) {
    const part = readConfigFile(found, found)
    text += part.endsWith('\n') ? part : `${part}\n`
  }
  return text
}

function readConfigFile(path: string, shown: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = strerror(error)
    throw new ConfigError(reason, `Fatal error, can't open config file '${shown}': ${reason}`)
  }
}

/** glob(3) of an absolute path: sorted, a leading dot is matched by a dot only. */
function expandPath(pattern: string): string[] {
  let found = ['/']
  for (const part of pattern.split('/')) {
    if (part === '') continue
    if (!/[*?[]/.test(part)) {
      found = found.map((path) => join(path, part))
      continue
    }
    const matcher = Buffer.from(part.replaceAll('[!', '[^'), 'utf8')
    found = found.flatMap((path) =>
      listDirectory(path)
        .filter((name) => part.startsWith('.') || !name.startsWith('.'))
        .filter((name) => matches(matcher, name))
        .sort()
        .map((name) => join(path, name)),
    )
  }
  return found.filter((path) => existsSync(path))
}

function matches(pattern: Uint8Array, name: string): boolean {
  const bytes = Buffer.from(name, 'utf8')
  return globMatch(pattern, bytes, 0, bytes.length)
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
