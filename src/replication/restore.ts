/**
 * Keys that a primary left out of its dump at start because they are past their time. Replicas that go on where the dump
 * ends still have them, so their removal is the first that the stream tells. redis 7.0.15 rdb.c rdbLoadRioWithLoadingCtx
 * (RDBFLAGS_FEED_REPL)
 */
import { Request } from '../resp/request.ts'
import type { ReplicationStream } from './stream.ts'

export interface ExpiredKey {
  database: number
  key: Buffer
}

export function feedExpired(stream: ReplicationStream, keys: readonly ExpiredKey[], isLazy: boolean): void {
  const name = isLazy ? 'UNLINK' : 'DEL'
  for (const { database, key } of keys) {
    const { buf } = Request.of([name, key])
    stream.feed(database, buf, 0, buf.length)
  }
  stream.flush()
}
