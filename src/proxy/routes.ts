/**
 * Which way a command takes, read from its declaration: what writes, or may have an effect elsewhere, goes upstream, what
 * reads keys is answered here if the copy is fresh enough, the rest concerns this server. The few that are none of these
 * are named below. README.md tells the rules as a table.
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { FLAG_BLOCKING, FLAG_MAY_REPLICATE, FLAG_READONLY, FLAG_WRITE } from '../commands/define.ts'
import type { Request } from '../resp/request.ts'

/** Here, after all replies from upstream. */
export const LOCAL = 0
export const READ = 1
export const WRITE = 2
/** SCAN and its like: a cursor means something only to the server that made it. */
export const CURSOR = 3
/** Blocks until there is something to write. */
export const BLOCKING = 4
/** XREAD, which may block. */
export const STREAM_READ = 5
/** What a script says of itself decides. */
export const SCRIPT = 6
export const WATCH = 7
export const UNWATCH = 8
export const EXEC = 9
export const DISCARD = 10
export const SELECT = 11
export const PUBLISH = 12
export const RESET = 13
export const WAIT = 14
/** SCRIPT KILL: a script that is held up here, else the upstream's. */
export const KILL = 15
/** Changes the protocol or the user of the connection. */
export const IDENTITY = 16
/** CLIENT UNBLOCK: of a client that blocks upstream, there. */
export const UNBLOCK = 17
/** SSUBSCRIBE: here, though before a cluster the channel's shard has to be asked first. */
export const SSUBSCRIBE = 18

/** Reads that tell of all keys. */
export const OF_ALL_KEYS: ReadonlySet<string> = new Set(['keys', 'dbsize', 'randomkey', 'scan'])

const BY_NAME: Readonly<Record<string, number>> = {
  scan: CURSOR,
  sscan: CURSOR,
  hscan: CURSOR,
  zscan: CURSOR,
  xread: STREAM_READ,
  // It is there to keep keys young where they are evicted.
  touch: WRITE,
  eval: SCRIPT,
  evalsha: SCRIPT,
  eval_ro: SCRIPT,
  evalsha_ro: SCRIPT,
  fcall: SCRIPT,
  fcall_ro: SCRIPT,
  'script|load': WRITE,
  'script|exists': WRITE,
  'script|flush': WRITE,
  'script|kill': KILL,
  'function|kill': KILL,
  'function|list': READ,
  'function|dump': READ,
  watch: WATCH,
  unwatch: UNWATCH,
  exec: EXEC,
  discard: DISCARD,
  select: SELECT,
  publish: PUBLISH,
  spublish: PUBLISH,
  ssubscribe: SSUBSCRIBE,
  reset: RESET,
  wait: WAIT,
  waitaof: WAIT,
  hello: IDENTITY,
  auth: IDENTITY,
  'client|unblock': UNBLOCK,
  pfdebug: LOCAL,
  pfselftest: LOCAL,
}

export function routeOf(command: Command): number {
  const named = BY_NAME[command.fullName]
  if (named !== undefined) return named
  const { flagBits } = command
  if ((flagBits & FLAG_WRITE) !== 0) return (flagBits & FLAG_BLOCKING) !== 0 ? BLOCKING : WRITE
  if ((flagBits & FLAG_READONLY) !== 0) return READ
  return (flagBits & FLAG_MAY_REPLICATE) !== 0 ? WRITE : LOCAL
}

export function mayWrite(flagBits: number): boolean {
  return (flagBits & (FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0
}

/** What such a client sends next will probably go upstream as well: its keys need not be looked up. */
export function wroteLast(client: Client): boolean {
  return ((client.lastCommand?.flagBits ?? 0) & FLAG_WRITE) !== 0
}

/** XREAD and XREADGROUP: BLOCK among the options in front of STREAMS. */
export function blocks(args: Request): boolean {
  for (let i = 1; i < args.argc; i++) {
    if (args.is(i, 'BLOCK')) return true
    if (args.is(i, 'STREAMS')) return false
  }
  return false
}

/** What a transaction that writes cannot hold: it would change a connection that clients share. */
export function changesConnection(command: Command): boolean {
  if (command.channels?.use === 'subscribe' || command.channels?.use === 'unsubscribe') return true
  const { group, name } = command
  if (group === 'connection') return name !== 'ping' && name !== 'echo' && name !== 'select'
  return name === 'monitor' || name === 'replicaof' || name === 'slaveof' || name === 'shutdown'
}
