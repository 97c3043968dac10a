/**
 * The stream of writes, reduced to what a filter shows. A command all of whose keys are shown goes on as it is, one that
 * has none is left out. One that touches both sides would need hidden data to be run again, so the shown keys it may have
 * changed are sent whole instead (RESTORE, or DEL when they are gone); DEL, UNLINK and MSET are simply shortened. In a
 * transaction all of that is decided together: when one of its commands is mixed, all shown keys of the transaction are
 * sent whole, as they are at its end. What has no key (FLUSHALL, SWAPDB, functions) goes on, a message if its channel
 * is shown.
 *
 * Works because it is fed at once: the data set is what the command, or the transaction, has left.
 */
import type { Command } from '../../commands/command.ts'
import { KEY_FLAG_BITS } from '../../commands/define.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import { CommandEncoder } from '../../effects/command-encoder.ts'
import type { Engine } from '../../engine/engine.ts'
import { dumpValue } from '../../rdb/dump-payload.ts'
import type { Request } from '../../resp/request.ts'
import { COMPLETE, RequestParser } from '../../resp/request-parser.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { ReplicationStream } from '../stream.ts'
import type { Filter } from './filter.ts'

const LIMITS = { maxBulkBytes: Number.MAX_SAFE_INTEGER }
const { INSERT, DELETE, UPDATE } = KEY_FLAG_BITS
const CHANGES = INSERT | DELETE | UPDATE

/** How much of a command is shown. */
const ALL = 0
const NONE = 1
const SHORTENED = 2
const MIXED = 3

interface Piece {
  readonly database: number
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

interface WholeKey {
  readonly database: number
  readonly key: Buffer
}

export class Reducer {
  #engine: Engine
  #filter: Filter
  #stream: ReplicationStream
  #parser = new RequestParser(LIMITS)
  #found = new FoundKeys()
  #encoder = new CommandEncoder()
  /** Of the transaction under way; null outside of one. */
  #transaction: Piece[] | null = null

  constructor(engine: Engine, filter: Filter, stream: ReplicationStream) {
    this.#engine = engine
    this.#filter = filter
    this.#stream = stream
  }

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    const request = this.#parse(bytes, start, end)
    if (request === null) return
    if (request.is(0, 'MULTI')) {
      this.#transaction = []
    } else if (request.is(0, 'EXEC')) {
      const pieces = this.#transaction ?? []
      this.#transaction = null
      this.#endTransaction(pieces)
    } else if (this.#transaction !== null) {
      this.#transaction.push({ database, bytes, start, end })
    } else {
      const shown = this.#shown(request)
      if (shown === MIXED) this.#sendWhole(this.#wholeKeys(database, request, []))
      else this.#pass(shown, request, { database, bytes, start, end })
    }
  }

  /** The request is valid until the next one is parsed. */
  #parse(bytes: Buffer, start: number, end: number): Request | null {
    const parser = this.#parser
    parser.begin(bytes, start, end)
    const count = parser.nextBatch(1)
    if (count === 1 && parser.status === COMPLETE) return parser.batch[0]!
    return count === 1 ? parser.batch[0]! : null
  }

  #command(request: Request): Command | undefined {
    const { table } = this.#engine
    const command = table.lookup(request.buf, request.start(0), request.end(0))
    if (command?.subcommands === undefined || request.argc < 2) return command
    return table.lookupSub(command, request.buf, request.start(1), request.end(1))
  }

  /** Leaves the keys in #found. */
  #shown(request: Request): number {
    const command = this.#command(request)
    const found = this.#found
    found.clear()
    if (command === undefined) return ALL
    if (command.channels !== undefined) {
      return this.#filter.showsChannel(request.buf, request.start(1), request.end(1)) ? ALL : NONE
    }
    if (!command.mayHaveKeys) return ALL
    findKeys(command, request, found, 0)
    let shown = 0
    for (let k = 0; k < found.count; k++) if (this.#showsKey(request, found.index(k))) shown++
    if (shown === found.count) return ALL
    if (shown === 0) return NONE
    return command.name === 'del' || command.name === 'unlink' || command.name === 'mset' ? SHORTENED : MIXED
  }

  #showsKey(request: Request, i: number): boolean {
    return this.#filter.showsKey(request.buf, request.start(i), request.end(i))
  }

  #pass(shown: number, request: Request, { database, bytes, start, end }: Piece): void {
    if (shown === ALL) this.#stream.feed(database, bytes, start, end)
    else if (shown === SHORTENED) this.#shorten(database, request)
  }

  /** DEL, UNLINK and MSET with the shown keys only. */
  #shorten(database: number, request: Request): void {
    const found = this.#found
    const width = request.is(0, 'MSET') ? 2 : 1
    let shown = 0
    for (let k = 0; k < found.count; k++) if (this.#showsKey(request, found.index(k))) shown++
    const encoder = this.#encoder.begin(1 + shown * width)
    encoder.argument(request, 0)
    for (let k = 0; k < found.count; k++) {
      const i = found.index(k)
      if (!this.#showsKey(request, i)) continue
      for (let j = 0; j < width; j++) encoder.argument(request, i + j)
    }
    this.#send(database)
  }

  #send(database: number): void {
    const { buf, start, end } = this.#encoder
    this.#stream.feed(database, buf, start, end)
  }

  #word(database: number, word: string): void {
    this.#encoder.begin(1).text(word)
    this.#send(database)
  }

  #endTransaction(pieces: readonly Piece[]): void {
    const parts = pieces.map((piece) => ({ piece, shown: this.#shown(this.#again(piece)) }))
    const visible = parts.filter(({ shown }) => shown !== NONE)
    if (parts.some(({ shown }) => shown === MIXED)) {
      this.#endMixed(visible.map(({ piece }) => piece))
      return
    }
    const wrapped = visible.length > 1
    if (wrapped) this.#word(visible[0]!.piece.database, 'MULTI')
    for (const { piece, shown } of visible) {
      // Parsing it again finds its keys again.
      const request = this.#again(piece)
      if (shown === SHORTENED) this.#shown(request)
      this.#pass(shown, request, piece)
    }
    if (wrapped) this.#word(visible.at(-1)!.piece.database, 'EXEC')
  }

  #again({ bytes, start, end }: Piece): Request {
    return this.#parse(bytes, start, end)!
  }

  /** What has no keys as it is, and the shown keys of all the rest as they are now. */
  #endMixed(pieces: readonly Piece[]): void {
    let keys: WholeKey[] = []
    this.#word(pieces[0]!.database, 'MULTI')
    for (const piece of pieces) {
      const request = this.#again(piece)
      this.#shown(request)
      if (request.is(0, 'SWAPDB')) keys = swapped(keys, request.integer(1), request.integer(2))
      if (this.#found.count === 0) this.#pass(ALL, request, piece)
      else this.#wholeKeys(piece.database, request, keys)
    }
    this.#sendWhole(keys)
    this.#word(pieces.at(-1)!.database, 'EXEC')
  }

  /** Adds the shown keys that the request, whose keys are in #found, may have changed. */
  #wholeKeys(database: number, request: Request, keys: WholeKey[]): WholeKey[] {
    const found = this.#found
    const other = otherDatabase(request)
    for (let k = 0; k < found.count; k++) {
      const i = found.index(k)
      const flags = found.flags(k)
      // Flags that say nothing may mean anything.
      if ((flags !== 0 && (flags & CHANGES) === 0) || !this.#showsKey(request, i)) continue
      const key = Buffer.from(request.view(i))
      // COPY reads its first key and writes its second, in the database that it names; MOVE takes its key there.
      if (other < 0 || request.is(0, 'MOVE')) add(keys, { database, key })
      if (other >= 0) add(keys, { database: other, key })
    }
    return keys
  }

  #sendWhole(keys: readonly WholeKey[]): void {
    const { store, config } = this.#engine
    for (const { database, key } of keys) {
      const db = store.databases[database]
      const ref = db?.findKey(key) ?? 0
      if (ref === 0) {
        this.#encoder.begin(2).text('DEL').bytes(key)
      } else {
        const expireAt = store.expireAt(ref)
        const payload = dumpValue(store, ref, config.get('rdbcompression'))
        const encoder = this.#encoder.begin(6).text('RESTORE').bytes(key)
        encoder.text(expireAt === NO_EXPIRE ? '0' : String(expireAt)).bytes(payload)
        encoder.text('REPLACE').text('ABSTTL')
      }
      this.#send(database)
    }
  }
}

function add(keys: WholeKey[], { database, key }: WholeKey): void {
  if (!keys.some((other) => other.database === database && other.key.equals(key))) keys.push({ database, key })
}

function swapped(keys: readonly WholeKey[], a: number, b: number): WholeKey[] {
  return keys.map(({ database, key }) => ({ database: database === a ? b : database === b ? a : database, key }))
}

/** The database that MOVE and COPY … DB name; -1 for other commands. */
function otherDatabase(request: Request): number {
  if (request.is(0, 'MOVE') && request.argc > 2) return request.integer(2)
  if (!request.is(0, 'COPY')) return -1
  for (let i = 3; i + 1 < request.argc; i++) if (request.is(i, 'DB')) return request.integer(i + 1)
  return -1
}
