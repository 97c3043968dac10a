/**
 * The keyspace as commands: the base of an append-only file when aof-use-rdb-preamble is off. Takes the place of the RDB
 * writer in a snapshot (rdb/snapshot.ts), so records may come in any order and from inside a command that has just
 * looked something up: nothing that commands point at is moved. redis 7.0.15 aof.c rewriteAppendOnlyFileRio
 */
import { formatDouble17 } from '../../bytes/doubles.ts'
import { CommandEncoder } from '../../effects/command-encoder.ts'
import { intsetValues } from '../../store/encodings/intset.ts'
import { listpackEntries, listpackLength } from '../../store/encodings/listpack.ts'
import {
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  NO_EXPIRE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
} from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import type { ElementTable } from '../../store/values/element-table.ts'
import type { HashValue } from '../../store/values/hash.ts'
import type { ListValue } from '../../store/values/list.ts'
import type { SetValue } from '../../store/values/set.ts'
import type { SortedSetValue } from '../../store/values/sorted-set.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import type { Group } from '../../store/values/stream-groups.ts'
import { StreamIterator } from '../../store/values/stream-iterator.ts'

/** redis 7.0.15 server.h AOF_REWRITE_ITEMS_PER_CMD */
const ITEMS_PER_COMMAND = 64
const NO_DATABASE = -1

export interface CommandsWriterOptions {
  /** aof-timestamp-enabled: begins with the time. */
  stampSeconds?: number | undefined
  /** Source texts of function libraries. */
  libraries: Iterable<Uint8Array | string>
}

export class CommandsWriter {
  #store: Store
  #sink: (chunk: Buffer) => void
  #encoder = new CommandEncoder()
  /** What is not handed over yet: the encoder's buffer of before the last command, from one place to another. */
  #buf: Buffer
  #from = 0
  #end = 0
  #handedOver = 0
  #database = NO_DATABASE
  #iterator = new StreamIterator()

  constructor(store: Store, options: CommandsWriterOptions, sink: (chunk: Buffer) => void) {
    this.#store = store
    this.#sink = sink
    this.#buf = this.#encoder.buf
    if (options.stampSeconds !== undefined) this.#hand(Buffer.from(`#TS:${options.stampSeconds}\r\n`, 'latin1'))
    for (const code of options.libraries) this.#begin(3).text('FUNCTION').text('LOAD').add(code)
  }

  get output(): { bytes: number } {
    return { bytes: this.#handedOver + this.#end - this.#from }
  }

  #hand(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#handedOver += chunk.length
    this.#sink(chunk)
  }

  #begin(argc: number): CommandEncoder {
    this.#settle()
    return this.#encoder.begin(argc)
  }

  /** Hands a buffer over when the encoder has gone on to another one, which begins with the command under way then. */
  #settle(): void {
    const encoder = this.#encoder
    if (encoder.buf !== this.#buf) {
      this.#hand(this.#buf.subarray(this.#from, this.#end))
      this.#buf = encoder.buf
      this.#from = 0
    }
    this.#end = encoder.end
  }

  end(): void {
    this.#settle()
    this.#hand(this.#buf.subarray(this.#from, this.#end))
    this.#from = this.#end
  }

  record(ref: number, database: number): void {
    const store = this.#store
    if (database !== this.#database) {
      this.#database = database
      this.#begin(2).text('SELECT').integer(database)
    }
    const type = store.type(ref)
    const key = store.key(ref)
    if (type === TYPE_STRING) {
      store.read(ref)
      this.#begin(3).text('SET').bytes(key).bytes(store.bytes, store.start, store.end)
    } else if (type === TYPE_LIST) {
      this.#list(key, ref)
    } else if (type === TYPE_SET) {
      this.#set(key, ref)
    } else if (type === TYPE_STREAM) {
      this.#stream(key, store.structure<StreamValue>(ref))
    } else {
      this.#pairs(key, ref, type === TYPE_HASH)
    }
    const expireAt = store.expireAt(ref)
    if (expireAt !== NO_EXPIRE) this.#begin(3).text('PEXPIREAT').bytes(key).integer(expireAt)
  }

  /** The encoder for the next of `count` items, which are divided among commands that this begins. */
  #items(name: string, key: Buffer, count: number, perItem: number): () => CommandEncoder {
    let left = count
    let inCommand = 0
    return () => {
      if (inCommand === 0) {
        inCommand = Math.min(ITEMS_PER_COMMAND, left)
        left -= inCommand
        this.#begin(2 + inCommand * perItem)
          .text(name)
          .bytes(key)
      }
      inCommand--
      return this.#encoder
    }
  }

  #list(key: Buffer, ref: number): void {
    const store = this.#store
    if (store.encoding(ref) === ENCODING_LISTPACK) {
      store.read(ref)
      const { bytes, start, end } = store
      const item = this.#items('RPUSH', key, listpackLength(bytes, start, end), 1)
      for (const element of listpackEntries(bytes, start, end)) item().bytes(element)
      return
    }
    const list = store.structure<ListValue>(ref)
    let count = 0
    for (const listpack of list.listpacks()) count += listpackLength(listpack, 0, listpack.length)
    const item = this.#items('RPUSH', key, count, 1)
    for (const listpack of list.listpacks()) {
      for (const element of listpackEntries(listpack, 0, listpack.length)) item().bytes(element)
    }
  }

  #set(key: Buffer, ref: number): void {
    const store = this.#store
    const encoding = store.encoding(ref)
    if (encoding === ENCODING_INTSET) {
      store.read(ref)
      const members = Array.from(intsetValues(store.bytes, store.start, store.end))
      const item = this.#items('SADD', key, members.length, 1)
      for (const member of members) item().text(member.toString())
    } else if (encoding === ENCODING_LISTPACK) {
      store.read(ref)
      const { bytes, start, end } = store
      const item = this.#items('SADD', key, listpackLength(bytes, start, end), 1)
      for (const member of listpackEntries(bytes, start, end)) item().bytes(member)
    } else {
      const { table } = store.structure<SetValue>(ref)
      const item = this.#items('SADD', key, table.size, 1)
      visit(table, () => item().bytes(table.bytes, table.start, table.end))
    }
  }

  /** Fields with values, or members with scores, which stand in front of them. */
  #pairs(key: Buffer, ref: number, isHash: boolean): void {
    const store = this.#store
    const name = isHash ? 'HMSET' : 'ZADD'
    if (store.encoding(ref) === ENCODING_LISTPACK) {
      store.read(ref)
      const { bytes, start, end } = store
      const item = this.#items(name, key, listpackLength(bytes, start, end) / 2, 2)
      let first: Buffer | null = null
      for (const element of listpackEntries(bytes, start, end)) {
        if (first === null) {
          first = element
          continue
        }
        if (isHash) item().bytes(first).bytes(element)
        else item().bytes(element).bytes(first)
        first = null
      }
      return
    }
    const { table } = isHash ? store.structure<HashValue>(ref) : store.structure<SortedSetValue>(ref)
    const item = this.#items(name, key, table.size, 2)
    visit(table, (entry) => {
      if (isHash) {
        const encoder = item().bytes(table.bytes, table.start, table.end)
        table.readValue(entry)
        encoder.bytes(table.bytes, table.start, table.end)
      } else {
        table.readValue(entry)
        const encoder = item().text(formatDouble17(table.bytes.readDoubleLE(table.start)))
        table.read(entry)
        encoder.bytes(table.bytes, table.start, table.end)
      }
    })
  }

  /** redis 7.0.15 aof.c rewriteStreamObject */
  #stream(key: Buffer, stream: StreamValue): void {
    const iterator = this.#iterator
    const { field, value } = iterator
    iterator.start(stream, null, null, false)
    while (iterator.next()) {
      const encoder = this.#begin(3 + iterator.fieldCount * 2)
        .text('XADD')
        .bytes(key)
        .text(iterator.id.toString())
      while (iterator.nextField()) {
        encoder.bytes(field.bytes, field.start, field.end).bytes(value.bytes, value.start, value.end)
      }
    }
    // Leaves a stream without entries.
    if (stream.length === 0) {
      this.#begin(7).text('XADD').bytes(key).text('MAXLEN').text('0').text('0-1').text('x').text('y')
    }
    this.#begin(7)
      .text('XSETID')
      .bytes(key)
      .text(stream.lastId.toString())
      .text('ENTRIESADDED')
      .integer(stream.entriesAdded)
      .text('MAXDELETEDID')
      .text(stream.maxDeletedId.toString())
    for (const group of stream.sortedGroups()) this.#group(key, group)
  }

  #group(key: Buffer, group: Group): void {
    const { name, lastId, entriesRead } = group
    this.#begin(7).text('XGROUP').text('CREATE').bytes(key).bytes(name)
    this.#encoder.text(lastId.toString()).text('ENTRIESREAD').integer(entriesRead)
    for (const consumer of group.sortedConsumers()) {
      if (consumer.pending.size === 0) {
        this.#begin(5).text('XGROUP').text('CREATECONSUMER').bytes(key).bytes(name).bytes(consumer.name)
        continue
      }
      for (const { id, deliveryTime, deliveryCount } of consumer.pending) {
        this.#begin(12).text('XCLAIM').bytes(key).bytes(name).bytes(consumer.name).text('0').text(id.toString())
        this.#encoder.text('TIME').integer(deliveryTime).text('RETRYCOUNT').integer(deliveryCount)
        this.#encoder.text('JUSTID').text('FORCE')
      }
    }
  }
}

/** Each element, which the table points at then; afterwards it points at what it did before. */
function visit(table: ElementTable, visitor: (entry: number) => void): void {
  const { bytes, start, end } = table
  table.visit(0, table.size, (entry) => {
    table.read(entry)
    visitor(entry)
  })
  table.bytes = bytes
  table.start = start
  table.end = end
}
