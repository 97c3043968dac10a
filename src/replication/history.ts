/**
 * Which history of writes this server holds, and how far. A history is named by a replication id and measured in bytes
 * of its stream. After a promotion the old name stays valid up to the offset at which the histories parted (PSYNC2), so
 * that replicas of the old primary resume here. This is the one place that decides "same history?".
 */
import { randomBytes } from 'node:crypto'

export const NO_ID = '0'.repeat(40)

export class History {
  replid = newReplicationId()
  replid2 = NO_ID
  /** Bytes of the stream so far. */
  offset = 0
  /** First offset that is no longer part of replid2's history; -1 without one. As Redis, counts from 1. */
  secondOffset = -1

  /** A new history of its own, which nobody shares. */
  renew(): void {
    this.replid = newReplicationId()
    this.clearSecond()
  }

  clearSecond(): void {
    this.replid2 = NO_ID
    this.secondOffset = -1
  }

  /** The id changes while the data stays: promotion, or a primary that was promoted. redis replication.c shiftReplicationId */
  shift(newId: string = newReplicationId()): void {
    this.replid2 = this.replid
    // One more than the offset: the next byte is the first that the old history does not have.
    this.secondOffset = this.offset + 1
    this.replid = newId
  }

  /**
   * Whether a replica that has `replid` up to (not including) the 1-based offset `wanted` has a prefix of this history.
   * redis 7.0.15 replication.c masterTryPartialResynchronization
   */
  shares(replid: string, wanted: number): boolean {
    const id = replid.toLowerCase()
    if (id === this.replid) return true
    return id === this.replid2 && wanted <= this.secondOffset
  }
}

export function newReplicationId(): string {
  return randomBytes(20).toString('hex')
}
