/**
 * What a connection sends, on its way to the kernel. Most replies are short, and the kernel takes them at once: those are
 * handed to the socket's handle itself, since Node's streams make a request object, a callback and a tick of each write,
 * which costs a tenth of the throughput without pipelines. What the kernel does not take at once, all that is long, and
 * everything by TLS goes through the socket, and so does all behind it until that has been taken.
 */
import type { Socket } from 'node:net'

/** More than this is not worth to be spared the stream. */
const DIRECT_MAX_BYTES = 64 * 1024

/** Node's request object of a write. It holds something only if the write did not end at once. */
interface WriteRequest {
  oncomplete: (status: number) => void
}

/** node v20.20.2 stream_base.cc: 0 or a negative errno. */
interface StreamHandle {
  writeLatin1String(request: WriteRequest, text: string): number
  writeBuffer(request: WriteRequest, bytes: Buffer): number
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest
  /** What the last write of any stream came to. */
  streamBaseState: Int32Array
  kLastWriteWasAsync: number
}

const binding = streamBinding()
/** Of all direct writes, as long as each ends at once. */
let request = binding === null ? null : new binding.WriteWrap()

/** Null where Node does not give it away (its permission model, other runtimes): all goes through sockets then. */
function streamBinding(): StreamBinding | null {
  try {
    const node = process as unknown as { binding(name: string): Partial<StreamBinding> }
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = node.binding('stream_wrap')
    if (WriteWrap === undefined || streamBaseState === undefined || kLastWriteWasAsync === undefined) return null
    return { WriteWrap, streamBaseState, kLastWriteWasAsync }
  } catch {
    return null
  }
}

export class Outlet {
  #socket: Socket
  /** The socket's handle is one of libuv's own. */
  readonly #isDirect: boolean
  /** Of a direct write that the kernel took only a part of, or nothing: at most so many bytes are left of it. */
  #left = 0
  #whenTaken: (() => void)[] = []

  constructor(socket: Socket, isPlain: boolean) {
    this.#socket = socket
    this.#isDirect = isPlain && binding !== null
  }

  /** Bytes that the kernel has not taken yet; of a write that it took a part of, all. */
  get pendingBytes(): number {
    return this.#socket.writableLength + this.#left
  }

  writeText(latin1: string): void {
    if (!this.#writesDirectly(latin1)) this.#socket.write(latin1, 'latin1')
  }

  writeBuffers(buffers: readonly Buffer[]): void {
    const socket = this.#socket
    if (buffers.length === 1) {
      if (!this.#writesDirectly(buffers[0]!)) socket.write(buffers[0]!)
      return
    }
    socket.cork()
    for (const bytes of buffers) socket.write(bytes)
    socket.uncork()
  }

  #writesDirectly(output: string | Buffer): boolean {
    const socket = this.#socket
    if (!this.#isDirect || this.#left > 0 || output.length > DIRECT_MAX_BYTES || socket.writableLength > 0) return false
    const handle = (socket as unknown as { _handle: StreamHandle | null })._handle
    if (handle === null || socket.writableEnded) return false
    const used = request!
    const status =
      typeof output === 'string' ? handle.writeLatin1String(used, output) : handle.writeBuffer(used, output)
    // The socket will meet the same error, and tells it.
    if (status !== 0) return false
    if (binding!.streamBaseState[binding!.kLastWriteWasAsync] === 0) return true
    request = new binding!.WriteWrap()
    this.#left = output.length
    used.oncomplete = (late) => {
      this.#left = 0
      const callbacks = this.#whenTaken
      this.#whenTaken = []
      if (late !== 0) socket.destroy()
      else for (const callback of callbacks) callback()
    }
    return true
  }

  /** Calls back once, when the kernel has taken all that is pending, and not within this call. */
  onDrained(callback: () => void): void {
    if (this.pendingBytes === 0) setImmediate(callback)
    else if (this.#socket.writableLength === 0) this.#whenTaken.push(callback)
    else this.#socket.once('drain', callback)
  }

  end(): void {
    this.#socket.end(() => this.#socket.destroy())
  }
}
