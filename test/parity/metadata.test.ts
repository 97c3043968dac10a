/**
 * What COMMAND tells, against redis-server: every declaration that Tandem has (arity, flags, keys, ACL categories, tips,
 * docs) equals Redis's to the byte. Redis lists the subcommands of a container in the order of a seeded hash table, so of
 * containers these lists are compared as sets of names; the subcommands themselves are compared on their own.
 */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { type Pair, startPair } from '../support/differential.ts'
import { type Command, connectFor, type Reply, type Wire } from '../support/wire.ts'

/** Its own, and one of Redis 7.2. */
const OF_LATER = new Set(['tandem', 'waitaof'])

interface Wires {
  redis: Wire
  tandem: Wire
}

async function wires(t: { after(fn: () => Promise<void>): void }, pair: Pair, protocol: 2 | 3): Promise<Wires> {
  return {
    redis: await connectFor(t, pair.redis.port, protocol),
    tandem: await connectFor(t, pair.tandem.port, protocol),
  }
}

/** Without TANDEM, which is Tandem's own. */
function ofRedis(names: Reply): string[] {
  return (names as string[]).filter((name) => !OF_LATER.has(name.split('|')[0]!)).toSorted()
}

async function commandList(wire: Wire): Promise<string[]> {
  return ofRedis(await wire.must('COMMAND', 'LIST'))
}

function isContainer(name: string, names: readonly string[]): boolean {
  return names.some((other) => other.startsWith(`${name}|`))
}

/** Sorted names of subcommands in place of their list; only those that Tandem has. */
function infoWithoutSubcommands(reply: Reply, names: ReadonlySet<string>): unknown {
  const info = (reply as Reply[])[0] as Reply[]
  const subcommands = (info[9] as Reply[][]).map((sub) => String(sub[0]))
  return [...info.slice(0, 9), subcommands.filter((name) => names.has(name)).toSorted()]
}

function docsWithoutSubcommands(reply: Reply, names: ReadonlySet<string>): unknown {
  const [[name, fields]] = pairs(reply) as [[Reply, Reply]]
  return [
    name,
    pairs(fields).map(([field, value]) => {
      if (field !== 'subcommands') return [field, value]
      const subcommands = pairs(value).map(([sub]) => String(sub))
      return [field, subcommands.filter((sub) => names.has(sub)).toSorted()]
    }),
  ]
}

/** The entries of a map, which RESP2 sends as a flat array. */
function pairs(reply: Reply): [Reply, Reply][] {
  if (reply instanceof Map) return [...reply]
  const flat = reply as Reply[]
  return flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1]!] as [Reply, Reply]] : []))
}

const SHAPES = { INFO: infoWithoutSubcommands, DOCS: docsWithoutSubcommands }

/** Requests whose keys depend on a count, a keyword or an option, and some that are wrong. */
const KEY_VECTORS = `
GET a|SET a b|SET a b GET|SET a b EX 1 get|MGET a b c|MSET a 1 b 2|MSET a 1 b|MSETNX a 1 b 2|INCRBY a 1|INCRBY a|LCS a b
EVAL s 2 a b c|EVAL s 0|EVAL s x|EVAL s -1|EVAL s 2abc a b|EVAL s 5 a b|EVALSHA s 1 a|EVAL_RO s 1 k|FCALL f 1 a b
ZUNIONSTORE d 2 a b|ZUNIONSTORE d 2x a b|ZUNIONSTORE d 0 a|ZUNIONSTORE d 9 a|ZUNION 2 a b WEIGHTS 1 2|ZINTERCARD 1 a
SINTERCARD 2 a b LIMIT 1|LMPOP 2 a b LEFT|BLMPOP 0 2 a b LEFT|ZMPOP 1 a MIN|BZMPOP 0 1 a MAX|ZRANGESTORE d s 0 1
SORT a|SORT a BY w_* GET # STORE d|SORT a STORE d STORE e|SORT a LIMIT store store STORE x|SORT a STORE|SORT_RO a BY x
MIGRATE h 1 k 0 1|MIGRATE h 1 k 0 1 COPY KEYS a b|MIGRATE h 1 - 0 1 COPY KEYS a b|MIGRATE h 1 - 0 1 AUTH KEYS KEYS a b
MIGRATE h 1 - 0 1 AUTH2 u KEYS a|MIGRATE h 1 - 0 1 KEYS|RESTORE k 0 v|COPY a b|RENAME a b|DEL a b c|TOUCH a b
GEORADIUS k 1 2 3 m|GEORADIUS k 1 2 3 m STORE d|GEORADIUS k 1 2 3 m STORE|GEORADIUS k 1 2 3 m STOREDIST e STORE d
GEORADIUSBYMEMBER k m 1 m STORE x STORE|GEORADIUS_RO k 1 2 3 m|GEOSEARCHSTORE d s FROMMEMBER x
XREAD STREAMS a 1|XREAD COUNT 1 STREAMS a b 1 2|XREAD COUNT 1 STREAMS|XREAD STREAMS a b c|XREAD BLOCK STREAMS STREAMS k
XREAD COUNT STREAMS x|XREADGROUP GROUP g c STREAMS a >|XREADGROUP GROUP streams c STREAMS a b > >
XREADGROUP GROUP g c NOACK x y|XGROUP CREATE k g $|XINFO STREAM k|BITFIELD k|BITFIELD k GET u8 0|BITFIELD k SET u8 0 1
BITFIELD k OVERFLOW SAT GET u8 0|BITFIELD k GET u8|BITFIELD k INCRBY u8 0|BITFIELD_RO k GET u8 0|BITOP AND d a b
OBJECT ENCODING a|OBJECT HELP|OBJECT nope x|MEMORY USAGE k|PING x|CONFIG GET x|nosuch x|nosuch x y|COMMAND GETKEYS GET a
SUBSCRIBE a|SSUBSCRIBE a b|SPUBLISH a b|WATCH a b|BLPOP a b 0|BLPOP a|BRPOPLPUSH a b 0|LMOVE a b LEFT RIGHT
SMOVE a b c|SINTERSTORE d a b|SDIFF a b|PFCOUNT a b|PFMERGE d a b|SWAPDB 0 1|GETEX k|zadd k 1 a|HSET h f v
`
  .trim()
  .split(/[|\n]/)
  .map((line): Command => line.split(' ').map((word) => (word === '-' ? '' : word)))

/** Requests about the list as a whole whose replies do not depend on how many commands there are. */
const OTHERS: Command[] = [
  ['COMMAND', 'HELP'],
  ['command', 'help'],
  ['COMMAND', 'INFO', 'nosuch', 'GET', 'config|get', 'CONFIG|GET', 'a|b|c', '', 'get|x', 'config|'],
  ['COMMAND', 'DOCS', 'nosuch', 'GET', 'config|get', 'get|x'],
  ['COMMAND', 'LIST', 'FILTERBY'],
  ['COMMAND', 'LIST', 'x'],
  ['COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'x'],
  ['COMMAND', 'LIST', 'FILTERBY', 'nosuch', 'x'],
  ['COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'nosuch'],
  ['COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'geo', 'FILTERBY', 'ACLCAT', 'set'],
  ['COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'nosuch*'],
  ['COMMAND', 'GETKEYS'],
  ['COMMAND', 'GETKEYS', 'GET'],
  ['COMMAND', 'nosuch'],
]

suite('COMMAND', () => {
  let pair: Pair

  before(async () => {
    pair = await startPair()
  })

  for (const protocol of [2, 3] as const) {
    for (const what of ['INFO', 'DOCS'] as const) {
      test(`${what} of every command equals Redis's in RESP${protocol}`, async (t) => {
        const { redis, tandem } = await wires(t, pair, protocol)
        const names = await commandList(tandem)
        const known = new Set(names)
        const requests = names.map((name): Command => ['COMMAND', what, name])
        const [expected, actual] = await Promise.all([redis.pipelineRaw(requests), tandem.pipelineRaw(requests)])
        for (const [i, name] of names.entries()) {
          if (isContainer(name, names)) {
            const shape = SHAPES[what]
            assert.deepEqual(shape(actual[i]!.reply, known), shape(expected[i]!.reply, known), name)
          } else {
            assert.equal(actual[i]!.raw.toString('latin1'), expected[i]!.raw.toString('latin1'), name)
          }
        }
      })
    }

    test(`GETKEYS and GETKEYSANDFLAGS find the keys that Redis finds in RESP${protocol}`, async (t) => {
      const { redis, tandem } = await wires(t, pair, protocol)
      const missing = await missingNames(redis, tandem)
      for (const vector of KEY_VECTORS) {
        if (missing.has(String(vector[0]).toLowerCase())) continue
        for (const subcommand of ['GETKEYS', 'GETKEYSANDFLAGS']) {
          const request = ['COMMAND', subcommand, ...vector]
          const [expected, actual] = await Promise.all([redis.sendRaw(request), tandem.sendRaw(request)])
          assert.equal(actual.raw.toString('latin1'), expected.raw.toString('latin1'), request.join(' '))
        }
      }
    })

    test(`its other answers and errors equal Redis's in RESP${protocol}`, async (t) => {
      const { redis, tandem } = await wires(t, pair, protocol)
      for (const request of OTHERS) {
        const [expected, actual] = await Promise.all([redis.sendRaw(request), tandem.sendRaw(request)])
        assert.equal(actual.raw.toString('latin1'), expected.raw.toString('latin1'), request.join(' '))
      }
    })
  }

  test('LIST has no command that Redis does not have, and its filters choose the same', async (t) => {
    const { redis, tandem } = await wires(t, pair, 2)
    const names = new Set(await commandList(tandem))
    for (const name of await commandList(redis)) names.delete(name)
    assert.deepEqual([...names], [])
    const missing = await missingNames(redis, tandem)
    const categories = (await redis.must('ACL', 'CAT')) as string[]
    const filters = categories.map((name): Command => ['ACLCAT', name.toUpperCase()])
    for (const filter of [...filters, ['PATTERN', '[cC]*'], ['pattern', '*|GET*']]) {
      const request = ['COMMAND', 'LIST', 'FILTERBY', ...filter]
      const expected = ((await redis.must(...request)) as string[]).filter((name) => !missing.has(name))
      const actual = ofRedis(await tandem.must(...request))
      assert.deepEqual(actual, expected.toSorted(), request.join(' '))
    }
  })

  test('COUNT, INFO and DOCS without names cover the commands of LIST that are no subcommands', async (t) => {
    const { tandem } = await wires(t, pair, 3)
    const names = (await commandList(tandem)).filter((name) => !name.includes('|'))
    assert.equal(await tandem.send('COMMAND', 'COUNT'), names.length + OF_LATER.size, 'and those')
    for (const request of [['COMMAND'], ['COMMAND', 'INFO']]) {
      const infos = (await tandem.must(...request)) as Reply[][]
      assert.deepEqual(ofRedis(infos.map((info) => String(info[0]))), names)
    }
    const docs = (await tandem.must('COMMAND', 'DOCS')) as Map<Reply, Reply>
    assert.deepEqual(ofRedis([...docs.keys()].map(String)), names)
  })
})

/** What only Redis has: its commands for Sentinel, modules and what Tandem leaves out. */
async function missingNames(redis: Wire, tandem: Wire): Promise<Set<string>> {
  const names = new Set(await commandList(redis))
  for (const name of await commandList(tandem)) names.delete(name)
  return names
}
