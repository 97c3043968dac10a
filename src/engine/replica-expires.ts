/**
 * Expire times that a writable replica's own clients set: the primary knows nothing of those keys and will never send the
 * DEL for which a replica waits otherwise, so the replica removes them itself. redis 7.0.15 expire.c expireSlaveKeys,
 * rememberSlaveKeyWithExpire
 */

import { hashBytes } from '../bytes/siphash.ts'
import type { Command } from '../commands/command.ts'
import { FoundKeys, findKeys } from '../commands/keys.ts'
import type { Request } from '../resp/request.ts'
import { NO_EXPIRE } from '../store/record.ts'
import type { Engine } from './engine.ts'

const SETS_EXPIRE = new Set([
  ...['set', 'setex', 'psetex', 'getex', 'expire', 'pexpire', 'expireat', 'pexpireat'],
  ...['restore', 'copy', 'rename', 'renamenx'],
])
const KEYS_PER_CYCLE = 1000

interface LocalKey {
  readonly database: number
  readonly key: Buffer
}

export class ReplicaExpires {
  /** This server is a replica that takes writes. */
  isActive = false
  #engine: Engine
  #keys = new Map<string, LocalKey>()
  #found = new FoundKeys()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get count(): number {
    return this.#keys.size
  }

  /** The command has changed something on behalf of a client of this server. */
  remember(command: Command, request: Request, database: number): void {
    if (!SETS_EXPIRE.has(command.name)) return
    const found = this.#found
    const { store } = this.#engine
    findKeys(command, request, found)
    for (let i = 0; i < found.count; i++) {
      const at = found.index(i)
      const ref = store.databases[database]!.findKey(request.view(at))
      if (ref === 0 || store.expireAt(ref) === NO_EXPIRE) continue
      this.#keys.set(`${database}:${request.latin1(at)}`, { database, key: request.copy(at) })
    }
  }

  /** The data set is another one, or this server decides about all keys now. */
  forget(): void {
    this.#keys.clear()
  }

  /** Removes those that are past their time. */
  run(): void {
    const engine = this.#engine
    const { store } = engine
    let left = Math.min(KEYS_PER_CYCLE, this.#keys.size)
    for (const [name, local] of this.#keys) {
      if (left-- === 0) return
      this.#keys.delete(name)
      const { database, key } = local
      const keyspace = store.databases[database]!
      const ref = keyspace.findKey(key)
      if (ref === 0 || store.expireAt(ref) === NO_EXPIRE) continue
      if (store.expireAt(ref) < engine.now) engine.removeExpired(keyspace, hashBytes(key, 0, key.length), ref)
      // To the end: each has its turn.
      else this.#keys.set(name, local)
    }
  }
}
