/**
 * Reads an RDB stream as it arrives, in chunks of any size, and tells a handler what is in it. A stream is read item by
 * item (an opcode with its arguments, a key, one element of a value), and the place between two items is all the state
 * there is. When an item is not there completely, the reader knows how many bytes it takes at least and only collects
 * chunks until then, so that a huge string is put together once and not tried again with each chunk.
 *
 *   header → opcode ⇄ key → value → opcode … → checksum → done        (a step each, in STEPS)
 *
 * Chunks belong to the reader once they are fed: keys and values given to the handler are views of them.
 */
import { Crc64 } from '../bytes/crc64.ts'
import {
  CHECKSUM_LENGTH,
  describeType,
  HEADER_LENGTH,
  isKnownType,
  MODULE_DOUBLE,
  MODULE_EOF,
  MODULE_FLOAT,
  MODULE_SINT,
  MODULE_STRING,
  MODULE_UINT,
  OPCODE_AUX,
  OPCODE_EOF,
  OPCODE_EXPIRETIME,
  OPCODE_EXPIRETIME_MS,
  OPCODE_FREQ,
  OPCODE_IDLE,
  OPCODE_MODULE_AUX,
  OPCODE_RESIZEDB,
  OPCODE_SELECTDB,
  OPCODE_SLOT_INFO,
  printable,
  RDB_VERSION_NEWEST,
  RDB_VERSION_VALKEY,
  RdbError,
} from './format.ts'
import { readLibrary } from './function-payload.ts'
import { RdbInput } from './input.ts'
import { type RdbValue, ValueDecoder } from './value-decoder.ts'

export interface RdbHandler {
  /** Signature and version are accepted; comes before anything else. */
  header(version: number): void
  aux(name: string, value: string): void
  /** The code of a function library, to keep. */
  library(code: Buffer): void
  selectDatabase(database: number): void
  resizeDatabase(keys: number, expires: number): void
  /** `expireAt`, `idleSeconds` and `frequency` are -1 when the stream has none. */
  key(key: Buffer, value: RdbValue, expireAt: number, idleSeconds: number, frequency: number): void
  /** A key whose value is empty, which some old servers wrote: nothing to keep. */
  emptyKey(key: Buffer): void
  /** Something that can be passed over, in words for the log. */
  warning(text: string): void
  end(): void
}

export interface RdbReaderOptions {
  /** Verify the checksum (rdbchecksum). */
  checksum?: boolean
  /** Look into packed values for duplicates and bad scores, as RESTORE of foreign bytes should. */
  deep?: boolean
}

type Step = 'header' | 'opcode' | 'key' | 'value' | 'module' | 'checksum' | 'done'

const NONE = -1

export class RdbReader {
  version = 0
  /** Bytes that the reader is done with. */
  get offset(): number {
    return this.#input.offset
  }
  get done(): boolean {
    return this.#step === 'done'
  }

  #handler: RdbHandler
  #input = new RdbInput()
  #decoder: ValueDecoder
  #step: Step = 'header'
  #crc: Crc64 | null
  /** Chunks from the first byte not yet read; nothing is tried before there are `#needed` of them. */
  #pending: Buffer[] = []
  #pendingBytes = 0
  #needed = HEADER_LENGTH
  #rest: Buffer | undefined

  #type = NONE
  #key: Buffer = Buffer.alloc(0)
  #expireAt = NONE
  #idleSeconds = NONE
  #frequency = NONE

  constructor(handler: RdbHandler, options: RdbReaderOptions = {}) {
    this.#handler = handler
    this.#crc = options.checksum === false ? null : new Crc64()
    this.#decoder = new ValueDecoder(options.deep ?? false)
  }

  /** What was fed after the end of the stream. */
  get rest(): Buffer {
    return this.#rest ?? Buffer.alloc(0)
  }

  /** Reads what it can. Throws RdbError when the stream is not what it should be; nothing may be fed after that. */
  feed(chunk: Buffer): void {
    if (this.done) {
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
      return
    }
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    if (this.#pendingBytes < this.#needed) return
    const input = this.#input
    const bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending, this.#pendingBytes)
    input.set(bytes, input.offset)
    this.#read()
    const left = bytes.subarray(input.pos)
    if (this.done) {
      this.#rest = left
      this.#pending = []
      this.#pendingBytes = 0
      return
    }
    this.#crc?.update(bytes, 0, input.pos)
    input.set(left, input.offset)
    this.#pending = left.length === 0 ? [] : [left]
    this.#pendingBytes = left.length
    this.#needed = Math.max(input.needed, left.length + 1)
  }

  /** No more bytes will come: throws unless the stream is complete. */
  finish(): void {
    if (this.done) return
    this.#input.reading = this.#reading()
    throw this.#input.error('RDB_TRUNCATED', 'Unexpected EOF reading RDB file')
  }

  #read(): void {
    const input = this.#input
    try {
      while (this.#step !== 'done') {
        if (!this.#item()) return
      }
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      // Who throws it knows the reason, but not all of the place.
      input.reading = this.#reading()
      throw input.error(error.code, error.reason)
    }
  }

  /** Reads one item. False when it is not there completely. */
  #item(): boolean {
    switch (this.#step) {
      case 'header':
        return this.#readHeader()
      case 'opcode':
        return this.#readOpcode()
      case 'key':
        return this.#readKey()
      case 'value':
        return this.#readValue()
      case 'module':
        return this.#skipModuleItem()
      case 'checksum':
        return this.#readChecksum()
      default:
        return false
    }
  }

  #reading(): string {
    const { key, type } = this.#input
    switch (this.#step) {
      case 'header':
        return 'the header'
      case 'opcode':
        return 'an opcode'
      case 'key':
        return `a key (${describeType(this.#type)})`
      case 'value':
        return `the value of key '${printable(key ?? this.#key)}' (${describeType(type ?? this.#type)})`
      case 'module':
        return 'module data'
      default:
        return 'the checksum'
    }
  }

  /** redis 7.0.15 rdb.c rdbLoadRioWithLoadingCtx; Valkey's signature has one digit less. */
  #readHeader(): boolean {
    const input = this.#input
    if (!input.has(HEADER_LENGTH)) return false
    const text = input.bytes.toString('latin1', 0, HEADER_LENGTH)
    const valkey = text.startsWith('VALKEY')
    if (!valkey && !text.startsWith('REDIS')) {
      throw input.error('RDB_SIGNATURE', 'Wrong signature trying to load DB from file')
    }
    const version = Number.parseInt(text.slice(valkey ? 6 : 5), 10) || 0
    const known = valkey ? version === RDB_VERSION_VALKEY : version >= 1 && version <= RDB_VERSION_NEWEST
    if (!known) throw input.error('RDB_VERSION', `Can't handle RDB format version ${version}`)
    input.pos += HEADER_LENGTH
    this.version = version
    this.#step = 'opcode'
    this.#handler.header(version)
    return true
  }

  #readOpcode(): boolean {
    const input = this.#input
    const start = input.pos
    const opcode = input.byte()
    if (opcode < 0) return false
    if (opcode < OPCODE_SLOT_INFO) {
      if (!isKnownType(opcode)) {
        input.pos = start
        throw input.corrupt(`Unknown RDB encoding type ${opcode}`)
      }
      this.#type = opcode
      this.#step = 'key'
      return true
    }
    if (this.#arguments(opcode)) return true
    input.rewind(start)
    return false
  }

  #arguments(opcode: number): boolean {
    const input = this.#input
    switch (opcode) {
      case OPCODE_EXPIRETIME_MS:
        if (!input.has(8)) return false
        this.#expireAt = input.int64()
        return true
      case OPCODE_EXPIRETIME:
        if (!input.has(4)) return false
        this.#expireAt = input.bytes.readInt32LE(input.pos) * 1000
        input.pos += 4
        return true
      case OPCODE_FREQ:
        return (this.#frequency = input.byte()) >= 0
      case OPCODE_IDLE:
        return (this.#idleSeconds = input.length()) >= 0
      case OPCODE_SELECTDB: {
        const database = input.length()
        if (database < 0) return false
        this.#handler.selectDatabase(database)
        return true
      }
      case OPCODE_RESIZEDB: {
        const keys = input.length()
        const expires = keys < 0 ? NONE : input.length()
        if (expires < 0) return false
        this.#handler.resizeDatabase(keys, expires)
        return true
      }
      case OPCODE_AUX: {
        const name = input.string()
        const value = name && input.string()
        if (name === undefined || value === undefined) return false
        this.#handler.aux(name.toString('latin1'), value.toString('latin1'))
        return true
      }
      case OPCODE_EOF:
        this.#step = 'checksum'
        if (this.version < 5) this.#end()
        return true
      default:
        return this.#skip(opcode)
    }
  }

  /** What this server has no use for. */
  #skip(opcode: number): boolean {
    const input = this.#input
    if (opcode === OPCODE_SLOT_INFO) return input.length() >= 0 && input.length() >= 0 && input.length() >= 0
    if (opcode === OPCODE_MODULE_AUX) {
      // The module's id, then when it was written as [UINT][n]; its data are items up to MODULE_EOF.
      if (input.length() < 0 || input.length() < 0 || input.length() < 0) return false
      this.#handler.warning('Skipping module auxiliary data: modules are not supported')
      this.#step = 'module'
      return true
    }
    const code = readLibrary(input, opcode)
    if (code === undefined) return false
    this.#handler.library(Buffer.from(code))
    return true
  }

  /** redis 7.0.15 rdb.c rdbLoadCheckModuleValue */
  #skipModuleItem(): boolean {
    const input = this.#input
    const start = input.pos
    const opcode = input.length()
    let complete = opcode >= 0
    if (opcode === MODULE_EOF) this.#step = 'opcode'
    else if (opcode === MODULE_SINT || opcode === MODULE_UINT) complete = input.length() >= 0
    else if (opcode === MODULE_STRING) complete = input.string() !== undefined
    else if (opcode === MODULE_FLOAT || opcode === MODULE_DOUBLE) {
      const bytes = opcode === MODULE_FLOAT ? 4 : 8
      complete = input.has(bytes)
      if (complete) input.pos += bytes
    } else if (complete) throw input.corrupt(`Unknown module opcode ${opcode}`)
    if (!complete) input.rewind(start)
    return complete
  }

  #readKey(): boolean {
    const input = this.#input
    const key = input.string()
    if (key === undefined) return false
    this.#key = key
    input.key = key
    input.type = this.#type
    this.#step = 'value'
    if (!this.#decoder.begin(this.#type)) {
      throw input.error('RDB_UNSUPPORTED', 'Value of a type that this server does not have')
    }
    return true
  }

  #readValue(): boolean {
    const input = this.#input
    if (!this.#decoder.step(input)) return false
    const value = this.#decoder.value
    const handler = this.#handler
    if (value === undefined) handler.emptyKey(this.#key)
    else handler.key(this.#key, value, this.#expireAt, this.#idleSeconds, this.#frequency)
    this.#decoder.reset()
    input.key = undefined
    input.type = undefined
    this.#expireAt = NONE
    this.#idleSeconds = NONE
    this.#frequency = NONE
    this.#step = 'opcode'
    return true
  }

  #readChecksum(): boolean {
    const input = this.#input
    if (!input.has(CHECKSUM_LENGTH)) return false
    const { bytes, pos } = input
    if (this.#crc !== null) {
      this.#crc.update(bytes, 0, pos)
      const off = bytes.readUInt32LE(pos) === 0 && bytes.readUInt32LE(pos + 4) === 0
      if (off) this.#handler.warning('RDB file was saved with checksum disabled: no check performed.')
      else if (!this.#crc.matchesLE(bytes, pos)) {
        const found = bytes.readBigUInt64LE(pos).toString(16)
        const expected = ((BigInt(this.#crc.hi) << 32n) | BigInt(this.#crc.lo)).toString(16)
        this.#handler.warning(`Wrong RDB checksum expected: (${expected}) but got (${found}). Aborting now.`)
        throw input.error('RDB_CHECKSUM', 'RDB CRC error')
      }
    }
    input.pos += CHECKSUM_LENGTH
    this.#end()
    return true
  }

  #end(): void {
    this.#step = 'done'
    this.#handler.end()
  }
}
