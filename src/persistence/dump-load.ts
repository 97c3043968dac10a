/** Feeds a dump file to a loader: in one go, or in slices between which the rest of the server runs. */
import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { RdbLoader } from '../rdb/loader.ts'

const CHUNK_BYTES = 64 * 1024
const CHUNK_BYTES_AT_ONCE = 1024 * 1024
/** How long it waits at most before it looks at key-load-delay again. */
const DELAY_STEP_MS = 20

/** Undefined when there is no file. Throws the system's error when it cannot be read. */
export function openDump(path: string): { fd: number; bytes: number } | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return { fd, bytes: fstatSync(fd).size }
}

/** Throws RdbError. Closes the file. */
export function loadDumpNow(fd: number, loader: RdbLoader): void {
  try {
    while (!loader.done) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES_AT_ONCE)
      const bytes = readSync(fd, chunk, 0, chunk.length, null)
      if (bytes === 0) loader.finish()
      else loader.feed(chunk.subarray(0, bytes))
    }
  } finally {
    closeSync(fd)
  }
}

export interface LoadPace {
  /** Longest time without letting others run. */
  sliceMs: number
  /** loading-process-events-interval-bytes */
  chunkBytes: () => number
  /** key-load-delay */
  keyDelayMicroseconds: () => number
  onProgress: (bytes: number) => void
}

/** Rejects with RdbError. Closes the file. */
export async function loadDumpInSlices(fd: number, loader: RdbLoader, pace: LoadPace): Promise<void> {
  // The next piece is read while the last one is being worked on.
  let next = readChunk(fd, pace)
  try {
    let loaded = 0
    let sliceStart = performance.now()
    while (!loader.done) {
      const chunk = await next
      if (chunk.length === 0) loader.finish()
      next = readChunk(fd, pace)
      const keys = loader.keysLoaded
      loader.feed(chunk)
      loaded += chunk.length
      pace.onProgress(loaded)
      if (pace.keyDelayMicroseconds() > 0) await delay(loader.keysLoaded - keys, pace)
      if (performance.now() - sliceStart < pace.sliceMs) continue
      await nextTurn()
      sliceStart = performance.now()
    }
  } finally {
    await next.catch(() => undefined)
    closeSync(fd)
  }
}

function readChunk(fd: number, pace: LoadPace): Promise<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, pace.chunkBytes()))
  const reading = new Promise<Buffer>((resolve, reject) => {
    read(fd, chunk, 0, chunk.length, null, (error, bytes) => {
      if (error === null) resolve(chunk.subarray(0, bytes))
      else reject(error)
    })
  })
  // Nobody may be waiting for it yet when it fails.
  reading.catch(() => undefined)
  return reading
}

/** Ends early when the delay is taken back. */
async function delay(keys: number, pace: LoadPace): Promise<void> {
  const since = performance.now()
  for (;;) {
    const left = since + (keys * pace.keyDelayMicroseconds()) / 1000 - performance.now()
    if (left <= 0) return
    await pause(Math.min(left, DELAY_STEP_MS))
  }
}
