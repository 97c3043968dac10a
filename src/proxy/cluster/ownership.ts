/**
 * Whose word counts for a key in the merged copy. Each slot has an owner, the shard that the cluster's map names; a key
 * that has arrived at another shard while its slot is on the way there is that shard's guest. The holder of a key is the
 * shard whose guest it is, else the owner of its slot; what the stream of anybody else says of it is old (shard-stream.ts).
 *
 * A slot that the map gives to another shard is handed over only when the streams of both have been applied up to where
 * they were after the map said so: then the old owner has nothing more to say of it, and all that the new owner has of it
 * are its guests. What is left of the slot besides those is nowhere any more (the slot was taken without its keys).
 */
import { keySlot, SLOTS } from '../../bytes/key-slot.ts'
import type { Shard } from './shard.ts'

export class Ownership {
  readonly #owners: (Shard | null)[] = new Array(SLOTS).fill(null)
  readonly #guests = new Map<number, Map<string, Shard>>()
  /** Slots whose requests were redirected, or that change hands, and until when that is worth remembering. */
  readonly #unsettled = new Map<number, number>()
  #movingUntilMs = 0

  owner(slot: number): Shard | null {
    return this.#owners[slot]!
  }

  setOwner(slot: number, shard: Shard): void {
    this.#owners[slot] = shard
    const guests = this.#guests.get(slot)
    if (guests === undefined) return
    for (const [key, holder] of guests) if (holder === shard) guests.delete(key)
    if (guests.size === 0) this.#guests.delete(slot)
  }

  holder(slot: number, key: Buffer): Shard | null {
    const guests = this.#guests.get(slot)
    if (guests === undefined) return this.#owners[slot]!
    return guests.get(key.latin1Slice()) ?? this.#owners[slot]!
  }

  holderOf(key: Buffer): Shard | null {
    return this.holder(keySlot(key, 0, key.length), key)
  }

  /** The key is with this shard now. */
  took(slot: number, key: Buffer, shard: Shard): void {
    if (this.#owners[slot] === shard) {
      this.#guests.get(slot)?.delete(key.latin1Slice())
      return
    }
    let guests = this.#guests.get(slot)
    if (guests === undefined) {
      guests = new Map()
      this.#guests.set(slot, guests)
    }
    guests.set(key.latin1Slice(), shard)
  }

  /** It is nobody's guest any more: what it was, is gone from where it was. */
  left(slot: number, key: Buffer): void {
    const guests = this.#guests.get(slot)
    if (guests === undefined) return
    guests.delete(key.latin1Slice())
    if (guests.size === 0) this.#guests.delete(slot)
  }

  /** Who has guests of this slot. */
  hosts(slot: number): Iterable<Shard> {
    return new Set(this.#guests.get(slot)?.values())
  }

  /** Forgets guests that are not there: keys that a command named and did not create. */
  prune(slot: number, isThere: (key: Buffer) => boolean): void {
    const guests = this.#guests.get(slot)
    if (guests === undefined) return
    for (const key of guests.keys()) if (!isThere(Buffer.from(key, 'latin1'))) guests.delete(key)
    if (guests.size === 0) this.#guests.delete(slot)
  }

  /** A shard that is no more has no guests. */
  forget(shard: Shard): void {
    for (const [slot, guests] of this.#guests) {
      for (const [key, holder] of guests) if (holder === shard) guests.delete(key)
      if (guests.size === 0) this.#guests.delete(slot)
    }
  }

  /** Slots of which this shard has something to say. */
  slotsOf(shard: Shard): number {
    let count = 0
    for (const owner of this.#owners) if (owner === shard) count++
    return count
  }

  get guestCount(): number {
    let count = 0
    for (const guests of this.#guests.values()) count += guests.size
    return count
  }

  unsettle(slot: number, untilMs: number): void {
    this.#unsettled.set(slot, untilMs)
    this.#movingUntilMs = Math.max(this.#movingUntilMs, untilMs)
  }

  /** Some slot was under way lately: the next may be another. */
  isMoving(nowMs: number): boolean {
    return this.#movingUntilMs > nowMs
  }

  /** The slot may be on its way: reads of it look at what was written to any shard. */
  isUnsettled(slot: number, nowMs: number): boolean {
    if (this.#guests.has(slot)) return true
    const until = this.#unsettled.get(slot)
    if (until === undefined) return false
    if (until > nowMs) return true
    this.#unsettled.delete(slot)
    return false
  }
}
