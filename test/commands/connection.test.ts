/** AUTH, CLIENT, HELLO and their kin over the wire, against redis-server. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { differential } from '../support/differential.ts'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type RawReply, type Reply, type Wire } from '../support/wire.ts'
import { sameScene } from './transcript.ts'

/** A line of CLIENT LIST without the values that differ between any two servers. */
function normalInfo(text: Reply): string {
  return String(text)
    .replace(/\b(id|age|idle|fd|qbuf-free|argv-mem|rbs|rbp|tot-mem)=\d+/g, '$1=?')
    .replace(/\b(addr|laddr)=\S+:\d+/g, '$1=?')
    .replace(/events=rw?/g, 'events=?')
}

function withoutId(answer: RawReply): string {
  return answer.raw.toString('latin1').replace(/(\$2\r\nid\r\n):\d+/, '$1:?')
}

async function blockedClients(wire: Wire): Promise<number> {
  return Number(/blocked_clients:(\d+)/.exec(String(await wire.must('INFO', 'clients')))?.[1])
}

suite('connection', () => {
  test('PING, ECHO, SELECT', async (t) => {
    await differential(t, [
      'PING',
      ['PING', ''],
      ['PING', 'a\r\nb'],
      'PING a b',
      ['ECHO', 'x'.repeat(100_000)],
      'ECHO',
      'SELECT 1',
      'SELECT 15',
      'SELECT 16',
      'SELECT -1',
      'SELECT x',
      'SELECT 99999999999',
      'SELECT 99999999999999999999',
      'SELECT 0',
    ])
  })

  test('HELLO switches the protocol and refuses what it does not know', async (t) => {
    await differential(
      t,
      [
        'HELLO',
        'HELLO 3',
        'HELLO 2',
        'HELLO 4',
        'HELLO 1',
        'HELLO x',
        'HELLO 3 SETNAME me',
        'CLIENT GETNAME',
        ['HELLO', '3', 'SETNAME', 'a b'],
        'HELLO 3 SETNAME',
        'HELLO 2 AUTH default x SETNAME you',
        'HELLO 2 AUTH nosuch x',
        'HELLO 2 AUTH default',
        'HELLO 2 NOSUCH',
        'CLIENT GETNAME',
      ],
      { normalise: { hello: withoutId } },
    )
  })

  test('RESET makes a connection new', async (t) => {
    await differential(t, [
      'CLIENT SETNAME me',
      'SELECT 5',
      'MULTI',
      'SET a 1',
      'RESET',
      'EXEC',
      'CLIENT GETNAME',
      'SET k 1',
      'SELECT 0',
      'GET k',
      'WATCH k',
      'SET k 2',
      'RESET',
      'MULTI',
      'EXEC',
    ])
  })

  test('AUTH without a password to ask for', async (t) => {
    await differential(t, ['AUTH x', 'AUTH default x', 'AUTH nosuch x', 'AUTH a b c', 'AUTH', 'ACL WHOAMI'])
  })

  test('AUTH with requirepass', async (t) => {
    const args = ['--requirepass', 'foobar']
    const [redis, tandem] = await Promise.all([startRedis(t, { args }), startTandem(t, { args })])
    const transcripts: unknown[] = []
    for (const { port } of [redis, tandem]) {
      const wire = await connectFor(t, port)
      const replies: Reply[] = []
      for (const line of [
        'SET a 1',
        'PING',
        'NOSUCH',
        'HELLO 3',
        'AUTH wrong',
        'AUTH default wrong',
        'AUTH nosuch foobar',
        'GET a',
        'AUTH foobar',
        'SET a 1',
        'ACL LIST',
        'ACL GETUSER default',
        'RESET',
        'GET a',
        'HELLO 2 AUTH default foobar SETNAME me',
        'CLIENT GETNAME',
        'CONFIG SET requirepass other',
        'GET a',
        'AUTH foobar',
        'GET a',
        'AUTH other',
        'CONFIG SET requirepass ""',
        'GET a',
      ]) {
        wire.raw(`${line}\r\n`)
        const { reply, raw } = await wire.nextRaw()
        replies.push(line.startsWith('HELLO') ? raw.toString('latin1').replace(/(\r\nid\r\n):\d+/, '$1:?') : reply)
      }
      transcripts.push(replies)
    }
    assert.deepEqual(transcripts[1], transcripts[0])
  })

  test('CLIENT: names, ids and errors', async (t) => {
    await differential(t, [
      'CLIENT',
      'CLIENT HELP',
      'CLIENT NOSUCH',
      'CLIENT GETNAME',
      'CLIENT SETNAME me',
      'CLIENT GETNAME',
      ['CLIENT', 'SETNAME', 'a b'],
      ['CLIENT', 'SETNAME', 'a\n'],
      ['CLIENT', 'SETNAME', ''],
      'CLIENT GETNAME',
      'CLIENT ID x',
      'CLIENT NO-EVICT ON',
      'CLIENT NO-EVICT OFF',
      'CLIENT NO-EVICT MAYBE',
      'CLIENT REPLY ON',
      'CLIENT REPLY NOSUCH',
      'CLIENT PAUSE x',
      'CLIENT PAUSE -1',
      'CLIENT PAUSE 1 NOSUCH',
      'CLIENT PAUSE 1 WRITE x',
      'CLIENT UNPAUSE',
      'CLIENT UNBLOCK 999999',
      'CLIENT UNBLOCK x',
      'CLIENT UNBLOCK 1 NOSUCH',
      'CLIENT UNBLOCK 1 ERROR x',
      'CLIENT KILL',
      'CLIENT KILL 1.2.3.4:5',
      'CLIENT KILL ID x',
      'CLIENT KILL ID 0',
      'CLIENT KILL ID 999999',
      'CLIENT KILL ID 1 ADDR',
      'CLIENT KILL TYPE nosuch',
      'CLIENT KILL TYPE pubsub',
      'CLIENT KILL USER nosuch',
      'CLIENT KILL SKIPME maybe',
      'CLIENT KILL ADDR 1.2.3.4:5 LADDR 1.2.3.4:5 USER default SKIPME no',
      'CLIENT LIST TYPE nosuch',
      'CLIENT LIST TYPE',
      'CLIENT LIST ID',
      'CLIENT LIST ID x',
      'CLIENT LIST ID 999999',
      'CLIENT LIST nosuch',
    ])
  })

  test('CLIENT TRACKING that stays off', async (t) => {
    await differential(t, [
      'CLIENT TRACKING OFF',
      'CLIENT TRACKING OFF BCAST PREFIX a NOLOOP',
      'CLIENT TRACKING MAYBE',
      'CLIENT TRACKING ON NOSUCH',
      'CLIENT TRACKING ON PREFIX a',
      'CLIENT TRACKING ON BCAST OPTIN',
      'CLIENT TRACKING ON OPTIN OPTOUT',
      'CLIENT TRACKING ON REDIRECT x',
      'CLIENT TRACKING ON REDIRECT 999999',
      'CLIENT TRACKING ON PREFIX',
      'CLIENT TRACKINGINFO',
      'CLIENT GETREDIR',
      'CLIENT CACHING YES',
      'CLIENT CACHING NOSUCH',
    ])
  })

  test('CLIENT INFO and LIST describe a connection', async (t) => {
    const normalise = {
      'client info': (answer: RawReply) => normalInfo(answer.reply),
      'client list': (answer: RawReply) =>
        normalInfo(answer.reply)
          .split('\n')
          .filter((line) => line.includes('name=me')),
    }
    // A batch is read at once, and qbuf is all of it; so each of these has to stand alone.
    for (const command of ['CLIENT INFO', 'CLIENT LIST', 'CLIENT LIST TYPE normal']) {
      await differential(t, ['HELLO 2 SETNAME me', 'SELECT 3', { client: 'other', args: 'PING' }, command], {
        normalise: { ...normalise, hello: withoutId },
      })
    }
  })

  test('CLIENT REPLY SKIP and OFF', (t) =>
    sameScene(t, async (open) => {
      const wire = await open()
      wire.raw('PING first\r\nCLIENT REPLY SKIP\r\nPING skipped\r\nPING second\r\n')
      const seen = [await wire.next(), await wire.next()]
      wire.raw('CLIENT REPLY OFF\r\nPING off\r\nCLIENT REPLY SKIP\r\nNOSUCH\r\nCLIENT REPLY ON\r\nPING third\r\n')
      seen.push(await wire.next(), await wire.next())
      wire.raw('CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING fourth\r\n')
      seen.push(await wire.next(), await wire.next())
      return seen
    }))

  test('QUIT closes after its reply', (t) =>
    sameScene(t, async (open) => {
      const wire = await open()
      wire.raw('SET a 1\r\nQUIT\r\nSET a 2\r\n')
      const seen = [await wire.next(), await wire.next()]
      await wire.ended()
      return [...seen, await (await open()).send('GET', 'a')]
    }))

  test('CLIENT KILL closes other connections and its own', (t) =>
    sameScene(t, async (open) => {
      const [killer, first, second] = [await open(), await open(), await open()]
      const id = await second.must('CLIENT', 'ID')
      const seen = [
        await killer.send('CLIENT', 'KILL', `127.0.0.1:${first.localPort}`),
        await killer.send('CLIENT', 'KILL', 'ID', Number(id)),
      ]
      await Promise.all([first.ended(), second.ended()])
      const own = await killer.must('CLIENT', 'ID')
      seen.push(await killer.send('CLIENT', 'KILL', 'ID', Number(own)))
      seen.push(await killer.send('PING'), await killer.send('CLIENT', 'KILL', 'ID', Number(own), 'SKIPME', 'no'))
      await killer.ended()
      return seen
    }))

  test('CLIENT PAUSE holds commands back', (t) =>
    sameScene(t, async (open) => {
      const [wire, other] = [await open(), await open()]
      const seen = [await wire.send('CLIENT', 'PAUSE', 100_000, 'WRITE'), await other.send('GET', 'a')]
      const held = other.send('SET', 'a', '1')
      await waitUntil(async () => String(await wire.must('CLIENT', 'LIST')).includes('flags=b'))
      seen.push(
        await wire.send('GET', 'a'),
        await wire.send('CLIENT', 'UNPAUSE'),
        await held,
        await wire.send('GET', 'a'),
      )
      return seen
    }))

  test('CLIENT UNBLOCK ends a wait by timeout or error', (t) =>
    sameScene(t, async (open) => {
      const [wire, waiting] = [await open(), await open(3)]
      const id = Number(await waiting.must('CLIENT', 'ID'))
      const seen: unknown[] = []
      for (const reason of [[], ['TIMEOUT'], ['ERROR']]) {
        const answer = waiting.send('BLPOP', 'nosuch', 0)
        await waitUntil(async () => (await blockedClients(wire)) === 1)
        seen.push(await wire.send('CLIENT', 'UNBLOCK', id, ...reason), await answer)
      }
      seen.push(await wire.send('CLIENT', 'UNBLOCK', id), await waiting.send('PING'))
      return seen
    }))

  test('MONITOR shows what others run, without secrets', (t) =>
    sameScene(t, async (open) => {
      const [wire, monitor] = [await open(), await open()]
      const seen = [await monitor.send('MONITOR')]
      await wire.pipeline([
        ['SELECT', 2],
        ['SET', 'a', Buffer.from([0, 34, 92, 10, 255])],
        ['AUTH', 'nosuch', 'secret'],
        ['CONFIG', 'GET', 'maxmemory'],
        ['MULTI'],
        ['GET', 'a'],
        ['EXEC'],
        ['PING', 'last'],
      ])
      for (let i = 0; i < 7; i++) {
        seen.push(String(await monitor.next()).replace(/^[\d.]+ \[(\d+) .*?\]/, '[$1]'))
      }
      return seen
    }))

  test('each command of a pipeline is timed by itself, and sees the time at which it runs', async (t) => {
    for (const server of [await startRedis(t, { args: ['--enable-debug-command', 'yes'] }), await startTandem(t)]) {
      const wire = await connectFor(t, server.port)
      await wire.must('CONFIG', 'SET', 'slowlog-log-slower-than', 200_000)
      const replies = await wire.pipeline([
        ['ZADD', 'z', '1', 'a'],
        ['SET', 'k', 'v', 'PX', '100'],
        ['ZRANGE', 'z', '0', '-1'],
        ['LRANGE', 'k2', '0', '-1'],
        ['DEBUG', 'SLEEP', '0.3'],
        ['ZRANGE', 'z', '0', '-1'],
        ['GET', 'k'],
        ['GET', 'k'],
        ['TYPE', 'k'],
        ['LRANGE', 'k2', '0', '-1'],
      ])
      assert.deepEqual(replies.slice(4).map(String), ['OK', 'a', 'null', 'null', 'none', ''])
      const slow = (await wire.must('SLOWLOG', 'GET', '-1')) as Reply[][]
      assert.deepEqual(
        slow.map((entry) => entry[3]?.toString()),
        ['DEBUG,SLEEP,0.3'],
      )
      const stats = String(await wire.must('INFO', 'commandstats'))
      const of = (name: string) =>
        new RegExp(`cmdstat_${name}:calls=(\\d+),usec=(\\d+)`).exec(stats)!.slice(1).map(Number)
      const [ranges, rangesTook] = of('zrange') as [number, number]
      const [, sleepTook] = of('debug') as [number, number]
      assert.equal(ranges, 2)
      assert.ok(rangesTook < sleepTook, `the sleep is counted as another command's: ${stats}`)
    }
  })

  test('SLOWLOG and LATENCY', async (t) => {
    const ids = (answer: RawReply) => (answer.reply as Reply[][]).map((entry) => entry[3])
    const normalise = {
      'slowlog get': (answer: RawReply) => (Array.isArray(answer.reply) ? ids(answer) : answer.reply),
      'latency histogram': (answer: RawReply) => answer.raw.toString('latin1').match(/\$\d+\r\n[a-z|]+(\r\n:\d+)?/g),
    }
    const long = 'A'.repeat(129)
    await differential(
      t,
      [
        'CONFIG SET slowlog-log-slower-than 0',
        'SLOWLOG RESET',
        ['SET', 'a', long],
        ['SADD', 's', ...Array.from({ length: 31 }, (_, i) => String(i))],
        'AUTH secret',
        'SLOWLOG GET 3',
        'CONFIG SET slowlog-log-slower-than -1',
        'SLOWLOG GET -1',
        'SLOWLOG LEN',
        'SLOWLOG GET 0',
        'SLOWLOG GET -2',
        'SLOWLOG GET x',
        'SLOWLOG GET 1 2',
        'SLOWLOG HELP',
        'SLOWLOG NOSUCH',
        'CONFIG SET slowlog-log-slower-than 10000',
        'LATENCY RESET',
        'LATENCY LATEST',
        'LATENCY HISTORY nosuch',
        'LATENCY GRAPH nosuch',
        'LATENCY DOCTOR',
        'LATENCY HELP',
        'LATENCY NOSUCH',
        'CONFIG RESETSTAT',
        'SET a b',
        'SET c d',
        'GET a',
        'LATENCY HISTOGRAM set get nosuch',
      ],
      { normalise },
    )
  })

  test('ACL of the default user', async (t) => {
    await differential(
      t,
      [
        'ACL WHOAMI',
        'ACL USERS',
        'ACL LIST',
        'ACL GETUSER default',
        'ACL GETUSER nosuch',
        'ACL CAT',
        'ACL CAT transaction',
        'ACL CAT nosuch',
        'ACL CAT a b',
        'ACL GENPASS 0',
        'ACL GENPASS 4097',
        'ACL GENPASS x',
        'ACL GENPASS',
        'ACL GENPASS 5',
        'ACL NOSUCH',
      ],
      {
        order: { 'acl cat': 'elements' },
        normalise: {
          'acl genpass': ({ reply }) => (typeof reply === 'string' ? [reply.length, /^[0-9a-f]*$/.test(reply)] : reply),
        },
      },
    )
  })
})
