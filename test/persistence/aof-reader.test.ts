/** Commands out of an append-only file however its bytes are cut up, and the manifest's text. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Manifest, ManifestError } from '../../src/persistence/aof/manifest.ts'
import { CommandReader, READ_BROKEN, READ_COMMAND, READ_MORE } from '../../src/persistence/aof/reader.ts'

/** Everything that can be read of a text given in pieces of this size, and how it ends. */
function read(text: string, size: number): { commands: string[][]; end: string; offset: number } {
  const bytes = Buffer.from(text, 'latin1')
  const reader = new CommandReader()
  const commands: string[][] = []
  let at = 0
  for (;;) {
    const atEnd = at >= bytes.length
    const status = reader.next(atEnd)
    if (status === READ_COMMAND) {
      const { request } = reader
      commands.push(request.toArguments().map((argument) => argument.toString('latin1')))
      continue
    }
    if (status === READ_BROKEN) return { commands, end: 'broken', offset: reader.offset }
    assert.equal(status, READ_MORE)
    if (atEnd) return { commands, end: reader.isBetween ? 'whole' : 'cut off', offset: reader.offset }
    reader.feed(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
}

const SET = '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\n12\r\n4\r\n'
const STAMP = '#TS:1628217470\r\n'

describe('an append-only file', () => {
  for (const size of [1, 2, 7, 1000]) {
    it(`is read in pieces of ${size}`, () => {
      assert.deepEqual(read(STAMP + SET + STAMP + SET + STAMP, size), {
        commands: [
          ['SET', 'a', '12\r\n4'],
          ['SET', 'a', '12\r\n4'],
        ],
        end: 'whole',
        offset: (STAMP + SET).length * 2 + STAMP.length,
      })
      for (let length = 1; length < SET.length; length++) {
        const { commands, end, offset } = read(SET + SET.slice(0, length), size)
        assert.deepEqual([commands.length, end, offset], [1, 'cut off', SET.length], `${length} bytes of a second one`)
      }
    })
  }

  it('is broken where something else begins', () => {
    for (const text of ['!!!', '*0\r\n', '*x\r\n', '*1\r\n+OK\r\n', '$3\r\nSET\r\n', '*-1\r\n', '*0']) {
      assert.deepEqual(read(SET + text, 1000), {
        commands: [['SET', 'a', '12\r\n4']],
        end: 'broken',
        offset: SET.length,
      })
    }
  })
})

describe('a manifest', () => {
  function parse(text: string): { manifest: Manifest | undefined; logs: string[] } {
    const dir = mkdtempSync(join(tmpdir(), 'tandem-manifest-'))
    const logs: string[] = []
    writeFileSync(join(dir, 'a.aof.manifest'), text)
    try {
      return { manifest: Manifest.read(dir, 'a.aof', (_, line) => logs.push(line)), logs }
    } catch (error) {
      assert.ok(error instanceof ManifestError)
      return { manifest: undefined, logs }
    }
  }

  it('is written as it was read', () => {
    const text =
      'file a.aof.2.base.rdb seq 2 type b\nfile a.aof.1.incr.aof seq 1 type h\nfile "a \\n.2.incr.aof" seq 2 type i\n'
    const { manifest } = parse(`# a comment\n${text}`)
    assert.equal(String(manifest), text)
    assert.equal(manifest!.newIncrement(), 'a.aof.3.incr.aof')
    assert.equal(manifest!.newBase('aof'), 'a.aof.3.base.aof')
    manifest!.retireIncrements(true)
    assert.deepEqual(
      manifest!.history.map(({ name }) => name),
      ['a \n.2.incr.aof', 'a.aof.2.base.rdb', 'a.aof.1.incr.aof'],
    )
  })

  it('replaces the file', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tandem-manifest-'))
    const manifest = new Manifest('a.aof')
    manifest.newBase('rdb')
    assert.ok(manifest.save(dir, () => undefined))
    assert.equal(readFileSync(join(dir, 'a.aof.manifest'), 'utf8'), 'file a.aof.1.base.rdb seq 1 type b\n')
    assert.ok(!manifest.dirty)
  })

  for (const [text, reason] of [
    ['', 'Found an empty AOF manifest'],
    ['file a seq 1 type x\n', 'Unknown AOF file type'],
    ['file a seq 1\n', 'Invalid AOF manifest file format'],
    ['\n', 'Invalid AOF manifest file format'],
    ['file ../a seq 1 type b\n', "File can't be a path, just a filename"],
    ['file a seq 1 type b\nfile b seq 2 type b\n', 'Found duplicate base file information'],
    ['file a seq 2 type i\nfile b seq 2 type i\n', 'Found a non-monotonic sequence number'],
    [`file ${'a'.repeat(1100)} seq 2 type i\n`, 'The AOF manifest file contains too long line'],
  ] as const) {
    it(`is refused: ${reason} (${text.length} bytes)`, () => {
      assert.equal(parse(text).logs.at(-1), `${reason}\n`)
    })
  }
})
