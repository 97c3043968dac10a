/** Frames of RESP2 and RESP3 are found wherever chunks are cut. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BROKEN, FrameScanner, UNFINISHED } from '../../src/proxy/frames.ts'

const line = fc.string({ unit: fc.constantFrom('a', ' ', '1', '-', '$', '*'), maxLength: 12 })
const leaf = fc.oneof(
  line.map((text) => `+${text}\r\n`),
  line.map((text) => `-ERR ${text}\r\n`),
  fc.integer().map((n) => `:${n}\r\n`),
  fc.double().map((n) => `,${n}\r\n`),
  fc.constantFrom(
    '$-1\r\n',
    '*-1\r\n',
    '_\r\n',
    '#t\r\n',
    '(123456789012345678901234567890\r\n',
    '*0\r\n',
    '%0\r\n',
    '$0\r\n\r\n',
  ),
  fc.string({ unit: fc.constantFrom('\r', '\n', '$', '5', 'x'), maxLength: 40 }).map((s) => `$${s.length}\r\n${s}\r\n`),
  line.map((text) => `=${text.length + 4}\r\ntxt:${text}\r\n`),
  line.map((text) => `!${text.length}\r\n${text}\r\n`),
)
const frame: fc.Arbitrary<string> = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, leaf, tie('list'), tie('map'), tie('attributed')),
  list: fc
    .tuple(fc.constantFrom('*', '~', '>'), fc.array(tie('any'), { maxLength: 4 }))
    .map(([type, items]) => `${type}${items.length}\r\n${items.join('')}`),
  map: fc
    .array(fc.tuple(tie('any'), tie('any')), { maxLength: 3 })
    .map((pairs) => `%${pairs.length}\r\n${pairs.flat().join('')}`),
  attributed: fc
    .tuple(fc.array(fc.tuple(tie('any'), tie('any')), { maxLength: 2 }), tie('any'))
    .map(([pairs, value]) => `|${pairs.length}\r\n${pairs.flat().join('')}${value}`),
})).any as fc.Arbitrary<string>

describe('the frame scanner', () => {
  it('finds the end of each frame, however the bytes are cut up', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 6 }), fc.array(fc.nat({ max: 30 })), (frames, cuts) => {
        const bytes = Buffer.from(frames.join(''), 'latin1')
        const scanner = new FrameScanner()
        const ends: number[] = []
        let at = 0
        for (let cut = 0; at < bytes.length; cut++) {
          const chunk = bytes.subarray(at, at + 1 + (cuts[cut % Math.max(1, cuts.length)] ?? 7))
          let pos = 0
          while (pos < chunk.length) {
            const end = scanner.next(chunk, pos, chunk.length)
            assert.notEqual(end, BROKEN)
            if (end === UNFINISHED) break
            ends.push(at + end)
            pos = end
          }
          at += chunk.length
        }
        let sum = 0
        assert.deepEqual(
          ends,
          frames.map((one) => (sum += Buffer.byteLength(one, 'latin1'))),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('tells what is no RESP', () => {
    assert.equal(new FrameScanner().next(Buffer.from('HTTP/1.1 400'), 0, 12), BROKEN)
  })
})
