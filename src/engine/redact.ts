/**
 * Arguments that are secrets, which neither the slow log nor MONITOR may show. Redis's commands mark them while they run
 * (networking.c redactClientCommandArgument); here they are told by the request alone, after the run, and only when
 * somebody is about to look at it.
 */
import { findOption } from '../config/options.ts'
import type { Request } from '../resp/request.ts'

export const REDACTED = Buffer.from('(redacted)', 'latin1')

/** MIGRATE host port key db timeout: options follow. */
const MIGRATE_OPTIONS_FROM = 6

/** Indexes of the arguments to hide; undefined if there are none, which is the rule. */
export function secretArguments(args: Request): Set<number> | undefined {
  if (args.is(0, 'AUTH')) return range(1, Math.min(args.argc, 3))
  if (args.is(0, 'HELLO')) return after(args, 2, 'AUTH', 2)
  if (args.is(0, 'CONFIG')) return args.argc > 2 && args.is(1, 'SET') ? ofConfigSet(args) : undefined
  if (args.is(0, 'ACL')) return args.argc > 2 && args.is(1, 'SETUSER') ? range(2, args.argc) : undefined
  if (args.is(0, 'MIGRATE')) {
    return after(args, MIGRATE_OPTIONS_FROM, 'AUTH', 1) ?? after(args, MIGRATE_OPTIONS_FROM, 'AUTH2', 2)
  }
  return undefined
}

function ofConfigSet(args: Request): Set<number> | undefined {
  const found = new Set<number>()
  for (let i = 2; i + 1 < args.argc; i += 2) {
    if (findOption(args.lower(i))?.option.sensitive === true) found.add(i + 1)
  }
  return found.size === 0 ? undefined : found
}

/** The `count` arguments behind a keyword that is searched from argument `from` on. */
function after(args: Request, from: number, keyword: string, count: number): Set<number> | undefined {
  for (let i = from; i + count < args.argc; i++) if (args.is(i, keyword)) return range(i + 1, i + 1 + count)
  return undefined
}

function range(from: number, to: number): Set<number> {
  const indexes = new Set<number>()
  for (let i = from; i < to; i++) indexes.add(i)
  return indexes
}
