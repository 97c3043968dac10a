import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyMonitor } from '../../src/engine/latency.ts'

test('one sample a second, the worst, and the worst of all time', () => {
  let now = 5000
  const latency = new LatencyMonitor(() => now)
  latency.add('command', 10)
  latency.add('command', 30)
  now = 5999
  latency.add('command', 20)
  now = 6000
  latency.add('command', 25)
  assert.deepEqual(latency.events.get('command'), {
    samples: [
      [5, 30],
      [6, 25],
    ],
    maxMs: 30,
  })
})

test('160 samples are kept', () => {
  let now = 0
  const latency = new LatencyMonitor(() => now)
  for (let i = 0; i < 200; i++) {
    now = i * 1000
    latency.add('fast-command', 200 - i)
  }
  const { samples, maxMs } = latency.events.get('fast-command')!
  assert.equal(samples.length, 160)
  assert.deepEqual([samples[0], samples.at(-1), maxMs], [[40, 160], [199, 1], 200])
})

test('events are reset by name in any case, or all', () => {
  const latency = new LatencyMonitor(() => 0)
  for (const event of ['command', 'fast-command', 'expire-cycle']) latency.add(event, 1)
  assert.equal(latency.reset(['COMMAND', 'nosuch']), 1)
  assert.deepEqual([...latency.events.keys()], ['fast-command', 'expire-cycle'])
  assert.equal(latency.reset([]), 2)
  assert.equal(latency.reset([]), 0)
})
