/**
 * The real server as the judge: the same commands to redis-server and to Tandem, over RESP2 and then RESP3, every raw
 * reply compared to the byte, and at the end the digests of both datasets. Commands are sent in batches, so thousands cost little;
 * a mismatch says where in the sequence it is, what came before it, and both replies.
 */
import { AssertionError } from 'node:assert'
import { inspect } from 'node:util'
import { startRedis } from './redis.ts'
import type { ServerProcess } from './server-process.ts'
import { startTandem } from './tandem.ts'
import { type Argument, type Command, compareReplies, connect, type Order, type RawReply, type Wire } from './wire.ts'

export interface Pair {
  redis: ServerProcess
  tandem: ServerProcess
}

/** A command as its arguments, as text to split at spaces, or one that a named further client sends. */
export type Step = Command | string | { client: string; args: Command | string }

export interface DifferentialOptions {
  protocols?: (2 | 3)[]
  /** By lower-case command name (or name and sub-command, 'object freq'): what of a reply is compared instead of its bytes. */
  normalise?: Record<string, (answer: RawReply, command: Command) => unknown>
  /** By lower-case command name: replies whose order is not defined; added to the defaults. */
  order?: Record<string, Order>
  /** Compare DEBUG DIGEST at the end; true by default. */
  digest?: boolean
  /** FLUSHALL and such before each protocol's run; true by default. */
  flush?: boolean
  /** Options of both servers for this file, taken at the first call only. */
  args?: string[]
  /** Two servers of the test's own instead of the file's pair. */
  servers?: Pair
}

const BATCH = 64
const SHOWN_BEFORE = 5

const UNORDERED: Record<string, Order> = {
  smembers: 'elements',
  sinter: 'elements',
  sunion: 'elements',
  sdiff: 'elements',
  keys: 'elements',
  hkeys: 'elements',
  hvals: 'elements',
  hgetall: 'pairs',
  'config get': 'pairs',
  'pubsub channels': 'elements',
}

let pair: Promise<Pair> | undefined

/** Both servers, started once for a test file; they end with its process. The context is there for symmetry and may be omitted. */
export function startPair(_t?: unknown, args: string[] = []): Promise<Pair> {
  pair ??= (async () => {
    const never = { after: () => undefined }
    const [redis, tandem] = await Promise.all([startRedis(never, { args }), startTandem(never, { args })])
    redis.unref()
    tandem.unref()
    return { redis, tandem }
  })()
  return pair
}

export async function differential(
  t: unknown,
  steps: Iterable<Step> | (() => Iterable<Step>),
  options: DifferentialOptions = {},
): Promise<void> {
  const servers = options.servers ?? (await startPair(t, options.args))
  const list = typeof steps === 'function' ? undefined : [...steps]
  for (const protocol of options.protocols ?? [2, 3]) {
    const run = new Run(servers, protocol, options)
    try {
      await run.prepare()
      await run.play(list ?? (steps as () => Iterable<Step>)())
      await run.compareDigests()
    } finally {
      await run.close()
    }
  }
}

interface Clients {
  redis: Wire
  tandem: Wire
}

interface Sent {
  client: string
  args: Command
}

class Run {
  readonly #servers: Pair
  readonly #protocol: 2 | 3
  readonly #options: DifferentialOptions
  readonly #clients = new Map<string, Clients>()
  #history: Sent[] = []
  #count = 0

  constructor(servers: Pair, protocol: 2 | 3, options: DifferentialOptions) {
    this.#servers = servers
    this.#protocol = protocol
    this.#options = options
  }

  async prepare(): Promise<void> {
    if (this.#options.flush === false) return
    const { redis, tandem } = await this.#client('')
    for (const wire of [redis, tandem]) {
      await wire.must('FLUSHALL')
      await wire.must('FUNCTION', 'FLUSH').catch(() => undefined)
      await wire.must('SCRIPT', 'FLUSH').catch(() => undefined)
    }
  }

  async play(steps: Iterable<Step>): Promise<void> {
    let batch: Sent[] = []
    for (const step of steps) {
      const sent = asSent(step)
      if (batch.length >= BATCH || (batch.length > 0 && (batch[0]!.client !== sent.client || isAlone(sent)))) {
        await this.#send(batch)
        batch = []
      }
      batch.push(sent)
      if (isAlone(sent)) {
        await this.#send(batch)
        batch = []
      }
    }
    if (batch.length > 0) await this.#send(batch)
  }

  async compareDigests(): Promise<void> {
    if (this.#options.digest === false) return
    const { redis, tandem } = await this.#client('digest')
    const [expected, actual] = await Promise.all([redis.send('DEBUG', 'DIGEST'), tandem.send('DEBUG', 'DIGEST')])
    if (expected === actual) return
    const differing = await differingKeys(redis, tandem)
    throw new AssertionError({
      message: `RESP${this.#protocol}: after ${this.#count} commands the datasets differ (DEBUG DIGEST); keys: ${differing}`,
      actual,
      expected,
      operator: 'differential',
    })
  }

  async close(): Promise<void> {
    for (const { redis, tandem } of this.#clients.values()) await Promise.all([redis.close(), tandem.close()])
  }

  async #client(name: string): Promise<Clients> {
    const known = this.#clients.get(name)
    if (known) return known
    const { redis, tandem } = this.#servers
    const clients = { redis: await connect(redis.port), tandem: await connect(tandem.port) }
    this.#clients.set(name, clients)
    if (this.#protocol === 3) await Promise.all([clients.redis.must('HELLO', 3), clients.tandem.must('HELLO', 3)])
    return clients
  }

  async #send(batch: Sent[]): Promise<void> {
    const { redis, tandem } = await this.#client(batch[0]!.client)
    const [expected, actual] = await Promise.all([answers(redis, batch), answers(tandem, batch)])
    for (let at = 0; at < batch.length; at++) {
      this.#history.push(batch[at]!)
      this.#count++
      const left = expected[at]!
      const right = actual[at]!
      if (left instanceof Error || right instanceof Error || !this.#equal(batch[at]!.args, left, right)) {
        throw this.#mismatch(batch[at]!, left, right)
      }
    }
    if (this.#history.length > BATCH * 4) this.#history = this.#history.slice(-SHOWN_BEFORE - 1)
  }

  #equal(args: Command, left: RawReply, right: RawReply): boolean {
    const normalise = lookUp(this.#options.normalise ?? {}, args)
    if (normalise) return inspectAll(normalise(left, args)) === inspectAll(normalise(right, args))
    const order = lookUp({ ...UNORDERED, ...this.#options.order }, args)
    return compareReplies(left.raw, right.raw, order)
  }

  #mismatch(sent: Sent, left: RawReply | Error, right: RawReply | Error): AssertionError {
    const before = this.#history.slice(-SHOWN_BEFORE - 1, -1).map((earlier) => `\n    ${show(earlier)}`)
    return new AssertionError({
      message:
        `RESP${this.#protocol}: command ${this.#count} ${show(sent)}` +
        `\n  redis:  ${showAnswer(left)}\n  tandem: ${showAnswer(right)}\n  before it:${before.join('')}`,
      actual: showAnswer(right),
      expected: showAnswer(left),
      operator: 'differential',
    })
  }
}

function asSent(step: Step): Sent {
  if (typeof step === 'string') return { client: '', args: step.split(' ') }
  if (Array.isArray(step)) return { client: '', args: step }
  return { client: step.client, args: typeof step.args === 'string' ? step.args.split(' ') : step.args }
}

/** Commands that change how replies come, or how many, are not sent among others. */
function isAlone(sent: Sent): boolean {
  return /^(hello|reset|quit|[ps]?(un)?subscribe)$/i.test(String(sent.args[0]))
}

/** The replies to a batch, or the error that took the place of one. */
async function answers(wire: Wire, batch: Sent[]): Promise<(RawReply | Error)[]> {
  try {
    if (isAlone(batch[0]!)) return [await subscriptionAnswer(wire, batch[0]!.args)]
    return await wire.pipelineRaw(batch.map((sent) => sent.args))
  } catch (error) {
    return batch.map(() => error as Error)
  }
}

/** SUBSCRIBE a b is answered by two messages; they are compared as one. */
async function subscriptionAnswer(wire: Wire, args: Command): Promise<RawReply> {
  const before = wire.pushes.length
  const first = await wire.sendRaw(args)
  const answered = '*>'.includes(String.fromCharCode(first.raw[0]!))
  const more = /subscribe$/i.test(String(args[0])) && answered ? Math.max(0, args.length - 2) : 0
  const raws = [first.raw]
  if (first.raw[0] === 0x3e) {
    await wire.waitForPushes(before + more)
    raws.push(Buffer.from(inspectAll(wire.pushes.splice(before))))
  } else {
    for (let n = 0; n < more; n++) raws.push((await wire.nextRaw()).raw)
  }
  return { reply: first.reply, raw: Buffer.concat(raws) }
}

function lookUp<T>(table: Record<string, T>, args: Command): T | undefined {
  const name = String(args[0]).toLowerCase()
  return table[`${name} ${String(args[1] ?? '').toLowerCase()}`] ?? table[name]
}

function inspectAll(value: unknown): string {
  return inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null })
}

function show(sent: Sent): string {
  const words = sent.args.map(showArgument).join(' ')
  return sent.client === '' ? words : `(${sent.client}) ${words}`
}

function showArgument(arg: Argument): string {
  const text = typeof arg === 'object' ? arg.toString('latin1') : String(arg)
  const short = text.length > 200 ? `${text.slice(0, 200)}…(${text.length})` : text
  return /^[\x21-\x7e…()]+$/.test(short) ? short : JSON.stringify(short)
}

function showAnswer(answer: RawReply | Error): string {
  if (answer instanceof Error) return answer.message
  const text = answer.raw.toString('latin1')
  return JSON.stringify(text.length > 2000 ? `${text.slice(0, 2000)}…(${text.length})` : text)
}

/** Names up to ten keys of the database 0 whose digests differ. */
async function differingKeys(redis: Wire, tandem: Wire): Promise<string> {
  const names = new Set<string>()
  for (const wire of [redis, tandem]) {
    const reply = await wire.send('KEYS', '*')
    if (Array.isArray(reply)) for (const name of reply) names.add(String(name))
  }
  const differing: string[] = []
  for (const name of names) {
    const left = await redis.send('DEBUG', 'DIGEST-VALUE', name)
    const right = await tandem.send('DEBUG', 'DIGEST-VALUE', name)
    const expires = await redis.send('PEXPIRETIME', name)
    const expiresRight = await tandem.send('PEXPIRETIME', name)
    if (inspectAll(left) === inspectAll(right) && expires === expiresRight) continue
    differing.push(`${name} (${left} / ${inspectAll(right)}, expires ${expires} / ${inspectAll(expiresRight)})`)
    if (differing.length === 10) break
  }
  return differing.length > 0 ? differing.join(', ') : 'none in database 0'
}
