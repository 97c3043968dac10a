/**
 * `tandem migrate --from redis://… --to redis://…`: copies a server's keys into another server or a cluster, keeps them
 * level, and cuts over when told to: writes at the source are paused, the rest is sent, both sides are compared.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Replica } from './embedded/replica.ts'
import { Copy } from './migrate/copy.ts'
import { Migration } from './migrate/migration.ts'
import { Peer } from './migrate/peer.ts'
import { ProgressDisplay } from './migrate/progress.ts'
import { type Selection, selectsAll } from './migrate/selection.ts'
import { type Verified, Verifier } from './migrate/verify.ts'
import { openReplica } from './open-replica.ts'
import { parseUpstream, type UpstreamAddress } from './proxy/address.ts'
import type { Tandem } from './tandem.ts'

const USAGE = `Usage: tandem migrate --from redis://[user:password@]host[:port] --to <address> [options]

  --to            redis://host[:port], sentinel://host:port,…/name or cluster://host:port,…; rediss:// and so on by TLS
  --keys GLOB     only keys like this; may be repeated
  --database N    only this database; may be repeated
  --type TYPE     only keys of this type (string, list, set, zset, hash, stream); may be repeated
  --flush         empty the target first (without it, and without --resume, it has to be empty)
  --resume        go on where an earlier run ended: what is right stays, what the source has not is removed
  --cutover       cut over as soon as the target is level; otherwise on the line "cutover" or the signal SIGUSR2
  --pause MS      how long writes at the source are paused at the cut-over (30000; 0 not at all)
  --verify HOW    none, all, or a number of keys to compare then (1000)
  --timeout MS    how long the first copy may take to be here (3600000)
  --tls-ca FILE, --tls-cert FILE, --tls-key FILE   for rediss://
`
const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  keys: { type: 'string', multiple: true },
  database: { type: 'string', multiple: true },
  type: { type: 'string', multiple: true },
  flush: { type: 'boolean' },
  resume: { type: 'boolean' },
  cutover: { type: 'boolean' },
  pause: { type: 'string' },
  verify: { type: 'string' },
  timeout: { type: 'string' },
  'tls-ca': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies NonNullable<ParseArgsConfig['options']>

const TYPES = ['string', 'list', 'set', 'zset', 'hash', 'stream']
const INTERRUPTED = 130
/** Keys that can be compared in a pause without being noticed. */
const DOUBT_MAX = 1000
const DOUBT_SHRINKS = 0.9
const DOUBT_PAUSE_MS = 300

interface Settings {
  from: string
  source: UpstreamAddress
  to: string
  target: UpstreamAddress
  selection: Selection
  flush: boolean
  resume: boolean
  cutover: boolean
  pauseMs: number
  sample: number | 'all'
  timeoutMs: number
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer }
}

/** Runs it. Resolves with the exit code. */
export async function migrate(args: string[]): Promise<number> {
  try {
    const settings = settingsOf(args)
    if (settings === null) {
      process.stdout.write(USAGE)
      return 0
    }
    return await run(settings)
  } catch (error) {
    // A mistake of the program, not of who calls it, needs its stack.
    const text = error instanceof TypeError ? error.stack : error instanceof Error ? error.message : error
    process.stderr.write(`${text}\n`)
    return 1
  }
}

function settingsOf(args: string[]): Settings | null {
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']
  try {
    values = parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${USAGE}`)
  }
  if (values.help === true) return null
  const { from, to } = values
  if (from === undefined || to === undefined) throw new Error(`--from and --to are needed\n\n${USAGE}`)
  if (values.flush === true && values.resume === true) throw new Error('--flush and --resume exclude each other')
  const source = address('--from', from)
  if (source.server === null) throw new Error('--from must be one server: redis://host[:port]')
  const wrong = values.type?.find((type) => !TYPES.includes(type))
  if (wrong !== undefined) throw new Error(`--type '${wrong}' is none of ${TYPES.join(', ')}`)
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
  const [ca, cert, key] = [file(values['tls-ca']), file(values['tls-cert']), file(values['tls-key'])]
  const verifies = values.verify ?? '1000'
  return {
    from,
    source,
    to,
    target: address('--to', to),
    selection: {
      keys: (values.keys ?? []).map((glob) => Buffer.from(glob)),
      databases: new Set((values.database ?? []).map((text) => whole('--database', text))),
      types: new Set(values.type),
    },
    flush: values.flush === true,
    resume: values.resume === true,
    cutover: values.cutover === true,
    pauseMs: whole('--pause', values.pause ?? '30000'),
    sample: verifies === 'all' ? 'all' : verifies === 'none' ? 0 : whole('--verify', verifies),
    timeoutMs: whole('--timeout', values.timeout ?? '3600000'),
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
  }
}

function address(option: string, text: string): UpstreamAddress {
  const parsed = parseUpstream(text)
  if (typeof parsed === 'string') throw new Error(`${option}: ${parsed}`)
  if (parsed.database !== 0) throw new Error(`${option}: databases are chosen by --database`)
  return parsed
}

function whole(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} '${text}' is no number`)
  return Number(text)
}

/** Host and port, without the password. */
function nameOf({ server, sentinels, nodes, name }: UpstreamAddress): string {
  const hosts = (server === null ? [...sentinels, ...nodes] : [server]).map(({ host, port }) => `${host}:${port}`)
  return `${hosts.join(',')}${name === '' ? '' : `/${name}`}`
}

async function run(settings: Settings): Promise<number> {
  const source = new Peer(nameOf(settings.source), settings.source, settings.source.tls ? settings.tls : null)
  const target = new Peer(nameOf(settings.target), settings.target, settings.target.tls ? settings.tls : null)
  let opened: { replica: Replica; tandem: Tandem } | null = null
  try {
    await Promise.all([reach(source), reach(target)])
    await prepare(target, settings)
    process.stderr.write(`Copying ${source.name} into this process …\n`)
    opened = await openReplica({
      from: settings.from,
      tls: settings.tls,
      timeoutMs: settings.timeoutMs,
      directives: { databases: await source.databases() },
      log: (level, text) => {
        if (level === 'warning') process.stderr.write(`${text}\n`)
      },
    })
    return await follow(opened.replica, opened.tandem, source, target, settings)
  } finally {
    await opened?.replica.close()
    await source.close()
    await target.close()
  }
}

async function reach(peer: Peer): Promise<void> {
  const problem = await peer.reach()
  if (problem !== null) throw new Error(`${peer.name} cannot be used: ${problem}`)
}

async function prepare(target: Peer, { flush, resume }: Settings): Promise<void> {
  if (flush) await target.everywhere('FLUSHALL')
  if (resume) return
  const keys = await target.size()
  if (keys > 0) throw new Error(`${target.name} holds ${keys} keys: --flush empties it, --resume goes on`)
}

async function follow(
  replica: Replica,
  tandem: Tandem,
  source: Peer,
  target: Peer,
  settings: Settings,
): Promise<number> {
  const { engine, replication } = tandem
  const copy = new Copy(engine, settings.selection)
  if (target.isCluster && copy.databases.some((database) => database > 0)) {
    throw new Error('a cluster has database 0 only: choose it with --database 0')
  }
  const migration = new Migration(replica, copy, target, settings.resume)
  const { onNewHistory } = replication
  replication.onNewHistory = () => {
    onNewHistory()
    migration.replaced()
  }
  const display = new ProgressDisplay(migration.progress)
  const done = migration.run()
  const verifier = settings.sample === 0 ? null : new Verifier(copy, source, target, settings.sample)
  const ended = Promise.race([done, interrupted()]).then(() => 'end' as const)
  try {
    let wish = await Promise.race([ended, wished(migration, display, settings)])
    if (wish === 'cutover' && verifier?.isLong === true) {
      wish = await Promise.race([ended, compareAhead(migration, display, verifier)])
    }
    if (wish === 'end') {
      display.say('Stopped before the cut-over: --resume goes on.')
      return INTERRUPTED
    }
    return await cutOver(migration, display, { copy, source, target, verifier }, settings)
  } finally {
    display.stop()
    migration.stop()
    await done.catch(() => undefined)
  }
}

/** Resolves when the user wants to end. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}

/** Resolves when the user wants to cut over. */
function wished(migration: Migration, display: ProgressDisplay, { cutover }: Settings): Promise<'cutover' | 'end'> {
  return new Promise((resolve) => {
    const wants = () => resolve('cutover')
    process.once('SIGUSR2', wants)
    if (!cutover) {
      display.say('Type "cutover" (or send SIGUSR2) when the target shall take over; Ctrl-C ends without that.')
      const lines = createInterface({ input: process.stdin })
      lines.on('line', (line) => {
        if (line.trim() === 'cutover') wants()
        else display.say('"cutover" cuts over; Ctrl-C ends without that.')
      })
      // A program that waits for the end is not kept by its input.
      process.stdin.unref?.()
      return
    }
    const timer = setInterval(() => {
      if (!migration.isLevel) return
      clearInterval(timer)
      wants()
    }, 50)
  })
}

/** Compares while writes go on, until so little is in doubt that the rest can be done in the pause. */
async function compareAhead(migration: Migration, display: ProgressDisplay, verifier: Verifier): Promise<'cutover'> {
  migration.onTouched = (database, key) => verifier.touched(database, key)
  migration.progress.phase = 'comparing'
  display.comparison = verifier
  await verifier.ahead()
  let before = Number.POSITIVE_INFINITY
  // Where keys change faster than they are compared it gets no better.
  while (verifier.inDoubt > DOUBT_MAX && verifier.inDoubt < before * DOUBT_SHRINKS) {
    before = verifier.inDoubt
    // What was found to differ is about to be sent.
    await pause(DOUBT_PAUSE_MS)
    await verifier.again()
  }
  return 'cutover'
}

async function cutOver(
  migration: Migration,
  display: ProgressDisplay,
  { copy, source, target, verifier }: { copy: Copy; source: Peer; target: Peer; verifier: Verifier | null },
  { pauseMs, selection, timeoutMs }: Settings,
): Promise<number> {
  migration.progress.phase = 'cutting over'
  if (pauseMs > 0) await source.everywhere('CLIENT', 'PAUSE', pauseMs, 'WRITE')
  const beganMs = performance.now()
  try {
    await migration.level(pauseMs > 0 ? pauseMs : timeoutMs)
    const verified = verifier === null ? null : await verifier.verify()
    const tookMs = performance.now() - beganMs
    if (pauseMs > 0 && tookMs > pauseMs) {
      display.say(
        `The cut-over took ${Math.round(tookMs)} ms, longer than writes were paused (--pause): the source takes writes again. Nothing was cut over; --resume goes on.`,
      )
      return 1
    }
    if (verified !== null && !isRight(verified, display)) {
      if (pauseMs > 0) await source.everywhere('CLIENT', 'UNPAUSE')
      return 1
    }
    const keys = selectsAll(selection) ? `all ${copy.size} keys` : 'all chosen keys'
    const left =
      pauseMs > 0 ? ` Writes at the source are paused for another ${Math.floor((pauseMs - tookMs) / 1000)} s.` : ''
    display.say(
      `Done in ${Math.round(tookMs)} ms: ${target.name} has ${keys} of ${source.name}. Move the clients now.${left}`,
    )
    return 0
  } catch (error) {
    if (pauseMs > 0) await source.everywhere('CLIENT', 'UNPAUSE')
    throw error
  }
}

function isRight({ checked, missing, different, extra, examples }: Verified, display: ProgressDisplay): boolean {
  if (missing + different + extra === 0) {
    display.say(`Compared ${checked} keys: all are equal.`)
    return true
  }
  display.say(
    `Compared ${checked} keys: ${missing} are missing, ${different} are different, ${extra} should not be there.\n  ${examples.join('\n  ')}`,
  )
  return false
}
