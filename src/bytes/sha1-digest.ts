/**
 * The 20-byte digests of DEBUG DIGEST (redis 7.0.15 debug.c xorDigest, mixDigest). `xor` is for parts whose order means nothing, such
 * as the members of a set; `mix` is for parts whose order counts, such as the elements of a list. Two servers with the same data have
 * the same digest, which is how tests and operators compare a replica with its primary.
 */
import { createHash } from 'node:crypto'

const SIZE = 20

export class Digest {
  #bytes = new Uint8Array(SIZE)

  /** digest ^= SHA1(bytes) */
  xor(bytes: Uint8Array | string): void {
    const hash = sha1(bytes)
    for (let at = 0; at < SIZE; at++) this.#bytes[at]! ^= hash[at]!
  }

  /** digest = SHA1(digest ^ SHA1(bytes)) */
  mix(bytes: Uint8Array | string): void {
    this.xor(bytes)
    this.#bytes.set(sha1(this.#bytes))
  }

  /** digest ^= SHA1(other): adds a finished part, in any order. */
  xorDigest(other: Digest): void {
    this.xor(other.#bytes)
  }

  /** digest = SHA1(digest ^ SHA1(other)) */
  mixDigest(other: Digest): void {
    this.mix(other.#bytes)
  }

  reset(): void {
    this.#bytes.fill(0)
  }

  hex(): string {
    return Buffer.from(this.#bytes).toString('hex')
  }
}

function sha1(bytes: Uint8Array | string): Uint8Array {
  return createHash('sha1').update(bytes).digest()
}
