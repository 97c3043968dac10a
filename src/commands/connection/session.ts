/** AUTH, HELLO and RESET: who a connection is and which protocol it speaks. redis 7.0.15 acl.c, networking.c */
import { REDIS_VERSION } from '../../config/redis-conf.ts'
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { discardTransaction } from '../transactions/transactions.ts'
import { setClientName } from './client-name.ts'

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'
const NOT_CONFIGURED =
  'ERR AUTH <password> called without any password configured for the default user. ' +
  'Are you sure your configuration is correct?'
const HELLO_NEEDS_AUTH =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option ' +
  'can be used to authenticate the client and select the RESP protocol version at the same time'

/** redis 7.0.15 acl.c authCommand */
function runAuth(call: Call): void {
  const { args, client, host, reply } = call
  if (args.argc > 3) {
    call.syntaxError()
    return
  }
  if (args.argc === 2 && host.acl.defaultTakesAnyPassword) {
    reply.error(NOT_CONFIGURED)
    return
  }
  const user = args.argc === 2 ? 'default' : args.latin1(1)
  if (host.acl.authenticate(client, user, args.view(args.argc - 1), args)) reply.ok()
  else reply.error(WRONG_PASSWORD)
}

/** redis 7.0.15 networking.c helloCommand */
function runHello(call: Call): void {
  const { args, client, reply } = call
  let version = 0
  if (args.argc >= 2) {
    const asked = call.integer(1, 'ERR Protocol version is not an integer or out of range')
    if (asked === undefined) return
    if (asked < 2 || asked > 3) {
      reply.error('NOPROTO unsupported protocol version')
      return
    }
    version = asked
  }
  if (!takeHelloOptions(call)) return
  if (!client.authenticated) {
    reply.error(HELLO_NEEDS_AUTH)
    return
  }
  if (version !== 0) {
    client.resp = version === 3 ? 3 : 2
    reply.resp = client.resp
  }
  replyHello(call)
}

/** False after having replied an error; what stood before it has taken effect. */
function takeHelloOptions(call: Call): boolean {
  const { args, client, host } = call
  for (let i = 2; i < args.argc; i++) {
    const more = args.argc - 1 - i
    if (args.is(i, 'AUTH') && more >= 2) {
      if (!host.acl.authenticate(client, args.latin1(i + 1), args.view(i + 2), args)) {
        call.error(WRONG_PASSWORD)
        return false
      }
      i += 2
    } else if (args.is(i, 'SETNAME') && more >= 1) {
      if (!setClientName(call, i + 1)) return false
      i++
    } else {
      call.error(`ERR Syntax error in HELLO option '${args.cString(i)}'`)
      return false
    }
  }
  return true
}

function replyHello(call: Call): void {
  const { client, host, reply } = call
  reply.map(7)
  reply.bulkString('server')
  reply.bulkString('redis')
  reply.bulkString('version')
  reply.bulkString(REDIS_VERSION)
  reply.bulkString('proto')
  reply.integer(client.resp)
  reply.bulkString('id')
  reply.integer(client.id)
  reply.bulkString('mode')
  reply.bulkString('standalone')
  reply.bulkString('role')
  reply.bulkString(host.replication.role === 'slave' ? 'replica' : 'master')
  reply.bulkString('modules')
  reply.array(0)
}

/** The connection becomes as it was when it was new. redis 7.0.15 networking.c clearClientConnectionState */
function runReset(call: Call): void {
  const { client, host, reply } = call
  if (client.isMaster || (client.replica !== null && !client.isMonitor)) {
    call.error('ERR can only reset normal client connections')
    return
  }
  if (client.isMonitor) host.clients.removeMonitor(client)
  host.tracking.disable(client)
  client.db = 0
  client.resp = 2
  reply.resp = 2
  host.acl.welcome(client)
  discardTransaction(client, host)
  host.pubsub.unsubscribeAll(client)
  client.name = ''
  client.readonly = false
  client.syncReplicas = -1
  // CLIENT REPLY SKIP holds for this command as for any other.
  if (client.replyMode !== 'skip') {
    client.replyMode = 'on'
    reply.muted = false
  }
  reply.simple('RESET')
}

export const auth = command({
  name: 'auth',
  arity: -2,
  since: '1.0.0',
  summary: 'Authenticate to the server',
  complexity: 'O(N) where N is the number of passwords defined for the user',
  history: [['6.0.0', 'Added ACL style (username and password).']],
  flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'sentinel', 'allow_busy'],
  args: [arg.string('username', { since: '6.0.0', optional: true }), arg.string('password')],
  run: runAuth,
})

export const hello = command({
  name: 'hello',
  arity: -1,
  since: '6.0.0',
  summary: 'Handshake with Redis',
  complexity: 'O(1)',
  history: [
    [
      '6.2.0',
      '`protover` made optional; when called without arguments the command reports the current ' +
        "connection's context.",
    ],
  ],
  flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'sentinel', 'allow_busy'],
  args: [
    arg.block(
      'arguments',
      [
        arg.integer('protover'),
        arg.block('username_password', [arg.string('username'), arg.string('password')], {
          token: 'AUTH',
          optional: true,
        }),
        arg.string('clientname', { token: 'SETNAME', optional: true }),
      ],
      { optional: true },
    ),
  ],
  run: runHello,
})

export const reset = command({
  name: 'reset',
  arity: 1,
  since: '6.2.0',
  summary: 'Reset the connection',
  complexity: 'O(1)',
  flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
  run: runReset,
})
