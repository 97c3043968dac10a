/**
 * Reads of the data set from inside the process, without a socket. get() goes straight to the record; every other command
 * takes the path of a call with its own small client, and what it replies becomes the values that a client library would
 * give. Nothing here waits: a call is over when it returns.
 */
import { hashBytes } from '../bytes/siphash.ts'
import { UTF8_MAX, writeUtf8 } from '../bytes/utf8.ts'
import { Client, type Transport } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { FLAG_BLOCKING, FLAG_READONLY } from '../commands/define.ts'
import { errors } from '../commands/errors.ts'
import type { Engine } from '../engine/engine.ts'
import type { Request } from '../resp/request.ts'
import { NO_EXPIRE, TYPE_STRING } from '../store/record.ts'
import { type Argument, CallRequest } from './call-request.ts'
import type { ReadCache } from './read-cache.ts'
import { ReplyValue, type Value } from './reply-value.ts'

const CLIENT_ID = -2
const KEY_ROOM = 1024 * UTF8_MAX

const nowhere: Transport = {
  remoteAddress: 'embedded:0',
  localAddress: 'embedded:0',
  fd: -1,
  pendingBytes: 0,
  queryBytes: 0,
  writeText: () => {},
  writeBuffers: () => {},
  resume: () => {},
  close: () => {},
}

export class Reader {
  #engine: Engine
  #client: Client
  #request = new CallRequest()
  #reply = new ReplyValue()
  #key = Buffer.allocUnsafeSlow(KEY_ROOM)
  #keyLength = 0
  /** Of the key that was looked for last. */
  #hash = 0
  #expireAt = NO_EXPIRE
  #cache: ReadCache | null

  /** `database`: the one that is read. `cache` is told of every change of it by who gives it. */
  constructor(engine: Engine, database: number, cache: ReadCache | null = null) {
    this.#engine = engine
    this.#cache = cache
    this.#client = new Client(CLIENT_ID, nowhere, engine.now)
    this.#client.authenticated = true
    this.#client.db = database
  }

  /** The value of a string as text (UTF-8); null without one. Throws WRONGTYPE for another type. */
  get(key: string | Buffer): string | null {
    const cache = this.#cache
    if (cache === null || typeof key !== 'string') return this.#decoded(key)
    let kept = cache.get(key)
    if (kept === undefined && cache.hasTimed) kept = cache.getTimed(key, this.#engine.unixMs)
    if (kept !== undefined) return kept
    const value = this.#decoded(key)
    if (value !== null) cache.offer(key, this.#hash, value, this.#expireAt)
    return value
  }

  #decoded(key: string | Buffer): string | null {
    const ref = this.#string(key)
    if (ref === 0) return null
    const { store } = this.#engine
    store.read(ref)
    return store.bytes.utf8Slice(store.start, store.end)
  }

  /** The bytes of a string: a copy. */
  getBuffer(key: string | Buffer): Buffer | null {
    const ref = this.#string(key)
    if (ref === 0) return null
    const { store } = this.#engine
    store.read(ref)
    return Buffer.from(store.bytes.subarray(store.start, store.end))
  }

  #string(key: string | Buffer): number {
    const engine = this.#engine
    const { store } = engine
    const bytes = this.#bytesOf(key)
    const end = this.#keyLength
    const hash = hashBytes(bytes, 0, end)
    this.#hash = hash
    const ref = store.databases[this.#client.db]!.find(hash, bytes, 0, end)
    if (ref === 0) return 0
    const expireAt = store.expireAt(ref)
    this.#expireAt = expireAt
    // Past its time: gone for who asks, as on every replica, until the primary's DEL comes.
    if (expireAt !== NO_EXPIRE && expireAt < engine.unixMs) return 0
    if (store.type(ref) !== TYPE_STRING) throw new Error(errors.wrongType)
    return ref
  }

  #bytesOf(key: string | Buffer): Buffer {
    if (typeof key !== 'string') {
      this.#keyLength = key.length
      return key
    }
    if (key.length * UTF8_MAX <= KEY_ROOM) {
      this.#keyLength = writeUtf8(this.#key, 0, key)
      return this.#key
    }
    const bytes = Buffer.from(key, 'utf8')
    this.#keyLength = bytes.length
    return bytes
  }

  /**
   * Runs one command that only reads and does not block. Throws an Error with Redis's text for an error reply, and for a
   * command that writes.
   */
  call(args: readonly Argument[], asBuffers = false): Value {
    const request = this.#request.fill(args)
    const reply = this.#reply
    reply.asBuffers = asBuffers
    this.#execute(this.#command(request), request)
    return reply.take()
  }

  #command(request: Request): Command {
    if (request.argc === 0) throw new Error('ERR a command is needed')
    const { table } = this.#engine
    const { buf } = request
    let command = table.lookup(buf, request.start(0), request.end(0))
    if (command?.subcommands !== undefined && request.argc > 1) {
      command = table.lookupSub(command, buf, request.start(1), request.end(1))
    }
    if (command === undefined) throw new Error(`ERR unknown command '${nameOf(request)}'`)
    if (!command.takes(request.argc)) throw new Error(errors.wrongArity(command.fullName))
    if ((command.flagBits & FLAG_READONLY) === 0 || command.group === 'scripting')
      throw new Error(`READONLY '${nameOf(request)}' is no command that only reads.`)
    const isBlocking = (command.flagBits & FLAG_BLOCKING) !== 0
    for (let i = 1; isBlocking && i < request.argc; i++) {
      if (request.is(i, 'BLOCK')) throw new Error(`ERR '${nameOf(request)}' cannot block here: leave out BLOCK`)
    }
    return command
  }

  #execute(command: Command, request: Request): void {
    const { executor } = this.#engine
    // What is past its time is gone at once, as for get().
    this.#engine.tick()
    const reply = this.#reply
    const outer = executor.call.reply
    executor.execute(this.#client, command, request, reply)
    executor.endRun()
    executor.call.reply = outer
  }
}

function nameOf(request: Request): string {
  return request.latin1(0).slice(0, 128)
}
