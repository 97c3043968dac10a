/** Users, their rules and what they refuse, over the wire, against redis-server. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { Cleanup } from '../support/cleanup.ts'
import { type DifferentialOptions, differential, type Pair, type Step } from '../support/differential.ts'
import { startRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/server-process.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { RawReply, Wire } from '../support/wire.ts'
import { sameScene } from './transcript.ts'

/** Single commands of a description come in the order of Redis's hash table. */
function sortedWords(answer: RawReply): string {
  return answer.raw
    .toString('latin1')
    .split('\r\n')
    .map((line) => line.split(' ').sort().join(' '))
    .join('\r\n')
}

/** ACL LOG without times and addresses. */
function withoutTimes(answer: RawReply): string {
  return answer.raw
    .toString('latin1')
    .replace(/(age-seconds\r\n)(?:\$\d+\r\n|,)[^\r]+/g, '$1?')
    .replace(/\$\d+\r\nid=[^\r]*? name=(\S*)[^\r]* user=(\S+)[^\r]*/g, 'name=$1 user=$2')
}

function withoutId(answer: RawReply): string {
  return answer.raw.toString('latin1').replace(/(\$2\r\nid\r\n):\d+/, '$1:?')
}

const NORMALISE = { hello: withoutId, 'acl list': sortedWords, 'acl getuser': sortedWords, 'acl log': withoutTimes }

async function same(t: unknown, steps: Step[], more: DifferentialOptions = {}): Promise<void> {
  await differential(t, ['ACL LOG RESET', 'ACL DELUSER alice bob carol', ...steps], { normalise: NORMALISE, ...more })
}

function by(client: string, ...commands: Step[]): Step[] {
  return commands.map((args) => ({ client, args: args as string }))
}

/** Steps that set rules and show what came of them. */
function rules(...given: string[]): Step[] {
  return given.flatMap((text) => [`ACL SETUSER alice ${text}`, 'ACL GETUSER alice'])
}

const HASH = '34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6'

suite('ACL rules', () => {
  test('flags and passwords', async (t) => {
    await same(t, [
      ...rules('', 'on', 'nopass', '>one >two >one', '<one', '<one', `#${HASH}`, `#${HASH}x`, `#${HASH.toUpperCase()}`),
      ...rules(`!${HASH}`, `!${HASH}`, '!x', 'resetpass', 'skip-sanitize-payload', 'sanitize-payload', 'OFF', 'reset'),
      ['ACL', 'SETUSER', 'a b'],
      ['ACL', 'SETUSER', 'a\0b'],
      ['ACL', 'SETUSER', 'alice', ''],
      'ACL SETUSER alice nonsense',
      'ACL SETUSER',
      'ACL USERS',
      'ACL LIST',
    ])
  })

  test('key and channel patterns', async (t) => {
    await same(t, [
      ...rules('~a* ~b ~a*', '%R~c %W~c %RW~d %W~e', '%R~e', '%X~e', '%RR~e', '~*', '~f', 'resetkeys', 'allkeys'),
      ...rules('&a* &b &b', '&*', '&c', 'resetchannels', 'allchannels', 'resetchannels', '%RW~*', 'reset'),
      ['ACL', 'SETUSER', 'alice', '~a b'],
      ['ACL', 'SETUSER', 'alice', '&a\tb'],
    ])
  })

  test('commands and categories', async (t) => {
    await same(t, [
      ...rules('+get', '+GET -get', '+config', '-config|set', '+config|nosuch', '-config|nosuch', '+config|get|x'),
      ...rules('-@all', '+@hash', '-@all +@transaction', 'allcommands', '-get', '-config', '+config|get', 'nocommands'),
      ...rules('+@nosuch', '-@nosuch', '+nosuch', '-nosuch', '+', '-', '+get|a|b', '-get|a', '+client|', 'reset'),
      ...rules('+select|0 +SELECT|1 +select|0', '+select', '-select', '+debug|object', '-@all'),
    ])
  })

  test('each category stands for itself in a description', async (t) => {
    const categories = ['set', 'list', 'hash', 'string', 'sortedset', 'transaction', 'pubsub', 'bitmap', 'connection']
    const steps = categories.flatMap((name) => rules(`reset +@all -@${name}`, `reset -@all +@${name}`))
    await same(t, steps)
  })

  test('selectors', async (t) => {
    await same(t, [
      ...rules('(+get ~a*)', '(+set ~b)', '()', 'clearselectors', '(&* &x)', '(nonsense)', '(+get', '(+get ~c', ')'),
      ['ACL', 'SETUSER', 'alice', '(~key1 +get )', '( ~key2', '+get', ')', '(~key3', '+get)'],
      ['ACL', 'SETUSER', 'alice', ' () '],
      ['ACL', 'SETUSER', 'alice', '(%R~"a"', '+set)'],
      'ACL GETUSER alice',
      'ACL LIST',
    ])
  })

  test('a mistake changes nothing', async (t) => {
    await same(t, [
      'ACL SETUSER alice on +get nonsense',
      'ACL GETUSER alice',
      'ACL SETUSER alice on',
      'ACL SETUSER alice off >x +nosuch',
      'ACL GETUSER alice',
      'ACL DELUSER default alice',
      'ACL DELUSER alice nosuch alice',
      'ACL GETUSER alice',
      'ACL DELUSER',
    ])
  })

  test('subcommands with wrong arguments', async (t) => {
    await same(t, [
      'ACL',
      'ACL NOSUCH',
      'ACL HELP',
      'ACL HELP x',
      'ACL CAT NOSUCH',
      'ACL CAT a b',
      'ACL GENPASS -1',
      'ACL GENPASS 5000',
      'ACL GENPASS x',
      'ACL LOG x',
      'ACL LOG -1',
      'ACL LOG 1 2',
      'ACL LOAD',
      'ACL SAVE',
      'ACL LOAD x',
      'ACL WHOAMI',
    ])
  })
})

suite('ACL checks', () => {
  test('logging in', async (t) => {
    await same(t, [
      'ACL SETUSER alice >secret',
      ...by('a', 'AUTH alice secret', 'AUTH nosuch x', 'AUTH x'),
      'ACL SETUSER alice on +acl +client +hello',
      ...by('a', 'AUTH alice wrong', 'AUTH alice secret', 'ACL WHOAMI', 'PING', 'HELLO 2 AUTH alice wrong'),
      ...by('a', 'HELLO 2 AUTH default any', 'ACL WHOAMI'),
      'ACL SETUSER alice nopass',
      ...by('a', 'AUTH alice anything', 'ACL WHOAMI', 'RESET', 'ACL WHOAMI'),
      'CLIENT KILL USER nosuch',
      'CLIENT KILL USER alice',
      'ACL LOG',
    ])
  })

  test('commands, subcommands and first arguments', async (t) => {
    await same(t, [
      'ACL SETUSER alice on nopass ~* +get +config|get +select|3',
      ...by('a', 'AUTH alice x', 'GET a', 'SET a 1', 'CONFIG GET maxmemory', 'CONFIG SET maxmemory 0', 'CONFIG'),
      ...by('a', 'SELECT 3', 'SELECT 0', 'SELECT', 'NOSUCH', 'GET', 'PING', 'AUTH alice y', 'HELLO', 'QUIT'),
      'ACL LOG',
    ])
  })

  test('keys for reading and for writing', async (t) => {
    await same(t, [
      'MSET r 1 w 1 rw 1 other 1',
      'ACL SETUSER alice on nopass +@all %R~r %W~w ~rw',
      ...by('a', 'AUTH alice x', 'GET r', 'SET r 1', 'GET w', 'APPEND w 1', 'APPEND r 1', 'GET rw', 'APPEND rw 1'),
      ...by('a', 'MGET r rw', 'MGET r w', 'COPY r w', 'COPY w r', 'SET w 2', 'SET w 3 GET', 'SET rw 3 GET'),
      ...by('a', 'EXISTS r', 'EXISTS w', 'EXISTS other', 'DEL r', 'DEL w', 'BITFIELD r GET u4 0', 'KEYS *', 'DBSIZE'),
      ...by('a', 'BITFIELD r SET u4 0 1', 'SINTERCARD 2 r w', 'SORT r STORE w', 'SORT w STORE r', 'FLUSHALL', 'GET'),
      'ACL LOG 100',
    ])
  })

  test('of several selectors one has to allow everything', async (t) => {
    await same(t, [
      'ACL SETUSER alice on nopass (+@write ~w*) (+@read ~r*)',
      ...by('a', 'AUTH alice x', 'PING', 'SET w 1', 'GET r', 'GET w', 'SET r 1', 'COPY r w'),
      'ACL SETUSER alice reset on nopass +mget ~key',
      'ACL SETUSER alice (+mget ~key ~other)',
      ...by('a', 'GET key', 'MGET key other', 'MGET other third', 'MGET key other third'),
      'ACL LOG 100',
    ])
  })

  test('channels: patterns match names, and only themselves', async (t) => {
    await same(t, [
      'ACL SETUSER alice on nopass +@all -@dangerous resetchannels &foo &bar:*',
      ...by('a', 'AUTH alice x', 'PUBLISH foo 1', 'PUBLISH bar:x 1', 'PUBLISH zap 1', 'SPUBLISH zap 1'),
      ...by('a', 'SUBSCRIBE zap', 'SUBSCRIBE foo', 'UNSUBSCRIBE', 'SUBSCRIBE foo zap', 'UNSUBSCRIBE zap'),
      ...by('a', 'PSUBSCRIBE bar:x', 'PSUBSCRIBE bar:*', 'PUNSUBSCRIBE', 'SSUBSCRIBE zap'),
      'ACL LOG 100',
    ])
  })

  test('transactions are checked when they are queued and when they run', async (t) => {
    await same(t, [
      'ACL SETUSER alice on nopass ~a &c +multi +exec +incr +set +publish',
      ...by('a', 'AUTH alice x', 'MULTI', 'INCR a', 'GET a', 'EXEC', 'MULTI', 'INCR a', 'SET a 5', 'PUBLISH c 1'),
      'ACL SETUSER alice -incr',
      ...by('a', 'EXEC', 'MULTI', 'SET a 1', 'PUBLISH c 1'),
      'ACL SETUSER alice +incr resetkeys resetchannels',
      ...by('a', 'EXEC', 'MULTI'),
      'ACL SETUSER alice -exec',
      ...by('a', 'EXEC', 'EXEC'),
      'ACL LOG 100',
      'GET a',
    ])
  })

  test('SORT with patterns needs every key', async (t) => {
    await same(t, [
      'RPUSH list 2 1',
      'MSET v1 1 v2 2',
      'ACL SETUSER alice on nopass (+sort ~list ~v*)',
      ...by('a', 'AUTH alice x', 'SORT list', 'SORT list BY v*', 'SORT list GET v*', 'SORT list BY nosort'),
      'ACL SETUSER alice (+sort ~list %W~*)',
      ...by('a', 'SORT list BY v*'),
      'ACL SETUSER alice (+sort ~list %R~*)',
      ...by('a', 'SORT list BY v* GET v* GET #'),
    ])
  })

  test('DRYRUN', async (t) => {
    const dry = (text: string) => `ACL DRYRUN alice ${text}`
    await same(t, [
      'ACL SETUSER alice +@all -debug %R~read* %W~write* %RW~rw* resetchannels &channel',
      'ACL DRYRUN nosuch GET a',
      ...['NOSUCH a', 'GET', 'GET read', 'GET other', 'CONFIG NOSUCH', 'CONFIG', 'DEBUG OBJECT x'].map(dry),
      ...['SORT read STORE write', 'SORT read STORE read', 'COPY read write', 'COPY write read', 'RENAME rw1 rw2'].map(
        dry,
      ),
      ...['HEXISTS read f', 'HEXISTS write f', 'HEXISTS no f', 'ZCOUNT write 0 1', 'TOUCH write', 'STRLEN no'].map(dry),
      ...['SPUBLISH channel x', 'SPUBLISH other x', 'SUBSCRIBE channel other', 'SUNSUBSCRIBE other', 'SET a'].map(dry),
      ...['MEMORY USAGE no', 'OBJECT ENCODING no', 'ZADD no 1 x', 'PSUBSCRIBE channel', 'PSUBSCRIBE chan*'].map(dry),
    ])
  })

  test('the log groups what is equal and keeps acllog-max-len', async (t) => {
    await same(t, [
      'ACL SETUSER alice on nopass +get ~a',
      ...by('a', 'AUTH alice x', 'GET b', 'GET b', 'SET a 1', 'GET b', 'GET c'),
      'ACL LOG',
      'ACL LOG 1',
      'ACL LOG 0',
      'CONFIG SET acllog-max-len 3',
      ...by('a', 'GET d', 'GET e', 'GET f', 'GET e'),
      'ACL LOG 100',
      'CONFIG SET acllog-max-len 128',
      'ACL LOG RESET',
      'ACL LOG',
    ])
  })

  test('the default user: passwords, off, and requirepass', async (t) => {
    // A client of RESP3 could not even say hello.
    const options = { protocols: [2 as const] }
    const steps: Step[] = [
      'CONFIG SET requirepass secret',
      'ACL LIST',
      ...by('a', 'PING', 'HELLO', 'AUTH wrong', 'ACL WHOAMI', 'AUTH secret', 'PING'),
      ['CONFIG', 'SET', 'requirepass', ''],
      'ACL GETUSER default',
      'ACL SETUSER default off',
      ...by('b', 'PING', 'AUTH default x', 'HELLO'),
      'ACL SETUSER default on',
      ...by('b', 'PING', 'HELLO', 'AUTH default x', 'HELLO'),
      'CONFIG SET acl-pubsub-default allchannels',
      ...rules('', '&x', 'reset'),
      'CONFIG SET acl-pubsub-default resetchannels',
    ]
    await same(t, steps, options)
  })

  test('clients go with their user, and subscribers with their channels', async (t) => {
    await sameScene(t, async (open) => {
      const admin = await open()
      const login = async (user: string): Promise<Wire> => {
        const wire = await open()
        await wire.must('AUTH', user, 'x')
        return wire
      }
      await admin.must('ACL', 'SETUSER', 'alice', 'on', 'nopass', '+@all', '~*', 'resetchannels', '&foo', '&bar*')
      await admin.must('ACL', 'SETUSER', 'bob', 'on', 'nopass', '+@all', '~*')
      const [subscriber, other, self] = [await login('alice'), await login('alice'), await login('bob')]
      await subscriber.must('SUBSCRIBE', 'foo')
      const before = await admin.must('ACL', 'SETUSER', 'alice', '&more')
      const kept = await admin.must('PUBLISH', 'foo', 'x')
      await admin.must('ACL', 'SETUSER', 'alice', 'resetchannels', '&bar*')
      await waitUntil(() => subscriber.closed)
      const stays = await other.send('PING')
      const deleted = await admin.must('ACL', 'DELUSER', 'alice')
      await waitUntil(() => other.closed)
      const own = await self.send('ACL', 'DELUSER', 'bob')
      await waitUntil(() => self.closed)
      return { before, kept, stays, deleted, own }
    })
  })
})

async function pairOf(t: Cleanup, args: string[], files: Record<string, string> = {}): Promise<Pair> {
  const dirs = ['redis', 'tandem'].map((name) => {
    const dir = temporaryDirectory(`acl-${name}`)
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text)
    return dir
  })
  const redis = await startRedis(t, { args, dir: dirs[0]! })
  return { redis, tandem: await startTandem(t, { args, dir: dirs[1]! }) }
}

suite('ACL at start', () => {
  test('users of the configuration', async (t) => {
    const users = [
      ...['--user', 'alice', 'on', '>secret', '~a*', '+@all', '(+get', '~b)'],
      ...['--user', 'default', 'on', 'nopass', '~*', '+@all', '-flushdb'],
    ]
    const servers = await pairOf(t, users)
    const steps = [
      'ACL LIST',
      'FLUSHDB',
      'SUBSCRIBE x',
      'PUBLISH x y',
      'AUTH alice secret',
      'GET b',
      'SET b 1',
      'SET a 1',
    ]
    await differential(t, steps, { servers, normalise: NORMALISE })
  })

  test('renamed commands keep their rules', async (t) => {
    const servers = await pairOf(t, ['--rename-command', 'GET', 'HIDDEN', '--rename-command', 'FLUSHDB', ''])
    await same(
      t,
      [
        ...['GET a', 'HIDDEN a', 'FLUSHDB', 'ACL SETUSER alice on nopass ~* +get', 'ACL SETUSER alice +hidden'],
        ...by('a', 'AUTH alice x', 'HIDDEN a', 'GET a'),
        ...['ACL DRYRUN alice GET a', 'ACL DRYRUN alice HIDDEN a', 'ACL DRYRUN alice SET a 1', 'ACL GETUSER alice'],
      ],
      { servers },
    )
  })

  test('a file of users is read, written and read again', async (t) => {
    const text =
      'user alice on >alice ~a* +@all\n\n  user bob off nopass -@all (+get ~b)\nuser default on nopass ~* &* +@all\n'
    const servers = await pairOf(t, ['--aclfile', 'users.acl'], { 'users.acl': text })
    const steps = [
      'ACL LIST',
      'ACL SETUSER carol on nopass +get',
      'ACL SAVE',
      'ACL DELUSER carol',
      'ACL LOAD',
      'ACL LIST',
    ]
    await differential(t, steps, { servers, normalise: NORMALISE, protocols: [2] })
    const written = [servers.redis, servers.tandem].map(({ dir }) => readFileSync(join(dir, 'users.acl'), 'latin1'))
    assert.equal(written[1], written[0])
    const broken = [
      'user alice on\nuser alice off',
      'user',
      'nonsense\nuser a +nosuch ~* ~b >x <y\nuser default on nopass ~* &* +@all',
      'user a %X~b #x +@nosuch',
      'user  b on',
    ]
    for (const content of broken) {
      for (const { dir } of [servers.redis, servers.tandem]) writeFileSync(join(dir, 'users.acl'), content)
      await differential(t, ['ACL LOAD', 'ACL LIST'], { servers, normalise: NORMALISE, protocols: [2] })
    }
  })

  test('what is wrong ends the start', async (t) => {
    const refused = [
      ['--user', 'foo', '--user', 'foo'],
      ['--user', 'foo', 'on', 'nonsense'],
      ['--user', 'foo', '(on'],
      ['--user', 'foo', 'on', '+nosuch'],
      ['--user', 'foo', 'on', '--aclfile', 'users.acl'],
      ['--aclfile', 'missing.acl'],
      ['--rename-command', 'NOSUCH', 'X'],
      ['--rename-command', 'GET', 'SET'],
    ]
    const texts = [
      /Duplicate user found\. A user can only be defined once in config files/,
      /Error in user declaration '.*': Syntax error/,
      /Error in user declaration/,
      /Error loading ACL rule '\+nosuch' for the user named 'foo': Unknown command or category name in ACL/,
      /Configuring Redis with users defined in redis\.conf and at the same setting an ACL file path is invalid/,
      /Aborting Redis startup because of ACL errors: Error loading ACLs, opening file 'missing\.acl': No such file/,
      /No such command in rename-command/,
      /Target command name already exists/,
    ]
    for (const [i, args] of refused.entries()) {
      await assert.rejects(startTandem(t, { args }), texts[i]!)
      await assert.rejects(startRedis(t, { args }), texts[i]!)
    }
  })
})
