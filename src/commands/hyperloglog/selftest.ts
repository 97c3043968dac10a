/**
 * PFSELFTEST: registers keep what is put into them and leave their neighbours alone; the sparse and the dense representation
 * agree; the estimate is as near as it has to be, up to ten million elements. redis 7.0.15 hyperloglog.c pfselftestCommand
 */
import { denseHistogram, denseRegister, setDenseRegister } from '../../store/encodings/hyperloglog-dense.ts'
import { estimate, newHistogram } from '../../store/encodings/hyperloglog-estimate.ts'
import { HashedElement, HLL_DENSE_BYTES, HLL_HEADER, HLL_REGISTERS } from '../../store/encodings/hyperloglog-format.ts'
import {
  SPARSE_TOO_LARGE,
  SparseEditor,
  sparseHistogram,
  sparseToDense,
} from '../../store/encodings/hyperloglog-sparse.ts'
import type { Call } from '../call.ts'
import { command } from '../define.ts'

const CYCLES = 1000
const ELEMENTS = 10_000_000
const RELATIVE_ERROR = 1.04 / Math.sqrt(HLL_REGISTERS)

/** What failed, undefined if nothing did. */
function testRegisters(random: () => number): string | undefined {
  const dense = Buffer.alloc(HLL_DENSE_BYTES)
  const expected = new Uint8Array(HLL_REGISTERS)
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    for (let i = 0; i < HLL_REGISTERS; i++) {
      const value = Math.floor(random() * 64)
      expected[i] = value
      setDenseRegister(dense, HLL_HEADER, i, value)
    }
    for (let i = 0; i < HLL_REGISTERS; i++) {
      const value = denseRegister(dense, HLL_HEADER, i)
      if (value !== expected[i]) return `Register ${i} should be ${expected[i]} but is ${value}`
    }
  }
  return undefined
}

/** A sparse one that becomes dense when it has to. */
class Promoted {
  readonly sparse = new SparseEditor()
  dense: Buffer | undefined

  constructor() {
    this.sparse.create()
  }

  raise(index: number, rank: number, maxBytes: number): void {
    if (this.dense === undefined) {
      if (this.sparse.raise(index, rank, maxBytes) !== SPARSE_TOO_LARGE) return
      this.dense = sparseToDense(this.sparse.bytes, 0, this.sparse.length)
    }
    if (this.dense !== undefined) raiseDense(this.dense, index, rank)
  }

  count(): number {
    if (this.dense !== undefined) return countDense(this.dense)
    const histogram = newHistogram()
    sparseHistogram(this.sparse.bytes, HLL_HEADER, this.sparse.length, histogram)
    return estimate(histogram)
  }
}

function raiseDense(bytes: Buffer, index: number, rank: number): void {
  if (denseRegister(bytes, HLL_HEADER, index) < rank) setDenseRegister(bytes, HLL_HEADER, index, rank)
}

function countDense(bytes: Buffer): number {
  const histogram = newHistogram()
  denseHistogram(bytes, HLL_HEADER, histogram)
  return estimate(histogram)
}

function testEstimates(random: () => number, maxBytes: number): string | undefined {
  const dense = Buffer.alloc(HLL_DENSE_BYTES)
  const promoted = new Promoted()
  const bytes = Buffer.alloc(8)
  const element = new HashedElement()
  const seed = Math.floor(random() * 2 ** 32)
  bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), 4)
  let checkpoint = 1
  for (let count = 1; count <= ELEMENTS; count++) {
    bytes.writeInt32LE(count ^ seed, 0)
    element.hash(bytes, 0, bytes.length)
    raiseDense(dense, element.index, element.rank)
    promoted.raise(element.index, element.rank, maxBytes)
    if (count !== checkpoint) continue
    if (count < Math.floor(maxBytes / 2) && promoted.dense !== undefined) return 'sparse encoding not used'
    const estimated = countDense(dense)
    if (estimated !== promoted.count()) return 'dense/sparse disagree'
    const error = Math.abs(count - estimated)
    // Ten elements may well have a collision, which is more than the standard error allows.
    const allowed = count === 10 ? 1 : Math.ceil(RELATIVE_ERROR * 6 * count)
    if (error > allowed) return `Too big error. card:${count} abserr:${error}`
    checkpoint *= 10
  }
  return undefined
}

function runPfselftest(call: Call): void {
  const { host, reply } = call
  const maxBytes = host.config.get('hll-sparse-max-bytes')
  const failure = testRegisters(host.random) ?? testEstimates(host.random, maxBytes)
  if (failure === undefined) reply.ok()
  else reply.error(`ERR TESTFAILED ${failure}`)
}

export const pfselftest = command({
  name: 'pfselftest',
  arity: 1,
  since: '2.8.9',
  summary: 'An internal command for testing HyperLogLog values',
  complexity: 'N/A',
  docFlags: ['syscmd'],
  flags: ['admin'],
  run: runPfselftest,
})
