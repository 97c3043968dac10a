/**
 * What a script says of itself in its first line, `#!lua flags=no-writes,allow-stale`, and what that makes of the flags of
 * the command that runs it. redis 7.0.15 eval.c evalExtractShebangFlags, script.c scriptFlagsToCmdFlags
 */
import { FLAG_DENYOOM, FLAG_MAY_REPLICATE, FLAG_STALE, FLAG_WRITE } from '../../commands/define.ts'
import { splitLine } from '../../resp/inline.ts'

export const SCRIPT_NO_WRITES = 1 << 0
export const SCRIPT_ALLOW_OOM = 1 << 1
export const SCRIPT_ALLOW_STALE = 1 << 2
export const SCRIPT_NO_CLUSTER = 1 << 3
/** A script without such a line: what it calls decides. */
export const SCRIPT_EVAL_COMPAT_MODE = 1 << 4
export const SCRIPT_ALLOW_CROSS_SLOT = 1 << 5

/** In the order in which FUNCTION LIST tells them. */
export const SCRIPT_FLAGS: ReadonlyMap<string, number> = new Map([
  ['no-writes', SCRIPT_NO_WRITES],
  ['allow-oom', SCRIPT_ALLOW_OOM],
  ['allow-stale', SCRIPT_ALLOW_STALE],
  ['no-cluster', SCRIPT_NO_CLUSTER],
  ['allow-cross-slot-keys', SCRIPT_ALLOW_CROSS_SLOT],
])

export interface Shebang {
  flags: number
  /** Bytes before the code; the line's end stays, so that lines count as the user counts them. */
  length: number
}

/** The flags of a script, or an error text without its code. */
export function readShebang(body: Buffer): Shebang | string {
  if (body[0] !== 0x23 || body[1] !== 0x21) return { flags: SCRIPT_EVAL_COMPAT_MODE, length: 0 }
  const length = body.indexOf(0x0a)
  if (length < 0) return 'Invalid script shebang'
  const parts = splitLine(body.subarray(0, length))?.map((part) => part.toString('latin1'))
  if (parts === undefined || parts.length === 0) return 'Invalid engine in script shebang'
  if (parts[0] !== '#!lua') return `Unexpected engine in script shebang: ${parts[0]}`
  let flags = 0
  for (const part of parts.slice(1)) {
    if (!part.startsWith('flags=')) return `Unknown lua shebang option: ${part}`
    const names = part.slice('flags='.length)
    for (const name of names === '' ? [] : names.split(',')) {
      const flag = SCRIPT_FLAGS.get(name)
      if (flag === undefined) return `Unexpected flag in script shebang: ${name}`
      flags |= flag
    }
  }
  return { flags, length }
}

/** The flags of EVAL or FCALL of a script with these flags. */
export function commandFlags(command: number, script: number): number {
  if ((script & SCRIPT_EVAL_COMPAT_MODE) !== 0) return command
  let flags = command & ~(FLAG_STALE | FLAG_DENYOOM | FLAG_WRITE | FLAG_MAY_REPLICATE)
  if ((script & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)) === 0) flags |= FLAG_DENYOOM
  if ((script & SCRIPT_NO_WRITES) === 0) flags |= FLAG_WRITE
  if ((script & SCRIPT_ALLOW_STALE) !== 0) flags |= FLAG_STALE
  return flags
}
