/** Blocks of stream bytes take what is copied into them, whichever way it lies in its words. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BLOCK_BYTES, copyToBlock, dropBlocks, takeBlock } from '../../src/replication/blocks.ts'

describe('blocks', () => {
  it('take pieces of all lengths from and to all places of a word', () => {
    const source = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff))
    const block = takeBlock()
    assert.equal(block.length, BLOCK_BYTES)
    for (const length of [1, 63, 511, 512, 513, 4000]) {
      for (let from = 0; from < 9; from++) {
        for (let at = 0; at < 9; at++) {
          block.fill(0)
          copyToBlock(block, at, source, from, length)
          assert.ok(block.subarray(at, at + length).equals(source.subarray(from, from + length)))
          assert.equal(block[at + length], 0)
          assert.equal(at === 0 ? 0 : block[at - 1], 0)
        }
      }
    }
  })

  it('are of memory that V8 counts when as much was dropped', () => {
    assert.ok((takeBlock().buffer as unknown) instanceof SharedArrayBuffer)
    dropBlocks(2)
    for (let i = 0; i < 2; i++) assert.ok(takeBlock().buffer instanceof ArrayBuffer)
    assert.ok((takeBlock().buffer as unknown) instanceof SharedArrayBuffer)
  })
})
