/**
 * Commands by name, looked up in the bytes of a request without making a string and without regard to case. An open-addressed
 * table: the hash takes the length and four bytes of the name, with the bit that tells the cases apart set; a hit is compared
 * byte by byte. It is kept at most a quarter full, so that most looks end at the first slot.
 */
import type { Command } from './command.ts'

/** Long enough for what rename-command makes of a name to hide it. */
const MAX_NAME = 512

export class NameIndex {
  #mask = 0
  #slots: (Entry | undefined)[] = []
  #entries = new Map<string, Entry>()

  /** Names are lower case. */
  add(name: string, command: Command): void {
    if (name.length === 0 || name.length > MAX_NAME) throw new Error(`command name '${name}' is empty or too long`)
    if (this.#entries.has(name)) throw new Error(`command '${name}' is declared twice`)
    this.#entries.set(name, { name: Buffer.from(name, 'latin1'), command })
    this.#build()
  }

  delete(name: string): void {
    this.#entries.delete(name)
    this.#build()
  }

  get(name: string): Command | undefined {
    return this.#entries.get(name)?.command
  }

  get size(): number {
    return this.#entries.size
  }

  *values(): Iterable<Command> {
    for (const entry of this.#entries.values()) yield entry.command
  }

  lookup(buf: Uint8Array, start: number, end: number): Command | undefined {
    if (end === start || this.#mask === 0) return undefined
    let at = hash(buf, start, end) & this.#mask
    for (;;) {
      const entry = this.#slots[at]
      if (entry === undefined) return undefined
      if (sameName(entry.name, buf, start, end)) return entry.command
      at = (at + 1) & this.#mask
    }
  }

  #build(): void {
    let capacity = 8
    while (capacity < this.#entries.size * 4) capacity *= 2
    this.#mask = capacity - 1
    this.#slots = new Array(capacity).fill(undefined)
    for (const entry of this.#entries.values()) {
      let at = hash(entry.name, 0, entry.name.length) & this.#mask
      while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask
      this.#slots[at] = entry
    }
  }
}

interface Entry {
  readonly name: Uint8Array
  readonly command: Command
}

function hash(buf: Uint8Array, start: number, end: number): number {
  const length = end - start
  let h = length
  h = Math.imul(h, 0x9e3779b1) ^ (buf[start]! | 0x20)
  h = Math.imul(h, 0x9e3779b1) ^ (buf[start + (length >> 2)]! | 0x20)
  h = Math.imul(h, 0x9e3779b1) ^ (buf[start + (length >> 1)]! | 0x20)
  h = Math.imul(h, 0x9e3779b1) ^ (buf[end - 1]! | 0x20)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  return h ^ (h >>> 13)
}

function sameName(name: Uint8Array, buf: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) {
    const expected = name[i]!
    const byte = buf[start + i]!
    if (byte !== expected && (byte + 32 !== expected || byte < 65 || byte > 90)) return false
  }
  return true
}
