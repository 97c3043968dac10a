/**
 * Memory for the bytes of a stream, in blocks that are cut from pieces of 16 MB. V8 marks its whole heap for each piece
 * that it allocates once some megabytes have come together, and clients and replicas wait for 5 to 12 ms meanwhile: a
 * backlog that grows to its size block by block would have that twice as often. What is not touched of a piece yet takes
 * no memory; a piece is free again when none of its blocks is in use.
 */
export const BLOCK_BYTES = 256 * 1024
const PIECE_BYTES = 16 * 1024 * 1024

export class Blocks {
  #piece: Buffer | null = null
  #at = 0

  /** A block with whatever was in that memory. */
  take(): Buffer {
    if (this.#piece === null || this.#at === PIECE_BYTES) {
      this.#piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
      this.#at = 0
    }
    this.#at += BLOCK_BYTES
    return this.#piece.subarray(this.#at - BLOCK_BYTES, this.#at)
  }
}
