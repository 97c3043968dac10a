/**
 * A stretch of a stream in files: appended at its end, read anywhere, dropped from its beginning.
 *
 *     start                                                    end
 *       [segment, SEGMENT_BYTES][segment][segment, being filled]
 *
 * Segments are files of their own, so that what nobody has to read any more gives its room back at once. All IO is
 * asynchronous. A segment that is being read or written when it is dropped stays open until that is over.
 */
import { unlinkSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'

const SEGMENT_BYTES = 64 * 1024 * 1024
const SEGMENTS_MIN = 8
const READ_BYTES = 512 * 1024

interface Segment {
  readonly path: string
  readonly file: FileHandle
  readonly start: number
  bytes: number
  users: number
  isDropped: boolean
}

export class Segments {
  /** Bytes on disk, without what is being written. */
  bytes = 0

  #list: Segment[] = []
  #path: (start: number) => string
  #writing: Segment | null = null

  /** `path` names the file of a segment that begins at this offset. */
  constructor(path: (start: number) => string) {
    this.#path = path
  }

  /** Offset of the first byte, undefined when there is none. */
  get start(): number | undefined {
    return this.#list[0]?.start
  }

  /** The offset behind the last byte. */
  get end(): number | undefined {
    const last = this.#list.at(-1)
    return last === undefined ? undefined : last.start + last.bytes
  }

  /** `offset` is the end, or there is a gap before it. `most`: what all segments together may become. */
  async append(offset: number, buffers: readonly Buffer[], length: number, most: number): Promise<void> {
    let segment = this.#list.at(-1)
    const room = Math.min(SEGMENT_BYTES, Math.ceil(most / SEGMENTS_MIN))
    if (segment === undefined || offset !== this.end || segment.bytes >= room) {
      const path = this.#path(offset)
      segment = { path, file: await open(path, 'wx+', 0o600), start: offset, bytes: 0, users: 0, isDropped: false }
      this.#list.push(segment)
    }
    this.#writing = segment
    segment.users++
    try {
      await writeAll(segment.file, buffers, segment.bytes)
      segment.bytes += length
      if (!segment.isDropped) this.bytes += length
    } finally {
      this.#writing = null
      this.#release(segment)
    }
  }

  /** Some bytes from `offset` on, which must be there. */
  async read(offset: number): Promise<Buffer> {
    const segment = this.#list.findLast(({ start }) => start <= offset)
    if (segment === undefined || offset >= segment.start + segment.bytes) {
      throw new RangeError(`offset ${offset} is not in the file`)
    }
    const length = Math.min(READ_BYTES, segment.start + segment.bytes - offset)
    const bytes = Buffer.allocUnsafeSlow(length)
    segment.users++
    try {
      const { bytesRead } = await segment.file.read(bytes, 0, length, offset - segment.start)
      if (bytesRead === 0) throw new Error(`${segment.path} is shorter than it was`)
      return bytes.subarray(0, bytesRead)
    } finally {
      this.#release(segment)
    }
  }

  /** Nobody will read what lies before `offset`. The segment that is being written stays: what follows may be wanted. */
  dropBefore(offset: number): void {
    for (;;) {
      const first = this.#list[0]
      if (first === undefined || first === this.#writing || first.start + first.bytes > offset) return
      this.#drop()
    }
  }

  clear(): void {
    while (this.#list.length > 0) this.#drop()
  }

  /** As clear(), for the end of the process: the files are gone when it returns. */
  clearNow(): void {
    for (const { path } of this.#list) {
      try {
        unlinkSync(path)
      } catch {
        // Somebody else removed it.
      }
    }
    this.#list = []
    this.bytes = 0
  }

  #drop(): void {
    const segment = this.#list.shift()!
    segment.isDropped = true
    this.bytes -= segment.bytes
    unlink(segment.path).catch(() => undefined)
    if (segment.users === 0) void segment.file.close()
  }

  #release(segment: Segment): void {
    segment.users--
    if (segment.isDropped && segment.users === 0) void segment.file.close()
  }
}

async function writeAll(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let left = [...buffers]
  let at = position
  while (left.length > 0) {
    let { bytesWritten } = await file.writev(left, at)
    at += bytesWritten
    while (left.length > 0 && bytesWritten >= left[0]!.length) bytesWritten -= left.shift()!.length
    if (bytesWritten > 0) left = [left[0]!.subarray(bytesWritten), ...left.slice(1)]
  }
}
