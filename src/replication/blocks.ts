/**
 * Memory for the bytes of a stream, in blocks. It is shared memory, though nobody shares it, because V8 does not count
 * that as its own: for each 8 MB of counted memory it marks the whole heap, and clients and replicas wait for 5 to 12 ms,
 * over and over while a backlog grows to its size. Nor does V8 hurry to collect what it does not count: as much as was
 * dropped is taken from counted memory next, so that it does.
 */
export const BLOCK_BYTES = 256 * 1024

/** To be shared, memory is copied word by word where both sides begin at the same place of a word, else byte by byte. */
const WORD_MASK = 7
const ALIGNED_FROM_BYTES = 512
const scratch = Buffer.allocUnsafeSlow(BLOCK_BYTES + WORD_MASK)

let droppedBlocks = 0

export function takeBlock(): Buffer {
  if (droppedBlocks === 0) return Buffer.from(new SharedArrayBuffer(BLOCK_BYTES))
  droppedBlocks--
  return Buffer.allocUnsafeSlow(BLOCK_BYTES)
}

/** What is long and lies differently in its words is copied twice: that is four times as fast. */
export function copyToBlock(block: Buffer, at: number, bytes: Uint8Array, from: number, length: number): void {
  const piece = bytes.subarray(from, from + length)
  const place = at & WORD_MASK
  if (length < ALIGNED_FROM_BYTES || (piece.byteOffset & WORD_MASK) === place) {
    block.set(piece, at)
    return
  }
  scratch.set(piece, place)
  block.set(scratch.subarray(place, place + length), at)
}

/** Blocks that will not be used again, although sockets may still send from them. */
export function dropBlocks(count: number): void {
  droppedBlocks += count
}
