/** CLIENT: what the server knows of its connections, and what each may ask for itself. redis 7.0.15 networking.c clientCommand */
import type { Call } from '../call.ts'
import type { Client } from '../client.ts'
import { arg, command } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'
import { clientInfo } from './client-info.ts'
import { clientKind, runKill } from './client-kill.ts'
import { setClientName } from './client-name.ts'
import { runCaching, runGetredir, runTracking, runTrackinginfo } from './client-tracking.ts'

const HELP = [
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
]

function runGetname(call: Call): void {
  const { name } = call.client
  if (name === '') call.reply.nullBulk()
  else call.reply.bulkString(name)
}

function runSetname(call: Call): void {
  if (setClientName(call, 2)) call.reply.ok()
}

function line(call: Call, client: Client): string {
  return `${clientInfo(client, call.host.unixMs, client === call.client ? call.args : null)}\n`
}

function runInfo(call: Call): void {
  call.reply.verbatim(line(call, call.client))
}

function runList(call: Call): void {
  const { args, host } = call
  let text = ''
  if (args.argc === 4 && args.is(2, 'TYPE')) {
    const kind = clientKind(args.latin1(3))
    if (kind === undefined) {
      call.error(`ERR Unknown client type '${args.cString(3)}'`)
      return
    }
    for (const client of host.clients.all()) if (client.kind === kind) text += line(call, client)
  } else if (args.argc > 3 && args.is(2, 'ID')) {
    for (let i = 3; i < args.argc; i++) {
      const id = call.integer(i, 'ERR Invalid client ID')
      if (id === undefined) return
      const client = host.clients.byId(id)
      if (client !== undefined) text += line(call, client)
    }
  } else if (args.argc === 2) {
    for (const client of host.clients.all()) text += line(call, client)
  } else {
    call.syntaxError()
    return
  }
  call.reply.verbatim(text)
}

function runReply(call: Call): void {
  const { args, client, reply } = call
  if (args.is(2, 'ON')) {
    client.replyMode = 'on'
    reply.muted = false
    reply.ok()
  } else if (args.is(2, 'OFF')) {
    client.replyMode = 'off'
  } else if (args.is(2, 'SKIP')) {
    if (client.replyMode !== 'off') client.replyMode = 'skip-next'
  } else {
    call.syntaxError()
  }
}

function runNoEvict(call: Call): void {
  const { args, client } = call
  if (!args.is(2, 'ON') && !args.is(2, 'OFF')) {
    call.syntaxError()
    return
  }
  client.noEvict = args.is(2, 'ON')
  call.host.clients.recountMemory(client)
  call.reply.ok()
}

/** The end of a pause has to be a number of 64 bits, as in Redis. */
const LONGEST_PAUSE = 2n ** 63n - 1n

function runPause(call: Call): void {
  const { args, host } = call
  if (args.argc > 4) {
    call.error(errors.unknownSubcommand(args.latin1(1).slice(0, 128), 'CLIENT'))
    return
  }
  if (args.argc === 4 && !args.is(3, 'WRITE') && !args.is(3, 'ALL')) {
    call.error('ERR CLIENT PAUSE mode must be WRITE or ALL')
    return
  }
  const timeoutMs = call.integer(2, 'ERR timeout is not an integer or out of range')
  if (timeoutMs === undefined) return
  if (timeoutMs < 0) {
    call.error(errors.timeoutNegative)
    return
  }
  if (args.int64(2)! > LONGEST_PAUSE - BigInt(host.unixMs)) {
    call.error('ERR timeout is out of range')
    return
  }
  const untilMs = timeoutMs === 0 ? 0 : host.unixMs + timeoutMs
  host.clients.pause(untilMs, args.argc === 4 && args.is(3, 'WRITE') ? 'write' : 'all')
  call.reply.ok()
}

function runUnpause(call: Call): void {
  call.host.clients.unpause()
  call.reply.ok()
}

function runUnblock(call: Call): void {
  const { args, host } = call
  if (args.argc > 4) {
    call.error(errors.unknownSubcommand(args.latin1(1).slice(0, 128), 'CLIENT'))
    return
  }
  const withError = args.argc === 4 && args.is(3, 'ERROR')
  if (args.argc === 4 && !withError && !args.is(3, 'TIMEOUT')) {
    call.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
    return
  }
  const id = call.integer(2)
  if (id === undefined) return
  const client = host.clients.byId(id)
  let unblocked = false
  if (client !== undefined) {
    unblocked = withError
      ? host.blocked.unblock(client, (reply) => reply.error(errors.unblocked))
      : host.blocked.timeOut(client)
  }
  call.reply.integer(unblocked ? 1 : 0)
}

export const client = command({
  name: 'client',
  arity: -2,
  since: '2.4.0',
  summary: 'A container for client connection commands',
  complexity: 'Depends on subcommand.',
  flags: ['sentinel'],
  subcommands: [
    {
      name: 'caching',
      arity: 3,
      since: '6.0.0',
      summary: 'Instruct the server about tracking or not keys in the next request',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.oneof('mode', [arg.token('YES'), arg.token('NO')])],
      run: runCaching,
    },
    {
      name: 'getname',
      arity: 2,
      since: '2.6.9',
      summary: 'Get the current connection name',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      run: runGetname,
    },
    {
      name: 'getredir',
      arity: 2,
      since: '6.0.0',
      summary: 'Get tracking notifications redirection client ID if any',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      run: runGetredir,
    },
    {
      name: 'help',
      arity: 2,
      since: '5.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale', 'sentinel'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'id',
      arity: 2,
      since: '5.0.0',
      summary: 'Returns the client ID for the current connection',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      run: (call) => call.reply.integer(call.client.id),
    },
    {
      name: 'info',
      arity: 2,
      since: '6.2.0',
      summary: 'Returns information about the current client connection.',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      hints: ['nondeterministic_output'],
      run: runInfo,
    },
    {
      name: 'kill',
      arity: -3,
      since: '2.4.0',
      summary: 'Kill the connection of a client',
      complexity: 'O(N) where N is the number of client connections',
      history: [
        ['2.8.12', 'Added new filter format.'],
        ['2.8.12', '`ID` option.'],
        ['3.2.0', 'Added `master` type in for `TYPE` option.'],
        ['5.0.0', 'Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.'],
        ['6.2.0', '`LADDR` option.'],
      ],
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      args: [
        arg.oneof('filter', [
          arg.string('ip:port', { deprecatedSince: '2.8.12' }),
          arg.oneof(
            'new-format',
            [
              arg.integer('client-id', { token: 'ID', since: '2.8.12', optional: true }),
              arg.oneof(
                'normal_master_slave_pubsub',
                [
                  arg.token('NORMAL'),
                  arg.token('MASTER', { since: '3.2.0' }),
                  arg.token('SLAVE'),
                  arg.token('REPLICA', { since: '5.0.0' }),
                  arg.token('PUBSUB'),
                ],
                { token: 'TYPE', since: '2.8.12', optional: true },
              ),
              arg.string('username', { token: 'USER', optional: true }),
              arg.string('ip:port', { token: 'ADDR', optional: true }),
              arg.string('ip:port', { token: 'LADDR', since: '6.2.0', optional: true }),
              arg.string('yes/no', { token: 'SKIPME', optional: true }),
            ],
            { multiple: true },
          ),
        ]),
      ],
      run: runKill,
    },
    {
      name: 'list',
      arity: -2,
      since: '2.4.0',
      summary: 'Get the list of client connections',
      complexity: 'O(N) where N is the number of client connections',
      history: [
        ['2.8.12', 'Added unique client `id` field.'],
        ['5.0.0', 'Added optional `TYPE` filter.'],
        ['6.0.0', 'Added `user` field.'],
        ['6.2.0', 'Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.'],
        ['7.0.0', 'Added `resp`, `multi-mem`, `rbs` and `rbp` fields.'],
        ['7.0.3', 'Added `ssub` field.'],
      ],
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      hints: ['nondeterministic_output'],
      args: [
        arg.oneof(
          'normal_master_replica_pubsub',
          [arg.token('NORMAL'), arg.token('MASTER'), arg.token('REPLICA'), arg.token('PUBSUB')],
          { token: 'TYPE', since: '5.0.0', optional: true },
        ),
        arg.block('id', [arg.integer('client-id', { multiple: true })], {
          token: 'ID',
          since: '6.2.0',
          optional: true,
        }),
      ],
      run: runList,
    },
    {
      name: 'no-evict',
      arity: 3,
      since: '7.0.0',
      summary: 'Set client eviction mode for the current connection',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.oneof('enabled', [arg.token('ON'), arg.token('OFF')])],
      run: runNoEvict,
    },
    {
      name: 'pause',
      arity: -3,
      since: '2.9.50',
      summary: 'Stop processing commands from clients for some time',
      complexity: 'O(1)',
      history: [['6.2.0', '`CLIENT PAUSE WRITE` mode added along with the `mode` option.']],
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      args: [
        arg.integer('timeout'),
        arg.oneof('mode', [arg.token('WRITE'), arg.token('ALL')], { since: '6.2.0', optional: true }),
      ],
      run: runPause,
    },
    {
      name: 'reply',
      arity: 3,
      since: '3.2.0',
      summary: 'Instruct the server whether to reply to commands',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.oneof('on_off_skip', [arg.token('ON'), arg.token('OFF'), arg.token('SKIP')])],
      run: runReply,
    },
    {
      name: 'setname',
      arity: 3,
      since: '2.6.9',
      summary: 'Set the current connection name',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.string('connection-name')],
      run: runSetname,
    },
    {
      name: 'tracking',
      arity: -3,
      since: '6.0.0',
      summary: 'Enable or disable server assisted client side caching support',
      complexity: 'O(1). Some options may introduce additional complexity.',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      args: [
        arg.oneof('status', [arg.token('ON'), arg.token('OFF')]),
        arg.integer('client-id', { token: 'REDIRECT', optional: true }),
        arg.string('prefix', { token: 'PREFIX', optional: true, multiple: true, multipleToken: true }),
        arg.token('BCAST', { optional: true }),
        arg.token('OPTIN', { optional: true }),
        arg.token('OPTOUT', { optional: true }),
        arg.token('NOLOOP', { optional: true }),
      ],
      run: runTracking,
    },
    {
      name: 'trackinginfo',
      arity: 2,
      since: '6.2.0',
      summary: 'Return information about server assisted client side caching for the current connection',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      run: runTrackinginfo,
    },
    {
      name: 'unblock',
      arity: -3,
      since: '5.0.0',
      summary: 'Unblock a client blocked in a blocking command from a different connection',
      complexity: 'O(log N) where N is the number of client connections',
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      args: [
        arg.integer('client-id'),
        arg.oneof('timeout_error', [arg.token('TIMEOUT'), arg.token('ERROR')], { optional: true }),
      ],
      run: runUnblock,
    },
    {
      name: 'unpause',
      arity: 2,
      since: '6.2.0',
      summary: 'Resume processing of clients that were paused',
      complexity: 'O(N) Where N is the number of paused clients',
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      run: runUnpause,
    },
  ],
})
