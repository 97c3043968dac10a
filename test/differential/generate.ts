/**
 * Sequences of commands from the commands' own declarations: the tree of arguments that COMMAND DOCS tells is walked with
 * the values of values.ts, so a new command is tested by being declared. Most commands come out valid; some are then bent
 * (an argument too many, too few, twice, exchanged, replaced), and options come in any order, which Redis mostly allows.
 */

import type { Argument } from '../../src/commands/define.ts'
import { allGroups } from '../../src/commands/groups.ts'
import { type Command, CommandTable } from '../../src/commands/table.ts'
import { Draw } from '../commands/random-steps.ts'
import { EXCLUDED } from './excluded.ts'
import { ANYTHING, BY_TYPE, type Context, HINTS, key, LIMITS, LONG_TEXT, type Value } from './values.ts'

export interface Step {
  /** 'object|encoding': how its replies are compared goes by it. */
  name: string
  /** latin1 strings. */
  args: string[]
}

/** How often a command is drawn, where it is not once. Containers' subcommands and the cluster's would drown the others. */
const WEIGHTS: Readonly<Record<string, number>> = {
  set: 40,
  append: 15,
  setbit: 20,
  bitfield: 25,
  rpush: 30,
  lpush: 20,
  sadd: 45,
  hset: 40,
  zadd: 50,
  xadd: 50,
  xreadgroup: 25,
  'xgroup|create': 60,
  pfadd: 25,
  geoadd: 35,
  geosearch: 20,
  zrange: 20,
  sort: 20,
  eval: 25,
  flushall: 0.2,
  flushdb: 0.5,
  swapdb: 1,
  select: 4,
  reset: 1,
  'script|flush': 1,
  'function|load': 25,
  fcall: 12,
  'xgroup|destroy': 1,
  xpending: 15,
  xack: 15,
  xclaim: 20,
  xautoclaim: 20,
  'xinfo|stream': 8,
  'xinfo|groups': 5,
  'xinfo|consumers': 5,
  'function|flush': 1,
  watch: 5,
  multi: 12,
  'memory|purge': 0.2,
  restore: 12,
}
const GROUP_WEIGHTS: Readonly<Record<string, number>> = { cluster: 0.3, server: 1, connection: 2, pubsub: 1, geo: 8 }
const USUAL_WEIGHT = 10

/** Values put into these by chance could answer gigabytes, block for ever, or expire while the test runs. */
const DELICATE =
  /^(setbit|setrange|bitfield|[shz]rand\w+|spop|p?expire(at)?|getex|set|p?setex|restore.*|b[lrz]\w*pop\w*|blmove|wait|xadd|xread(group)?|xclaim|xautoclaim|lcs|command\|.*|eval.*|fcall.*|select|z\w*lex\w*|zrange|zrangestore|scan)$/
const BLOCKING = /^(b[lrz](pop|move|mpop)\w*|bzpop(min|max)|brpoplpush|wait|xread(group)?)$/

/**
 * What a range of texts finds among unequal scores is not defined (with a skip list it depends on the levels drawn), so it
 * is asked of keys whose members' scores are all 0.
 */
const LEX = /^z\w*lex\w*$/
const LEX_KEYS: readonly string[] = ['y1', 'y2', 'y3']
const KEEPS_SCORES =
  /^(zadd|zrem|zcard|zm?score|zrange|z(rev)?rank|zpop(min|max)|zremrangebyrank|zscan|del|type|p?ttl|expire|persist)$/

export function isBlocking(name: string): boolean {
  return BLOCKING.test(name)
}

/** All commands that are generated: those of the table that run and are not excluded. */
export function generatedCommands(table = new CommandTable(allGroups)): Command[] {
  return table.all.filter((command) => command.subcommands === undefined && EXCLUDED[command.fullName] === undefined)
}

const containers = new Set(
  new CommandTable(allGroups).all.filter((command) => command.subcommands !== undefined).map((command) => command.name),
)

/** A command that was written down. */
export function stepOf(args: string[]): Step {
  const name = (args[0] ?? '').toLowerCase()
  return { name: containers.has(name) ? `${name}|${(args[1] ?? '').toLowerCase()}` : name, args }
}

export class Generator {
  readonly #commands: readonly Command[]
  /** Sums of the weights up to and with each command. */
  readonly #sums: number[] = []
  #draw = new Draw(0)
  #context: Context = { name: '', group: '', position: 0, keys: 0 }
  #out: string[] = []
  #inMulti = false
  #numkeysAt = -1

  constructor(commands: readonly Command[] = generatedCommands()) {
    this.#commands = commands
    let sum = 0
    for (const command of commands) {
      const grouped = GROUP_WEIGHTS[command.group] ?? (command.parent === undefined ? USUAL_WEIGHT : 2)
      sum += WEIGHTS[command.fullName] ?? (command.name === 'help' ? 0.2 : grouped)
      this.#sums.push(sum)
    }
  }

  /** `length` commands, or a few more so that no MULTI is left open; the same ones for the same seed. */
  sequence(seed: number, length: number): Step[] {
    this.#draw = new Draw(seed)
    this.#inMulti = false
    const steps: Step[] = []
    while (steps.length < length || this.#inMulti) {
      this.#context.position = steps.length
      if (this.#inMulti && this.#draw.below(7) === 0) steps.push(this.#end())
      else this.#add(steps, this.#pick())
    }
    return steps
  }

  #end(): Step {
    this.#inMulti = false
    return this.#draw.below(8) === 0 ? { name: 'discard', args: ['DISCARD'] } : { name: 'exec', args: ['EXEC'] }
  }

  #add(steps: Step[], command: Command): void {
    const name = command.fullName
    // A blocked client waits for redis-server's next cron, however short its timeout.
    if (isBlocking(name) && !this.#inMulti && this.#draw.below(200) > 0) {
      steps.push({ name: 'multi', args: ['MULTI'] })
      this.#inMulti = true
    }
    // SORT of redis-server mistakes a range error that an earlier command left in errno for one of its own; SCAN clears it.
    if (name === 'sort' || name === 'sort_ro') steps.push({ name: 'scan', args: ['SCAN', '0', 'COUNT', '1000'] })
    const args = this.#generate(command)
    const isBent = this.#draw.below(this.#inMulti ? 60 : 12) === 0 && !LEX_KEYS.includes(args[1] ?? '')
    const bent = isBent && this.#bend(name, args)
    if (isBlocking(name) && !this.#inMulti) withoutBlocking(name, args)
    steps.push({ name, args })
    if (bent) return
    if (name === 'multi') this.#inMulti = true
    if (name === 'exec' || name === 'discard' || name === 'reset') this.#inMulti = false
  }

  #pick(): Command {
    const sums = this.#sums
    const wanted = (this.#draw.below(1_000_000) / 1_000_000) * sums.at(-1)!
    let from = 0
    let to = sums.length - 1
    while (from < to) {
      const middle = (from + to) >> 1
      if (sums[middle]! > wanted) to = middle
      else from = middle + 1
    }
    return this.#commands[from]!
  }

  #generate(command: Command): string[] {
    const context = this.#context
    context.name = command.fullName
    context.group = command.group
    context.keys = 0
    this.#numkeysAt = -1
    this.#out = command.parent === undefined ? [] : [this.#cased(command.parent.name)]
    this.#out.push(this.#cased(command.name))
    if (command.fullName.startsWith('command|getkeys')) this.#out.push(...this.#inner())
    else this.#walk(command.declaration.args ?? [])
    adjust(command.fullName, this.#out, this.#draw)
    return this.#out
  }

  /** Another command, as an argument of COMMAND GETKEYS. */
  #inner(): string[] {
    const { name, group } = this.#context
    const outer = this.#out
    let inner = this.#pick()
    while (inner.fullName.startsWith('command|')) inner = this.#pick()
    const args = this.#generate(inner)
    this.#out = outer
    this.#context.name = name
    this.#context.group = group
    return args
  }

  #cased(name: string): string {
    const way = this.#draw.below(8)
    return way < 5 ? name.toUpperCase() : way < 7 ? name : name.charAt(0).toUpperCase() + name.slice(1)
  }

  #walk(args: readonly Argument[]): void {
    for (let at = 0; at < args.length; at++) {
      if (args[at]!.optional !== true) {
        this.#argument(args[at]!)
        continue
      }
      let end = at
      while (end < args.length && args[end]!.optional) end++
      this.#options(args.slice(at, end))
      at = end - 1
    }
  }

  /** A run of optional arguments: each or not, in their order or another, seldom one of them twice. */
  #options(args: Argument[]): void {
    const draw = this.#draw
    const usual = args.length > 3 ? 25 : 40
    let taken = args.filter(() => draw.below(100) < usual)
    if (taken.length > 1 && draw.below(3) === 0) taken = taken.reverse()
    if (taken.length > 0 && draw.below(40) === 0) taken.push(draw.of(taken))
    if (draw.below(60) === 0) taken.push(draw.of(args))
    for (const arg of taken) this.#argument(arg)
  }

  #argument(arg: Argument): void {
    if (arg.token !== undefined && arg.type !== 'pure-token') this.#out.push(this.#cased(arg.token))
    if (arg.multiple !== true) {
      this.#value(arg)
      return
    }
    const times = this.#times(arg)
    for (let n = 0; n < times; n++) {
      if (n > 0 && arg.multipleToken === true && arg.token !== undefined) this.#out.push(this.#cased(arg.token))
      this.#value(arg)
    }
    if (arg.type === 'key') this.#countKeys(times)
  }

  #times(arg: Argument): number {
    const draw = this.#draw
    const { keys, name } = this.#context
    const perKey = arg.name === 'weight' || (arg.name === 'id' && (name === 'xread' || name === 'xreadgroup'))
    if (perKey && keys > 0 && draw.below(15) > 0) return keys
    const at = draw.below(100)
    if (at < 50) return 1
    if (at < 75) return 2
    if (at < 97 || arg.type === 'key') return 3 + draw.below(3)
    return at < 99 ? 10 + draw.below(30) : 140
  }

  #countKeys(count: number): void {
    this.#context.keys = count
    if (this.#numkeysAt >= 0 && this.#draw.below(15) > 0) this.#out[this.#numkeysAt] = String(count)
  }

  #value(arg: Argument): void {
    const out = this.#out
    switch (arg.type) {
      case 'pure-token':
        out.push(this.#draw.below(300) === 0 ? 'NOSUCH' : this.#cased(arg.token!))
        return
      case 'oneof':
        this.#argument(this.#draw.of(arg.arguments!))
        return
      case 'block':
        this.#walk(arg.arguments!)
        return
      case 'key':
        out.push(this.#key())
        if (arg.multiple !== true) this.#context.keys = 1
        return
      default: {
        if (arg.name === 'numkeys') {
          this.#numkeysAt = out.length
          if (this.#draw.below(15) > 0) {
            out.push('0')
            return
          }
        }
        out.push(valueFor(this.#context.name, arg)(this.#draw, this.#context))
      }
    }
  }

  #key(): string {
    const { name } = this.#context
    if (LEX.test(name) || (KEEPS_SCORES.test(name) && this.#draw.below(8) === 0)) return this.#draw.of(LEX_KEYS)
    return key(this.#draw, this.#context)
  }

  /** Makes it wrong in one way; false if nothing came of it. */
  #bend(name: string, args: string[]): boolean {
    const draw = this.#draw
    const first = name.includes('|') ? 2 : 1
    const at = first + draw.below(Math.max(1, args.length - first))
    switch (draw.below(DELICATE.test(name) ? 3 : 6)) {
      case 0:
        // Without a count it would be a draw.
        if (args.length > first && name !== 'spop' && name !== 'command|info') args.pop()
        return true
      case 1:
        args.push(draw.below(2) === 0 || DELICATE.test(name) ? 'EXTRA' : draw.of(LIMITS))
        return true
      case 2:
        if (args.length > first) args.push(args[at]!)
        return true
      case 3:
        if (args.length > first && name !== 'command|info') args.splice(at, 1)
        return true
      case 4: {
        const other = first + draw.below(Math.max(1, args.length - first))
        if (args.length <= first) return false
        ;[args[at], args[other]] = [args[other]!, args[at]!]
        return true
      }
      default:
        if (args.length > first) args[at] = ANYTHING(draw, this.#context)
        return true
    }
  }
}

const values = new Map<string, Value>()

function valueFor(command: string, arg: Argument): Value {
  const full = `${command}.${arg.name}`
  const known = values.get(full)
  if (known) return known
  const found = HINTS[full] ?? HINTS[arg.name] ?? BY_TYPE[arg.type]
  if (found === undefined) throw new Error(`no values for ${full}, which is of type ${arg.type}`)
  values.set(full, found)
  return found
}

const SCORES = ['-inf', '+inf', '(1', '2', '3', '(0', '1.5', 'abc']
const TEXTS = ['-', '+', '[a', '(b', '[m2', '(m', '[', 'a']

const LEX_MEMBERS = ['a', 'b', 'c', 'm', 'm1', 'm2', 'z', 'zz', '', '1', '10', '2', '\0', '\xff', 'A', LONG_TEXT]

/** What one argument demands of another, which the declarations do not tell. */
function adjust(name: string, args: string[], draw: Draw): void {
  const has = (token: string) => args.some((arg) => arg.toUpperCase() === token)
  if (name === 'zrange' || name === 'zrangestore') {
    const at = name === 'zrange' ? 2 : 3
    const bounds = has('BYLEX') ? TEXTS : has('BYSCORE') ? SCORES : undefined
    if (bounds !== undefined && args.length >= at + 2) {
      args[at] = draw.of(bounds)
      args[at + 1] = draw.of(bounds)
      if (bounds === TEXTS) args[at - 1] = draw.of(LEX_KEYS)
    }
  } else if (name === 'zadd' && LEX_KEYS.includes(args[1]!)) {
    args.splice(2, args.length, '0', draw.of(LEX_MEMBERS), '0', draw.of(LEX_MEMBERS))
  } else if (name === 'xadd') {
    // An id of the clock's would be another one in each server.
    for (let at = 2; at < args.length; at++) if (args[at] === '*') args[at] = `${draw.below(400)}-*`
  } else if (name === 'sort' && has('ALPHA') && has('BY')) {
    // Elements of equal weight come in an order that is not defined, and would be stored in it.
    const store = args.findIndex((arg, at) => at > 1 && arg.toUpperCase() === 'STORE')
    if (store > 0) args.splice(store, 2)
  } else if (/^geo(radius|searchstore)/.test(name)) {
    // The last bit of a sine is the C library's: a stored distance may differ by one unit in its 17th digit.
    const at = args.findIndex((arg, i) => i > 1 && arg.toUpperCase() === 'STOREDIST')
    if (at > 0) args[at] = 'STORE'
    if (at > 0 && name === 'geosearchstore') args.splice(at, 1)
  } else if (name === 'command|info' && args.length === 2) {
    args.push('get')
  } else if (name === 'xgroup|create' && !has('MKSTREAM')) {
    if (draw.below(3) > 0) args.push('MKSTREAM')
  } else if (name === 'scan') {
    // All keys at once: what is left out of an iteration is the table's affair, and those that expired are deleted by it.
    const at = args.findIndex((arg, i) => i > 1 && arg.toUpperCase() === 'COUNT')
    if (at < 0) args.push('COUNT', '1000')
    else if (/^\d+$/.test(args[at + 1] ?? '')) args[at + 1] = '1000'
  } else if (name === 'spop' && args.length === 2) {
    args.push('100000')
  }
}

/** Outside of MULTI a call may find nothing and block: for as short as can be said. */
function withoutBlocking(name: string, args: string[]): void {
  if (name !== 'xread' && name !== 'xreadgroup') return
  const at = args.findIndex((arg) => arg.toUpperCase() === 'BLOCK')
  if (at > 0) args.splice(at, 2)
}
