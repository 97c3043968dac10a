/**
 * The primary's stream, filtered where it arrives: for a primary that sends everything, as a redis-server does. Stands
 * between the link's applier and the path of a call; judge.ts says what each command means here. A transaction is judged
 * when its EXEC comes: if one of its commands needs a value from the primary, all shown keys that it changes are asked
 * for, and take their places together.
 */
import type { Client, QueuedCommand } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import type { Engine } from '../../engine/engine.ts'
import { DONE, POSTPONED } from '../../engine/execute.ts'
import { ReplyWriter } from '../../resp/reply-writer.ts'
import { Request } from '../../resp/request.ts'
import { DROP, FETCH, Judge, type KeyAt, PASS, PASS_AND_LOOK, REPLACE, WAIT } from './judge.ts'
import type { Missing } from './missing.ts'
import type { Part } from './part.ts'

/** Hears of changes to keys that may be kept elsewhere: those that are not here. */
export interface HiddenChanges {
  readonly isWatching: boolean
  changed(key: Buffer): void
  everything(): void
}

export interface ArrivalSetup {
  readonly engine: Engine
  readonly part: Part
  readonly missing: Missing
  /** The copy cannot follow this: everything has to be loaded anew. */
  onLost(why: string): void
  /** Of several streams: whether this one's word counts for the key. */
  holds?(key: Buffer): boolean
}

interface Step {
  readonly queued: QueuedCommand
  readonly verdict: number
  readonly replacement: Buffer[]
  readonly changed: KeyAt[]
}

export class Arrival {
  /** Of the stream; the request that is looked at is behind it. */
  offset = 0
  /** Bytes of commands, and of those that are not kept. */
  seenBytes = 0
  droppedBytes = 0
  hidden: HiddenChanges | null = null

  readonly #engine: Engine
  readonly #part: Part
  readonly #missing: Missing
  readonly #judge: Judge
  readonly #muted = new ReplyWriter()
  readonly #setup: ArrivalSetup

  constructor(setup: ArrivalSetup) {
    const { engine, part, missing } = setup
    this.#setup = setup
    this.#engine = engine
    this.#part = part
    this.#missing = missing
    this.#judge = new Judge(part, engine.store, missing)
    this.#muted.muted = true
  }

  run(client: Client, request: Request, reply: ReplyWriter): number {
    const bytes = request.rawEnd - request.rawStart
    this.settle(client)
    const outcome = this.#run(client, request, reply)
    if (outcome === POSTPONED) return outcome
    this.offset += bytes
    this.seenBytes += bytes
    return outcome
  }

  #run(client: Client, request: Request, reply: ReplyWriter): number {
    const { executor } = this.#engine
    const command = this.#command(request)
    if (command === undefined || !command.takes(request.argc)) return executor.process(client, request, reply)
    if (client.transaction !== null) {
      if (command.name === 'exec') return this.#exec(client, request, reply)
      return executor.process(client, request, reply)
    }
    if (!command.mayHaveKeys) return this.#withoutKeys(client, command, request, reply)
    const verdict = this.#judge.judge(client.db, command, request, false)
    if (verdict === WAIT) return POSTPONED
    this.#tell(request)
    switch (verdict) {
      case DROP:
        this.droppedBytes += request.rawEnd - request.rawStart
        return DONE
      case REPLACE:
        return executor.process(client, Request.of(this.#judge.replacement), reply)
      case FETCH:
        for (const { database, key } of this.#judge.changed()) this.#missing.ask(database, key)
        return DONE
      case PASS_AND_LOOK: {
        const changed = this.#judge.changed()
        const outcome = executor.process(client, request, reply)
        if (outcome !== POSTPONED) this.#look(client, changed)
        return outcome
      }
      default:
        return executor.process(client, request, reply)
    }
  }

  #command(request: Request): Command | undefined {
    const { table } = this.#engine
    const command = table.lookup(request.buf, request.start(0), request.end(0))
    if (command?.subcommands === undefined || request.argc < 2) return command
    return table.lookupSub(command, request.buf, request.start(1), request.end(1))
  }

  /** Whoever keeps hidden keys elsewhere hears of their changes. A type that is not kept hides keys of any name. */
  #tell(request: Request): void {
    if (this.hidden?.isWatching !== true) return
    for (const touch of this.#judge.touches) {
      if (touch.changes && (!touch.isHere || this.#part.hasTypes)) this.hidden.changed(request.view(touch.index))
    }
  }

  // ---- what concerns whole databases -------------------------------------------------------------------------------

  #withoutKeys(client: Client, command: Command, request: Request, reply: ReplyWriter): number {
    const { executor } = this.#engine
    const verdict = this.#judgeDatabases(client.db, command, request)
    if (verdict === WAIT) return POSTPONED
    if (verdict === DROP) {
      this.droppedBytes += request.rawEnd - request.rawStart
      return DONE
    }
    if (verdict === FETCH) {
      this.#setup.onLost('SWAPDB exchanged a database that is kept with one that is not')
      return DONE
    }
    if (command.name === 'swapdb') this.#missing.exchanged(request.integer(1), request.integer(2))
    return executor.process(client, request, reply)
  }

  /** FETCH: it brings a whole hidden database. */
  #judgeDatabases(database: number, command: Command, request: Request): number {
    const { name } = command
    if (name !== 'flushall' && name !== 'flushdb' && name !== 'swapdb') return PASS
    // What is known already is of a later moment.
    if (this.#missing.isAsking) return WAIT
    this.hidden?.everything()
    if (name === 'flushall') return PASS
    if (name === 'flushdb') return this.#part.showsDatabase(database) ? PASS : DROP
    const first = this.#part.showsDatabase(request.integer(1))
    const second = this.#part.showsDatabase(request.integer(2))
    return first !== second ? FETCH : first ? PASS : DROP
  }

  // ---- transactions ------------------------------------------------------------------------------------------------

  #exec(client: Client, request: Request, reply: ReplyWriter): number {
    const { executor } = this.#engine
    const steps: Step[] = []
    let { db } = client
    for (const queued of client.transaction!) {
      const { command } = queued
      const verdict = command.mayHaveKeys
        ? this.#judge.judge(db, command, queued.request, true)
        : this.#judgeDatabases(db, command, queued.request)
      if (verdict === WAIT) return POSTPONED
      const isKeyed = command.mayHaveKeys && verdict !== DROP
      steps.push({
        queued,
        verdict,
        replacement: verdict === REPLACE ? this.#judge.replacement : [],
        changed: isKeyed ? this.#judge.changed() : [],
      })
      if (command.mayHaveKeys) this.#tell(queued.request)
      if (command.name === 'select') db = queued.request.integer(1)
    }
    if (steps.some(({ queued, verdict }) => verdict === FETCH && !queued.command.mayHaveKeys)) {
      this.#setup.onLost('SWAPDB exchanged a database that is kept with one that is not')
      return DONE
    }
    const fetches = steps.some(({ verdict }) => verdict === FETCH)
    client.transaction = steps.flatMap((step) => this.#kept(step, fetches))
    const outcome = executor.process(client, request, reply)
    for (const { queued, verdict } of steps) {
      if (queued.command.name !== 'swapdb' || verdict !== PASS) continue
      this.#missing.exchanged(queued.request.integer(1), queued.request.integer(2))
    }
    if (fetches) this.#askAll(steps)
    for (const { verdict, changed } of steps) if (verdict === PASS_AND_LOOK) this.#look(client, changed)
    return outcome
  }

  /** What is left of one of its commands. */
  #kept({ queued, verdict, replacement }: Step, fetches: boolean): QueuedCommand[] {
    const { command, request, flagBits } = queued
    if (verdict === DROP || (fetches && command.mayHaveKeys)) {
      this.droppedBytes += request.rawEnd - request.rawStart
      return []
    }
    if (verdict !== REPLACE) return [queued]
    const other = this.#engine.table.original(replacement[0]!.latin1Slice())!
    return [{ command: other, request: Request.of(replacement), flagBits: flagBits | other.flagBits }]
  }

  /** The shown keys that it changed, where they are behind it. */
  #askAll(steps: readonly Step[]): void {
    let keys: KeyAt[] = []
    for (const { queued, changed } of steps) {
      const { command, request } = queued
      if (command.name === 'swapdb') {
        const [a, b] = [request.integer(1), request.integer(2)]
        keys = keys.map(({ database, key }) => ({ database: database === a ? b : database === b ? a : database, key }))
      }
      keys.push(...changed)
    }
    for (const { database, key } of keys) {
      if (this.#missing.stateOf(database, key) === undefined) this.#missing.ask(database, key)
    }
  }

  // ---- values that come from the primary ---------------------------------------------------------------------------

  /** Puts those in their places whose moment the stream has reached. */
  settle(client: Client): void {
    if (this.#missing.size === 0) return
    const { holds } = this.#setup
    const due = this.#missing.due(this.offset).filter(({ key }) => holds?.(key) !== false)
    if (due.length === 0) return
    // In the middle of a transaction: its commands are only queued.
    const { transaction } = client
    client.transaction = null
    const { executor } = this.#engine
    // Together, as they were asked for.
    executor.enter(client)
    for (const { database, key, payload, expireAt } of due) {
      if (payload === null) this.#execute(client, database, ['DEL', key])
      else this.#execute(client, database, ['RESTORE', key, String(expireAt), payload, 'REPLACE', 'ABSTTL'])
    }
    this.#look(client, due)
    executor.leave()
    executor.flushUnit(true)
    client.transaction = transaction
  }

  #execute(client: Client, database: number, args: readonly (string | Buffer)[]): void {
    const { db } = client
    const failures = this.#muted.errors
    client.db = database
    this.#engine.executor.process(client, Request.of(args), this.#muted)
    client.db = db
    if (this.#muted.errors > failures) this.#setup.onLost(`a value cannot be stored: ${this.#muted.lastError}`)
  }

  /** Those of a type that is not kept go. */
  #look(client: Client, keys: readonly KeyAt[]): void {
    if (!this.#part.hasTypes) return
    const { store } = this.#engine
    for (const { database, key } of keys) {
      const ref = store.databases[database]?.findKey(key) ?? 0
      if (ref !== 0 && !this.#part.showsType(store.type(ref))) this.#execute(client, database, ['DEL', key])
    }
  }
}
