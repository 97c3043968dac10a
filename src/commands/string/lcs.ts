/** LCS: the longest common subsequence of two strings by the usual table. redis 7.0.15 t_string.c lcsCommand */
import type { Call } from '../call.ts'
import { arg, command, keyRange } from '../define.ts'

interface Options {
  length: boolean
  indexes: boolean
  matchLengths: boolean
  minMatch: number
}

interface Match {
  a: readonly [number, number]
  b: readonly [number, number]
  length: number
}

function lcsCommand(call: Call): void {
  const { reply } = call
  const a = stringAt(call, 1)
  const b = stringAt(call, 2)
  if (a === undefined || b === undefined) return reply.error('ERR The specified keys must contain string values')
  const options = readOptions(call)
  if (options === undefined) return
  if (options.length && options.indexes) {
    return reply.error('ERR If you want both the length and indexes, please just use IDX.')
  }
  const cells = (a.length + 1) * (b.length + 1)
  if (cells * 4 > call.host.config.get('proto-max-bulk-len')) {
    return reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  }
  const table = fillTable(a, b)
  const total = table[cells - 1]!
  if (options.length) return reply.integer(total)
  const common = Buffer.alloc(total)
  const matches = walkBack(a, b, table, common).filter(({ length }) => length >= options.minMatch)
  if (!options.indexes) return reply.bulk(common)
  reply.map(2)
  reply.bulkString('matches')
  reply.array(matches.length)
  for (const match of matches) replyMatch(call, match, options.matchLengths)
  reply.bulkString('len')
  reply.integer(total)
}

function replyMatch({ reply }: Call, match: Match, withLength: boolean): void {
  reply.array(withLength ? 3 : 2)
  for (const [from, to] of [match.a, match.b]) {
    reply.array(2)
    reply.integer(from)
    reply.integer(to)
  }
  if (withLength) reply.integer(match.length)
}

/** A copy of the string, empty when there is no key; undefined for another type. */
function stringAt(call: Call, i: number): Buffer | undefined {
  const { store } = call
  const ref = call.lookupRead(i)
  if (ref === 0) return Buffer.alloc(0)
  if (store.type(ref) !== 0) return undefined
  store.read(ref)
  return Buffer.from(store.bytes.subarray(store.start, store.end))
}

function readOptions(call: Call): Options | undefined {
  const { args } = call
  const options: Options = { length: false, indexes: false, matchLengths: false, minMatch: 0 }
  for (let i = 3; i < args.argc; i++) {
    if (args.is(i, 'IDX')) options.indexes = true
    else if (args.is(i, 'LEN')) options.length = true
    else if (args.is(i, 'WITHMATCHLEN')) options.matchLengths = true
    else if (args.is(i, 'MINMATCHLEN') && i + 1 < args.argc) {
      const least = call.integer(++i)
      if (least === undefined) return undefined
      options.minMatch = Math.max(0, least)
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** Cell (i, j), at i * (b.length + 1) + j: length for the first i bytes of a and the first j of b. */
function fillTable(a: Buffer, b: Buffer): Uint32Array {
  const width = b.length + 1
  const table = new Uint32Array((a.length + 1) * width)
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const at = i * width + j
      if (a[i - 1] === b[j - 1]) table[at] = table[at - width - 1]! + 1
      else table[at] = Math.max(table[at - width]!, table[at - 1]!)
    }
  }
  return table
}

/** Fills in the common bytes from the end; the contiguous pieces, last first. */
function walkBack(a: Buffer, b: Buffer, table: Uint32Array, common: Buffer): Match[] {
  const width = b.length + 1
  const matches: Match[] = []
  let left = common.length
  let i = a.length
  let j = b.length
  let run = 0
  const endRun = (): void => {
    if (run > 0) matches.push({ a: [i, i + run - 1], b: [j, j + run - 1], length: run })
    run = 0
  }
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      common[--left] = a[i - 1]!
      i--
      j--
      run++
    } else {
      endRun()
      if (table[(i - 1) * width + j]! > table[i * width + j - 1]!) i--
      else j--
    }
  }
  endRun()
  return matches
}

export const lcs = command({
  name: 'lcs',
  arity: -3,
  since: '7.0.0',
  summary: 'Find longest common substring',
  complexity: 'O(N*M) where N and M are the lengths of s1 and s2, respectively',
  flags: ['readonly'],
  keys: [keyRange(1, 1, 1, 'RO', 'ACCESS')],
  args: [
    arg.key('key1'),
    arg.key('key2'),
    arg.token('LEN', { optional: true }),
    arg.token('IDX', { optional: true }),
    arg.integer('len', { token: 'MINMATCHLEN', optional: true }),
    arg.token('WITHMATCHLEN', { optional: true }),
  ],
  run: lcsCommand,
})
