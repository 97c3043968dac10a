/**
 * Writes a whole RDB stream: header and aux fields, then records of any database in any order (the walk hands over some
 * early), then the end and the checksum. redis 7.0.15 rdb.c rdbSaveRio, rdbSaveInfoAuxFields, rdbSaveKeyValuePair
 */
import { frequency, idleSeconds } from '../store/access-clock.ts'
import { NO_EXPIRE } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import {
  OPCODE_AUX,
  OPCODE_EOF,
  OPCODE_EXPIRETIME_MS,
  OPCODE_FREQ,
  OPCODE_FUNCTION2,
  OPCODE_IDLE,
  OPCODE_RESIZEDB,
  OPCODE_SELECTDB,
  RDB_VERSION,
} from './format.ts'
import { type ChunkSink, RdbOutput } from './output.ts'
import { HEAD_FIELD, STREAM_FIELD, type Unacknowledged, unacknowledgedHead } from './unacknowledged.ts'
import { saveValue, valueType } from './values.ts'

/** The replication history that the snapshot belongs to. */
export interface ReplicationAux {
  replid: string
  offset: number
  /** Database that the stream has selected. */
  streamDb: number
  /** What of the stream up to there some replica lacks, for all that is known. */
  unacknowledged?: Unacknowledged | undefined
}

export interface RdbAux {
  unixMs: number
  usedMemory: number
  replication?: ReplicationAux | undefined
  /** It is the base of an append-only file. */
  aofBase?: boolean
}

export interface RdbWriterOptions {
  aux: RdbAux
  /** rdbcompression */
  compress: boolean
  /** rdbchecksum */
  checksum: boolean
  /** Which access clock records have, when maxmemory-policy makes it worth saving. */
  access?: 'none' | 'lru' | 'lfu'
  /** lfu-decay-time */
  lfuDecayMinutes?: number
  /** false: the sizes of the databases are not told, since not all of their keys are written. */
  sizes?: boolean
}

const NO_DATABASE = -1

export class RdbWriter {
  readonly output: RdbOutput
  #store: Store
  #options: RdbWriterOptions
  #database = NO_DATABASE
  /** Sizes of the databases when the writer was made, told once each. */
  #sizes: ({ keys: number; expires: number } | undefined)[]

  constructor(store: Store, options: RdbWriterOptions, sink: ChunkSink) {
    this.#store = store
    this.#options = options
    this.#sizes = store.databases.map(({ size, expires }) => ({ keys: size, expires: expires.size }))
    this.output = new RdbOutput(sink, options.compress, options.checksum)
    this.#header(options.aux)
    for (const code of store.libraries.codes()) {
      this.output.byte(OPCODE_FUNCTION2)
      this.output.string(code, 0, code.length)
    }
  }

  #header(aux: RdbAux): void {
    const signature = Buffer.from(`REDIS${String(RDB_VERSION).padStart(4, '0')}`, 'latin1')
    this.output.raw(signature, 0, signature.length)
    this.#aux('redis-ver', '7.0.15')
    this.#auxInteger('redis-bits', 64)
    this.#auxInteger('ctime', Math.floor(aux.unixMs / 1000))
    this.#auxInteger('used-mem', Math.floor(aux.usedMemory))
    if (aux.replication !== undefined) {
      this.#auxInteger('repl-stream-db', aux.replication.streamDb)
      this.#aux('repl-id', aux.replication.replid)
      this.#auxInteger('repl-offset', aux.replication.offset)
      this.#unacknowledged(aux.replication)
    }
    this.#auxInteger('aof-base', aux.aofBase === true ? 1 : 0)
  }

  #unacknowledged({ unacknowledged, offset }: ReplicationAux): void {
    if (unacknowledged === undefined) return
    const { bytes } = unacknowledged
    this.#aux(HEAD_FIELD, unacknowledgedHead(unacknowledged, offset))
    if (bytes.length === 0) return
    this.output.byte(OPCODE_AUX)
    this.output.text(STREAM_FIELD)
    this.output.string(bytes, 0, bytes.length)
  }

  #aux(name: string, value: string): void {
    this.output.byte(OPCODE_AUX)
    this.output.text(name)
    this.output.text(value)
  }

  #auxInteger(name: string, value: number): void {
    this.output.byte(OPCODE_AUX)
    this.output.text(name)
    this.output.integerText(value)
  }

  /** One record, with what must come before it. */
  record(ref: number, database: number): void {
    const { output } = this
    const store = this.#store
    if (database !== this.#database) this.#select(database)
    const expireAt = store.expireAt(ref)
    if (expireAt !== NO_EXPIRE) {
      output.byte(OPCODE_EXPIRETIME_MS)
      output.milliseconds(expireAt)
    }
    this.#access(ref)
    output.byte(valueType(store, ref))
    store.readKey(ref)
    output.string(store.keyBytes, store.keyStart, store.keyEnd)
    saveValue(store, ref, output)
  }

  #select(database: number): void {
    const { output } = this
    this.#database = database
    output.byte(OPCODE_SELECTDB)
    output.length(database)
    const sizes = this.#sizes[database]
    if (sizes === undefined || this.#options.sizes === false) return
    this.#sizes[database] = undefined
    output.byte(OPCODE_RESIZEDB)
    output.length(sizes.keys)
    output.length(sizes.expires)
  }

  #access(ref: number): void {
    const { access, aux, lfuDecayMinutes = 1 } = this.#options
    if (access === undefined || access === 'none') return
    const clock = this.#store.clock(ref)
    if (access === 'lru') {
      this.output.byte(OPCODE_IDLE)
      this.output.length(idleSeconds(clock, aux.unixMs))
    } else {
      this.output.byte(OPCODE_FREQ)
      this.output.byte(frequency(clock, aux.unixMs, lfuDecayMinutes))
    }
  }

  end(): void {
    this.output.byte(OPCODE_EOF)
    this.output.checksum()
    this.output.flush()
  }
}
