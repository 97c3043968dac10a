import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyHistogram } from '../../src/engine/histogram.ts'

test('durations are counted in steps of powers of two, cumulatively, without the empty ones', () => {
  const histogram = new LatencyHistogram()
  for (const microseconds of [0.5, 1, 3, 3, 100, 600_000]) histogram.record(microseconds)
  assert.equal(histogram.calls, 6)
  assert.deepEqual(histogram.cumulative(), [
    [1, 2],
    [4, 4],
    [132, 5],
    [1_073_741, 6],
  ])
})

test('the steps are named as Redis names them', () => {
  const histogram = new LatencyHistogram()
  const names: number[] = []
  for (let level = 1; level <= 2 ** 20; level *= 2) histogram.record(level * 0.9)
  for (const [microseconds] of histogram.cumulative()) names.push(microseconds)
  const redis = [
    1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065,
  ]
  assert.deepEqual(names, [...redis, 1_073_741])
})

test('a percentile is the upper end of the counter that holds it', () => {
  const histogram = new LatencyHistogram()
  for (let microseconds = 1; microseconds <= 100; microseconds++) histogram.record(microseconds)
  assert.equal(histogram.percentile(50), 50.175)
  assert.equal(histogram.percentile(99), 99.327)
  assert.equal(histogram.percentile(100), 100.351)
  assert.equal(histogram.percentile(0), 1)
})

test('what is too short or too long counts at the ends', () => {
  const histogram = new LatencyHistogram()
  histogram.record(0)
  histogram.record(-1)
  histogram.record(60_000_000, 3)
  assert.equal(histogram.calls, 5)
  assert.equal(histogram.percentile(1), 0.001)
  assert.equal(histogram.percentile(100), 1_002_438.655)
})

test('nothing recorded is no step at all', () => {
  assert.deepEqual(new LatencyHistogram().cumulative(), [])
  assert.equal(new LatencyHistogram().percentile(50), 0)
})
