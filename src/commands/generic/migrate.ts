/**
 * MIGRATE: keys to another server, by RESTORE there and DEL here, while nobody else runs. redis 7.0.15 cluster.c
 * migrateCommand
 */
import { NOTIFY_GENERIC } from '../../config/units.ts'
import { dumpValue } from '../../rdb/dump-payload.ts'
import { Request } from '../../resp/request.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key, keywordKeys } from '../define.ts'
import { migrateKeys } from '../movable-keys.ts'
import type { Exchange, ExchangeRequest } from '../outgoing-host.ts'

const EMPTY = Buffer.alloc(0)
const DEFAULT_TIMEOUT_MS = 1000
const OPTIONS_FROM = 6

interface Options {
  copies: boolean
  replaces: boolean
  username: Buffer | undefined
  password: Buffer | undefined
  /** Argument indexes of the keys. */
  keys: number[]
}

/** Undefined after the error. */
function readOptions(call: Call): Options | undefined {
  const { args } = call
  const options: Options = { copies: false, replaces: false, username: undefined, password: undefined, keys: [3] }
  for (let i = OPTIONS_FROM; i < args.argc; i++) {
    const more = args.argc - 1 - i
    if (args.is(i, 'COPY')) {
      options.copies = true
    } else if (args.is(i, 'REPLACE')) {
      options.replaces = true
    } else if (args.is(i, 'AUTH') && more >= 1) {
      options.password = args.copy(++i)
    } else if (args.is(i, 'AUTH2') && more >= 2) {
      options.username = args.copy(++i)
      options.password = args.copy(++i)
    } else if (args.is(i, 'KEYS')) {
      if (args.length(3) !== 0) {
        call.error('ERR When using MIGRATE KEYS option, the key argument must be set to the empty string')
        return undefined
      }
      options.keys = Array.from({ length: more }, (_, k) => i + 1 + k)
      break
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** RESTORE of each key that has time left; `keys` keeps those. */
function restores(call: Call, options: Options, keys: number[]): Buffer[] {
  const { args, store } = call
  const parts: Buffer[] = []
  const sent: number[] = []
  for (const i of keys) {
    const ref = call.peek(i)
    if (ref === 0) continue
    const expireAt = store.expireAt(ref)
    const ttl = expireAt === NO_EXPIRE ? 0 : expireAt - call.host.unixMs
    if (ttl < 0) continue
    const time = expireAt === NO_EXPIRE ? '0' : String(Math.max(ttl, 1))
    const payload = dumpValue(store, ref, call.host.config.get('rdbcompression'))
    const request = ['RESTORE', args.copy(i), time, payload]
    if (options.replaces) request.push('REPLACE')
    parts.push(Request.of(request).buf)
    sent.push(i)
  }
  keys.splice(0, keys.length, ...sent)
  return parts
}

function exchangeRequest(options: Options, database: number, body: Buffer[]): ExchangeRequest {
  const { username, password } = options
  const login = username === undefined ? [password ?? ''] : [username, password ?? '']
  return {
    auth: password === undefined ? EMPTY : Request.of(['AUTH', ...login]).buf,
    select: Request.of(['SELECT', String(database)]).buf,
    database,
    body: Buffer.concat(body),
    lines: body.length,
  }
}

/** Removes what the other side has taken. Returns the first error that it answered. */
function settle(call: Call, exchange: Exchange, options: Options, keys: number[]): string | undefined {
  const lines = [...exchange.lines]
  let refused: string | undefined
  const ahead = (options.password === undefined ? 0 : 1) + (exchange.selected ? 1 : 0)
  for (const line of lines.splice(0, ahead)) if (line.startsWith('-')) refused ??= line.slice(1)
  const prepared = refused === undefined
  const taken: Buffer[] = []
  lines.forEach((line, k) => {
    if (line.startsWith('-')) refused ??= line.slice(1)
    else if (prepared && !options.copies) taken.push(deleteKey(call, keys[k]!))
  })
  if (taken.length > 0) call.propagateAs('DEL', ...taken)
  return refused
}

function deleteKey(call: Call, i: number): Buffer {
  const ref = call.peek(i)
  if (ref !== 0) call.remove(ref)
  call.changed(i, NOTIFY_GENERIC, 'del')
  return call.args.view(i)
}

function runMigrate(call: Call): void {
  const { args, host } = call
  const options = readOptions(call)
  if (options === undefined) return
  const timeout = call.integer(5)
  if (timeout === undefined) return
  const database = call.integer(4)
  if (database === undefined) return
  const timeoutMs = timeout <= 0 ? DEFAULT_TIMEOUT_MS : timeout
  const found = options.keys.filter((i) => call.lookupRead(i) !== 0)
  if (found.length === 0) {
    call.reply.simple('NOKEY')
    return
  }
  // A socket that was kept open may have been closed by the other side: once more with a new one.
  for (let again = true; ; again = false) {
    const keys = [...found]
    const body = restores(call, options, keys)
    const port = args.integer(2)
    const request = exchangeRequest(options, database, body)
    const exchange = host.outgoing.exchange(args.utf8(1), port > 0 && port < 65536 ? port : 0, timeoutMs, request)
    if (exchange.failure === 'connecting') {
      call.error('IOERR error or timeout connecting to the client')
      return
    }
    if (again && exchange.failure !== '' && exchange.lines.length === 0 && !exchange.timedOut) continue
    const refused = settle(call, exchange, options, keys)
    if (refused !== undefined) call.error(`ERR Target instance replied with error: ${refused}`)
    else if (exchange.failure !== '') call.error(`IOERR error or timeout ${exchange.failure} to target instance`)
    else call.reply.ok()
    return
  }
}

export const migrate = command({
  name: 'migrate',
  arity: -6,
  since: '2.6.0',
  summary: 'Atomically transfer a key from a Redis instance to another one.',
  complexity:
    'This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target ' +
    'instance. See the pages of these commands for time complexity. Also an O(N) data transfer between ' +
    'the two instances is performed.',
  history: [
    ['3.0.0', 'Added the `COPY` and `REPLACE` options.'],
    ['3.0.6', 'Added the `KEYS` option.'],
    ['4.0.7', 'Added the `AUTH` option.'],
    ['6.0.0', 'Added the `AUTH2` option.'],
  ],
  flags: ['write'],
  acl: ['keyspace', 'dangerous'],
  hints: ['nondeterministic_output'],
  keys: [key(3, 'RW', 'ACCESS', 'DELETE'), keywordKeys('KEYS', -2, 0, 'RW', 'ACCESS', 'DELETE', 'INCOMPLETE')],
  getKeys: migrateKeys,
  args: [
    arg.string('host'),
    arg.integer('port'),
    arg.oneof('key_or_empty_string', [arg.key(), arg.token('', { name: 'empty_string' })]),
    arg.integer('destination-db'),
    arg.integer('timeout'),
    arg.token('COPY', { since: '3.0.0', optional: true }),
    arg.token('REPLACE', { since: '3.0.0', optional: true }),
    arg.oneof(
      'authentication',
      [
        arg.string('password', { token: 'AUTH', since: '4.0.7', optional: true }),
        arg.block('username_password', [arg.string('username'), arg.string('password')], {
          token: 'AUTH2',
          since: '6.0.0',
          optional: true,
        }),
      ],
      { optional: true },
    ),
    arg.key('key', { token: 'KEYS', keySpec: 1, since: '3.0.6', optional: true, multiple: true }),
  ],
  run: runMigrate,
})
