/** The near cache without a network: what it keeps against a plain model, and the pushes that it reads. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Copy } from '../../src/proxy/copy.ts'
import { readInvalidation } from '../../src/proxy/near/invalidation.ts'
import { type Fetch, NearCache } from '../../src/proxy/near/near-cache.ts'

/** Which upstream replies came from is no matter here. */
const COPY = {} as Copy
const KEYS = ['a', 'b', 'c', 'd']
const key = fc.constantFrom(...KEYS)
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 3 })

type Step =
  | { kind: 'begin'; keys: string[] }
  | { kind: 'end'; which: number; isLost: boolean }
  | { kind: 'change'; key: string }
  | { kind: 'everything' }
  | { kind: 'write'; keys: string[] }
  | { kind: 'answer'; which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const), keys }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(5), isLost: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'everything' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('write' as const), keys }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), which: fc.nat(5) }) },
)

/** The values are versions: a reply is the versions of its keys when it was asked for. */
class Run {
  readonly cache = new NearCache()
  readonly versions = new Map(KEYS.map((name) => [name, 0]))
  readonly fetches: { fetch: Fetch; reply: string }[] = []
  readonly writes: string[][] = []

  constructor() {
    this.cache.limit(100, 100_000)
  }

  reply(names: readonly string[]): string {
    return names.map((name) => `${name}${this.versions.get(name)}`).join(' ')
  }

  change(name: string): void {
    this.versions.set(name, this.versions.get(name)! + 1)
  }

  do(one: Step): void {
    const { cache } = this
    switch (one.kind) {
      case 'begin':
        this.fetches.push({ fetch: cache.begin(one.keys.join(','), one.keys, COPY), reply: this.reply(one.keys) })
        return
      case 'end': {
        const [ended] = this.fetches.splice(one.which % Math.max(1, this.fetches.length), 1)
        if (ended !== undefined) cache.end(ended.fetch, one.isLost ? null : Buffer.from(ended.reply), null)
        return
      }
      case 'change':
        this.change(one.key)
        cache.invalidate(one.key)
        return
      case 'everything':
        for (const name of KEYS) this.change(name)
        cache.everything()
        return
      case 'write':
        cache.writing(one.keys)
        this.writes.push(one.keys)
        return
      case 'answer': {
        const [answered] = this.writes.splice(one.which % Math.max(1, this.writes.length), 1)
        if (answered === undefined) return
        // It was applied some time before; nobody else says so.
        for (const name of answered) this.change(name)
        cache.written(answered)
      }
    }
  }
}

describe('the near cache against a model', () => {
  it('never keeps a reply that is older than a change that it was told of', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const run = new Run()
        for (const one of steps) {
          run.do(one)
          let entries = 0
          for (let size = 1; size < 1 << KEYS.length; size++) {
            for (const names of orders(KEYS.filter((_, i) => (size & (1 << i)) !== 0))) {
              const entry = run.cache.get(names.join(','))
              if (entry === undefined) continue
              entries++
              assert.equal(entry.reply.toString(), run.reply(names))
              for (const name of names) assert.ok(!run.writes.flat().includes(name), `${name} is being written`)
            }
          }
          assert.equal(run.cache.entries, entries)
        }
        for (const { fetch } of run.fetches) run.cache.end(fetch, null, null)
        run.cache.everything()
        assert.equal(run.cache.isWatching, false, 'nothing is left')
      }),
      { numRuns: 300 },
    )
  })

  it('keeps the most recently used within its bounds', () => {
    const cache = new NearCache()
    cache.limit(3, 10_000)
    const keep = (name: string, bytes: number) => cache.end(cache.begin(name, [name], COPY), Buffer.alloc(bytes), null)
    for (const name of ['a', 'b', 'c']) keep(name, 10)
    assert.notEqual(cache.get('a'), undefined)
    keep('d', 10)
    assert.equal(cache.get('b'), undefined)
    assert.deepEqual([cache.entries, cache.evictions], [3, 1])
    keep('e', 9000)
    assert.ok(cache.bytes <= 10_000)
    keep('f', 10_000)
    assert.equal(cache.get('f'), undefined, 'larger than the cache')
    assert.notEqual(cache.get('e'), undefined)
    cache.limit(0, 10_000)
    keep('g', 1)
    assert.deepEqual([cache.entries, cache.bytes, cache.isOn], [0, 0, false])
  })
})

function orders(names: readonly string[]): string[][] {
  if (names.length <= 1) return [[...names]]
  return names.flatMap((first) => orders(names.filter((name) => name !== first)).map((rest) => [first, ...rest]))
}

describe('an invalidation', () => {
  it('names keys of any bytes, or stands for all', () => {
    const push = (text: string) => readInvalidation(Buffer.from(`>2\r\n$10\r\ninvalidate\r\n${text}`, 'latin1'))
    assert.deepEqual(push('*1\r\n$3\r\nfoo\r\n'), ['foo'])
    assert.deepEqual(push('*3\r\n$2\r\n\r\n\r\n$0\r\n\r\n$4\r\n\u00ff*1$\r\n'), ['\r\n', '', '\u00ff*1$'])
    assert.equal(push('_\r\n'), null)
    assert.equal(push('*-1\r\n'), null)
    assert.equal(readInvalidation(Buffer.from('>2\r\n$7\r\nmessage\r\n$1\r\na\r\n')), undefined)
  })
})
