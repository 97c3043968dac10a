import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServerStats } from '../../src/engine/stats.ts'

test('rates are the mean of 16 samples', () => {
  const stats = new ServerStats()
  stats.sample(1000)
  for (let i = 1; i <= 16; i++) {
    stats.commandsProcessed += 100
    stats.netInputBytes += 1000
    stats.replInputBytes += 10
    stats.sample(1000 + i * 100)
  }
  assert.deepEqual(stats.instantaneous, {
    commands: 1000,
    inputBytes: 10_100,
    outputBytes: 0,
    replInputBytes: 100,
    replOutputBytes: 0,
  })
  for (let i = 17; i <= 24; i++) stats.sample(1000 + i * 100)
  assert.equal(stats.instantaneous.commands, 500)
  for (let i = 25; i <= 32; i++) stats.sample(1000 + i * 100)
  assert.equal(stats.instantaneous.commands, 0)
})

test('a reset keeps the start and the memory peak, and makes no rate negative', () => {
  const stats = new ServerStats()
  stats.startedAtMs = 7
  stats.peakMemoryBytes = 8
  stats.commandsProcessed = 1_000_000
  stats.keyspaceHits = 5
  stats.countError('ERR', 2)
  stats.sample(1000)
  stats.sample(1100)
  stats.reset()
  assert.deepEqual([stats.startedAtMs, stats.peakMemoryBytes, stats.keyspaceHits, stats.errorCounts.size], [7, 8, 0, 0])
  stats.commandsProcessed = 1600
  stats.sample(1200)
  assert.equal(stats.instantaneous.commands, 1000)
})

test('error codes have a limit', () => {
  const stats = new ServerStats()
  for (let i = 0; i < 200; i++) stats.countError(`CODE${i}`)
  stats.countError('CODE3', 2)
  assert.equal(stats.errorCounts.get('CODE3'), 3)
  assert.equal(stats.errorCounts.get('CODE150'), undefined)
  assert.equal(stats.errorCounts.get('ERRORSTATS_OVERFLOW'), 72)
})
