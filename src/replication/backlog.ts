/**
 * The bytes of the stream that are still wanted, once for everybody: replicas are offsets into it.
 *
 *     start                     end - size                                  end
 *       |  [block][block][block]...|...[block][block][block][block, filling]  |
 *       |--- still unread by ------|---------- the backlog, for PSYNC --------|
 *            a slow replica
 *
 * A block that is behind all of that is used again, once no socket still has to send from it (`held`). When too much is
 * still unread, the oldest of it goes to a file (spill/): `start` is then where memory begins, and `oldest` the file.
 * Offsets are bytes of the stream, from 0; the 1-based offsets of PSYNC are converted by the callers.
 */
import { BLOCK_BYTES, Blocks } from './blocks.ts'

const SPARE_BLOCKS = 8

export class Backlog {
  /** repl-backlog-size. */
  size: number
  end: number
  /** Offset from which on a file has what came before `start`. */
  spilledFrom: number | undefined
  #start: number
  #memory = new Blocks()
  #blocks: Buffer[] = []
  /** Blocks that nobody can refer to: fresh memory costs a page fault for each 4 KiB. */
  #spare: Buffer[] = []
  /** Offset of the first byte of #blocks[0]. */
  #base: number

  #held: () => number

  /** `held` gives the offset from which on sockets may still refer to the bytes. */
  constructor(size: number, offset: number, held: () => number = () => offset) {
    this.size = size
    this.#held = held
    this.end = offset
    this.#start = offset
    this.#base = offset
  }

  /** Oldest offset in memory: further back than the size while a slow replica needs it. */
  get start(): number {
    return this.#start
  }

  /** Oldest offset from which a replica may resume. */
  get oldest(): number {
    return Math.min(this.#start, this.spilledFrom ?? this.#start)
  }

  /** From which a replica may resume, the file's part too. */
  get histlen(): number {
    return this.end - this.oldest
  }

  /** Bytes held beyond the backlog's size because a replica has not read them. */
  get extraBytes(): number {
    return Math.max(0, this.end - this.#start - this.size)
  }

  /** Bytes of the stream held. The last block has room for up to BLOCK_BYTES more, which nothing has touched yet. */
  get memoryBytes(): number {
    return this.end - this.#start
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    while (from < end) {
      const used = this.end - this.#base
      const at = used % BLOCK_BYTES
      if (used === this.#blocks.length * BLOCK_BYTES)
        this.#blocks.push(this.#spare.pop() ?? this.#oldest() ?? this.#memory.take())
      const block = this.#blocks.at(-1)!
      const length = Math.min(end - from, BLOCK_BYTES - at)
      if (length <= 64) for (let i = 0; i < length; i++) block[at + i] = bytes[from + i]!
      else block.set(bytes.subarray(from, from + length), at)
      this.end += length
      from += length
    }
  }

  /** The bytes from `offset` on that lie together, at least one; empty at the end. They stay as they are. */
  read(offset: number): Buffer {
    if (offset < this.#start || offset > this.end) throw new RangeError(`offset ${offset} is not in the backlog`)
    if (offset === this.end) return EMPTY
    const relative = offset - this.#base
    const index = Math.floor(relative / BLOCK_BYTES)
    const from = relative % BLOCK_BYTES
    const to = Math.min(BLOCK_BYTES, this.end - this.#base - index * BLOCK_BYTES)
    return this.#blocks[index]!.subarray(from, to)
  }

  /**
   * Lets go of what is older than the backlog's size and than `unread`, the slowest replica's offset.
   */
  trim(unread: number): void {
    const keep = Math.min(this.end - this.size, unread)
    if (keep <= this.#start) return
    this.#start = keep
    const held = this.#held()
    while (this.#blocks.length > 1 && this.#base + BLOCK_BYTES <= keep) {
      const block = this.#blocks.shift()!
      if (this.#base + BLOCK_BYTES <= held && this.#spare.length < SPARE_BLOCKS) this.#spare.push(block)
      this.#base += BLOCK_BYTES
    }
  }

  /** The bytes from `from` to the end of the last block that ends before `to`; from the first byte in memory on. */
  wholeBlocks(from: number, to: number): Buffer[] {
    const pieces: Buffer[] = []
    for (let at = from; ; ) {
      const bytes = this.read(at)
      const relative = at + bytes.length - this.#base
      if (bytes.length === 0 || at + bytes.length > to || relative % BLOCK_BYTES !== 0) return pieces
      pieces.push(bytes)
      at += bytes.length
    }
  }

  /** What is before `offset` is kept elsewhere. Sockets may still refer to it. */
  letGo(offset: number): void {
    if (offset <= this.#start) return
    this.#start = offset
    while (this.#blocks.length > 1 && this.#base + BLOCK_BYTES <= offset) {
      this.#blocks.shift()
      this.#base += BLOCK_BYTES
    }
  }

  /** Between two trims, when much is written at once: the first block, if nobody wants it any more. */
  #oldest(): Buffer | undefined {
    const end = this.#base + BLOCK_BYTES
    if (this.#blocks.length < 2 || end > Math.min(this.end - this.size, this.#held())) return undefined
    this.#base = end
    this.#start = Math.max(this.#start, end)
    return this.#blocks.shift()
  }
}

const EMPTY = Buffer.alloc(0)
