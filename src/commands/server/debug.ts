/**
 * DEBUG: for the tests of this server, of Redis (its Tcl suite drives the server with it) and of clients. A command without
 * declared subcommands, like there; enable-debug-command decides who may use it. redis 7.0.15 debug.c debugCommand
 */
import { globMatch } from '../../bytes/glob.ts'
import { rewriteConfigFile } from '../../config/rewrite.ts'
import { strerror } from '../../config/strerror.ts'
import { parseMemory } from '../../config/units.ts'
import { ENCODING_AUTO, NO_EXPIRE, TYPE_STRING } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { command } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'
import { answerLater } from './answer-later.ts'
import { DEBUG_HELP } from './debug-help.ts'
import { runProtocol } from './debug-protocol.ts'
import { runHtstats, runHtstatsKey, runListpack, runObject, runQuicklist, runSdslen } from './debug-value.ts'
import { datasetDigest, valueDigest } from './digest.ts'

interface Subcommand {
  /** Counts of all arguments that it takes. */
  readonly min: number
  readonly max: number
  readonly run: (call: Call) => void
}

const ANY = Number.POSITIVE_INFINITY

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  help: { min: 2, max: 2, run: (call) => replyHelp(call, DEBUG_HELP) },
  segfault: { min: 2, max: ANY, run: (call) => crash(call, 'crashed by signal: 11', 'SIGSEGV') },
  panic: { min: 2, max: ANY, run: runPanic },
  assert: { min: 2, max: ANY, run: (call) => crash(call, 'ASSERTION FAILED: DEBUG ASSERT', 'SIGABRT') },
  oom: { min: 2, max: ANY, run: (call) => crash(call, 'Out Of Memory: DEBUG OOM', 'SIGABRT') },
  restart: { min: 2, max: ANY, run: refuseRestart },
  'crash-and-recover': { min: 2, max: ANY, run: refuseRestart },
  log: { min: 3, max: 3, run: runLog },
  leak: { min: 3, max: 3, run: runLeak },
  reload: { min: 2, max: ANY, run: runReload },
  loadaof: { min: 2, max: ANY, run: runLoadaof },
  object: { min: 3, max: 3, run: runObject },
  sdslen: { min: 3, max: 3, run: runSdslen },
  listpack: { min: 3, max: 3, run: runListpack },
  quicklist: { min: 3, max: 4, run: runQuicklist },
  populate: { min: 3, max: 5, run: runPopulate },
  digest: { min: 2, max: 2, run: (call) => call.reply.simple(datasetDigest(call.store)) },
  'digest-value': { min: 2, max: ANY, run: runDigestValue },
  protocol: { min: 3, max: 3, run: runProtocol },
  sleep: { min: 3, max: 3, run: runSleep },
  'set-active-expire': { min: 3, max: 3, run: (call) => set(call, (on) => (call.host.activeExpire = on)) },
  'quicklist-packed-threshold': { min: 3, max: 3, run: runPackedThreshold },
  'set-skip-checksum-validation': {
    min: 3,
    max: 3,
    run: (call) => set(call, (on) => (call.host.debug.skipChecksums = on)),
  },
  'set-disable-deny-scripts': {
    min: 3,
    max: 3,
    run: (call) => set(call, (on) => (call.host.debug.allowNoscript = on)),
  },
  'pause-cron': { min: 3, max: 3, run: (call) => set(call, (on) => (call.host.debug.pauseCron = on)) },
  'aof-flush-sleep': { min: 3, max: 3, run: runAofFlushSleep },
  replicate: { min: 3, max: ANY, run: runReplicate },
  error: { min: 3, max: 3, run: (call) => call.reply.error(call.args.latin1(2)) },
  structsize: { min: 2, max: 2, run: runStructsize },
  htstats: { min: 3, max: 3, run: runHtstats },
  'htstats-key': { min: 3, max: 3, run: runHtstatsKey },
  'change-repl-id': { min: 2, max: 2, run: runChangeReplId },
  'stringmatch-test': { min: 2, max: 2, run: runStringmatchTest },
  'config-rewrite-force-all': { min: 2, max: 2, run: runRewriteAll },
  replybuffer: { min: 4, max: 4, run: runReplybuffer },
}

function runDebug(call: Call): void {
  const { args, reply } = call
  const name = args.lower(1)
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name]! : undefined
  if (subcommand === undefined || args.argc < subcommand.min || args.argc > subcommand.max) {
    reply.error(errors.unknownSubcommand(args.latin1(1).slice(0, 128), 'DEBUG'))
    return
  }
  subcommand.run(call)
}

/** The value of C's atoi(): leading digits, 0 without any. */
function leadingInteger(text: string): number {
  return Number.parseInt(text, 10) || 0
}

function set(call: Call, assign: (on: boolean) => void): void {
  assign(leadingInteger(call.args.latin1(2)) !== 0)
  call.reply.ok()
}

/** Ends the process as a fault in it would, with a report in the log. */
function crash(call: Call, what: string, signal: 'SIGSEGV' | 'SIGABRT'): void {
  const stack = new Error(what).stack ?? what
  call.host.log('warning', `=== BUG REPORT START === Tandem ${what}\n------ STACK TRACE ------\n${stack}`)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

function runPanic(call: Call): void {
  crash(call, `panic: DEBUG PANIC called at Unix time ${Math.floor(call.host.unixMs / 1000)}`, 'SIGABRT')
}

/** A Node process cannot put another in its place; Redis answers the same when it fails to. */
function refuseRestart(call: Call): void {
  if (call.args.argc >= 3 && call.integer(2) === undefined) return
  call.host.log('warning', 'DEBUG RESTART: a Node.js process cannot replace itself')
  call.reply.error('ERR failed to restart the server. Check server logs.')
}

function runLog(call: Call): void {
  call.host.log('warning', `DEBUG LOG: ${call.args.utf8(2)}`)
  call.reply.ok()
}

const leaked: Buffer[] = []

function runLeak(call: Call): void {
  leaked.push(call.args.copy(2))
  call.reply.ok()
}

function runReload(call: Call): void {
  const { args, host, reply } = call
  const options = { save: true, flush: true, merge: false }
  for (let i = 2; i < args.argc; i++) {
    if (args.is(i, 'MERGE')) options.merge = true
    else if (args.is(i, 'NOFLUSH')) options.flush = false
    else if (args.is(i, 'NOSAVE')) options.save = false
    else {
      reply.error('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.')
      return
    }
  }
  const failure = (error: unknown): string => {
    host.log('warning', `DEBUG RELOAD failed: ${error instanceof Error ? error.message : String(error)}`)
    return 'ERR Error trying to load the RDB dump'
  }
  try {
    const work = host.persistence.reload(options)
    if (work instanceof Promise) {
      answerLater(call, work, (later) => later.ok(), failure)
      return
    }
    reply.ok()
  } catch (error) {
    reply.error(failure(error))
  }
}

function runLoadaof(call: Call): void {
  answerLater(
    call,
    call.host.aof.reload(),
    (reply) => reply.ok(),
    () => 'ERR Error trying to load the AOF files, check server logs.',
  )
}

function runAofFlushSleep(call: Call): void {
  call.host.aof.flushSleepMs = leadingInteger(call.args.latin1(2)) / 1000
  call.reply.ok()
}

/** Adds string keys that replicas do not get: `prefix:i` → `value:i`, cut or filled with zeros to the size. */
function runPopulate(call: Call): void {
  const { args, db, reply } = call
  const count = positive(call, 2)
  if (count === undefined) return
  const size = args.argc === 5 ? positive(call, 4) : 0
  if (size === undefined) return
  const prefix = args.argc === 3 ? 'key' : args.latin1(3)
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`${prefix}:${i}`, 'latin1')
    if (call.lookupWriteKey(key) !== 0) continue
    let value = Buffer.from(`value:${i}`, 'latin1')
    if (size > 0) {
      const sized = Buffer.alloc(size)
      value.copy(sized)
      value = sized
    }
    db.putBytes(call.hash, key, 0, key.length, 0, TYPE_STRING, ENCODING_AUTO, value, 0, value.length, NO_EXPIRE)
    call.modified(key)
  }
  reply.ok()
}

function positive(call: Call, i: number): number | undefined {
  const value = call.integer(i, errors.notPositive)
  if (value === undefined || value >= 0) return value
  call.reply.error(errors.notPositive)
  return undefined
}

function runDigestValue(call: Call): void {
  const { args, db, reply, store } = call
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) reply.simple(valueDigest(store, db.findKey(args.view(i))))
}

function runSleep(call: Call): void {
  const seconds = Number.parseFloat(call.args.latin1(2))
  if (seconds > 0) call.host.sleep(seconds * 1000)
  call.reply.ok()
}

const MAX_PACKED_THRESHOLD = 2n ** 32n - 2n ** 20n

/** Lists are not made of nodes for which it counts, so a good value changes nothing. */
function runPackedThreshold(call: Call): void {
  const threshold = parseMemory(call.args.latin1(2))
  if (threshold === undefined || threshold > MAX_PACKED_THRESHOLD) {
    call.reply.error('ERR argument must be a memory value bigger than 1 and smaller than 4gb')
    return
  }
  call.reply.ok()
}

/** Sends replicas a command that this server does not run: its data and theirs differ from then on. */
function runReplicate(call: Call): void {
  const { args } = call
  const operation: Buffer[] = []
  for (let i = 2; i < args.argc; i++) operation.push(args.copy(i))
  call.alsoPropagate(...operation)
  call.reply.ok()
}

/** Sizes of what each key takes here, under Redis's names. */
function runStructsize(call: Call): void {
  call.reply.bulkString('bits:64 robj:8 dictentry:8 sdshdr5:1 sdshdr8:3 sdshdr16:5 sdshdr32:9 sdshdr64:17 ')
}

function runChangeReplId(call: Call): void {
  call.host.log('warning', 'Changing replication IDs after receiving DEBUG change-repl-id')
  call.host.replication.changeId()
  call.reply.ok()
}

const MATCHES = 100_000

/** Random patterns over random texts: the matcher must neither throw nor hang. */
function runStringmatchTest(call: Call): void {
  for (let i = 0; i < MATCHES; i++) {
    const text = randomBytes()
    globMatch(randomBytes(), text, 0, text.length)
  }
  call.reply.simple('Apparently Redis did not crash: test passed')
}

function randomBytes(): Buffer {
  const bytes = Buffer.alloc(Math.floor(Math.random() * 32))
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(Math.random() * 128)
  return bytes
}

function runRewriteAll(call: Call): void {
  try {
    rewriteConfigFile(call.host.config, { force: true })
    call.reply.ok()
  } catch (error) {
    call.reply.error(`ERR CONFIG-REWRITE-FORCE-ALL failed: ${strerror(error)}`)
  }
}

/** Clients have no reply buffer of their own that could shrink; the switches are taken all the same. */
function runReplybuffer(call: Call): void {
  const { args, reply } = call
  if (args.is(2, 'PEAK-RESET-TIME')) {
    if (!args.is(3, 'NEVER') && !args.is(3, 'RESET') && call.integer(3) === undefined) return
  } else if (!args.is(2, 'RESIZING')) {
    reply.error(errors.unknownSubcommand(args.latin1(1).slice(0, 128), 'DEBUG'))
    return
  }
  reply.ok()
}

export const debug = command({
  name: 'debug',
  arity: -2,
  since: '1.0.0',
  summary: 'A container for debugging commands',
  complexity: 'Depends on subcommand.',
  docFlags: ['syscmd'],
  flags: ['admin', 'noscript', 'loading', 'stale', 'protected'],
  run: runDebug,
})
