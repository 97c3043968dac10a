/** CONFIG: the options of config/ over the wire. Which values are good, and their error texts, is decided there. */
import { rewriteConfigFile } from '../../config/rewrite.ts'
import { strerror } from '../../config/strerror.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Call } from '../call.ts'
import type { Client } from '../client.ts'
import { arg, command } from '../define.ts'
import { replyHelp } from '../help.ts'
import { answerLater } from './answer-later.ts'

const HELP = [
  'GET <pattern>',
  '    Return parameters matching the glob-like <pattern> and their values.',
  'SET <directive> <value>',
  '    Set the configuration <directive> to <value>.',
  'RESETSTAT',
  '    Reset statistics reported by the INFO command.',
  'REWRITE',
  '    Rewrite the configuration file.',
]

function runGet(call: Call): void {
  const { args, host, reply } = call
  const patterns: string[] = []
  for (let i = 2; i < args.argc; i++) patterns.push(args.utf8(i))
  const found = host.config.getMatching(patterns)
  reply.map(found.length)
  for (const [name, value] of found) {
    reply.bulkUtf8(name)
    reply.bulkUtf8(value)
  }
}

/** redis 7.0.15 config.c configSetCommand */
function runSet(call: Call): void {
  const { args, client, host } = call
  if (args.argc % 2 !== 0) {
    call.syntaxError()
    return
  }
  const pairs: [string, string][] = []
  // Names in the byte-wise text of error replies, which show those that are unknown.
  for (let i = 2; i < args.argc; i += 2) pairs.push([args.latin1(i), args.utf8(i + 1)])
  const context = { loading: host.persistence.loading, local: isLocal(client) }
  const outcome = call.inTransaction ? host.config.set(pairs, context) : host.config.setAndWait(pairs, context)
  if (outcome instanceof Promise) answerLater(call, outcome, replyOutcome, (error) => `ERR ${String(error)}`)
  else replyOutcome(call.reply, outcome)
}

function replyOutcome(reply: ReplyWriter, failure: string | undefined): void {
  if (failure === undefined) reply.ok()
  else reply.error(failure)
}

/** redis 7.0.15 server.c islocalClient */
function isLocal(client: Client): boolean {
  return client.isUnixSocket || /^(127\.0\.0\.1:|\[?::1\]?:)/.test(client.transport.remoteAddress)
}

/** redis 7.0.15 config.c configResetStatCommand */
function runResetstat(call: Call): void {
  call.host.stats.reset()
  call.host.aof.resetStats()
  call.table.resetStatistics()
  call.reply.ok()
}

/** redis 7.0.15 config.c configRewriteCommand */
function runRewrite(call: Call): void {
  const { host, reply } = call
  if (host.config.file === '') {
    reply.error('ERR The server is running without a config file')
    return
  }
  try {
    rewriteConfigFile(host.config)
  } catch (error) {
    const reason = strerror(error)
    host.log('warning', `CONFIG REWRITE failed: ${reason}`)
    reply.error(`ERR Rewriting config file: ${reason}`)
    return
  }
  host.log('warning', 'CONFIG REWRITE executed with success.')
  reply.ok()
}

export const config = command({
  name: 'config',
  arity: -2,
  since: '2.0.0',
  summary: 'A container for server configuration commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'get',
      arity: -3,
      since: '2.0.0',
      summary: 'Get the values of configuration parameters',
      complexity: 'O(N) when N is the number of configuration parameters provided',
      history: [['7.0.0', 'Added the ability to pass multiple pattern parameters in one call']],
      flags: ['admin', 'noscript', 'loading', 'stale'],
      args: [arg.block('parameter', [arg.string('parameter')], { multiple: true })],
      run: runGet,
    },
    {
      name: 'help',
      arity: 2,
      since: '5.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'resetstat',
      arity: 2,
      since: '2.0.0',
      summary: 'Reset the stats returned by INFO',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      run: runResetstat,
    },
    {
      name: 'rewrite',
      arity: 2,
      since: '2.8.0',
      summary: 'Rewrite the configuration file with the in memory configuration',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      run: runRewrite,
    },
    {
      name: 'set',
      arity: -4,
      since: '2.0.0',
      summary: 'Set configuration parameters to the given values',
      complexity: 'O(N) when N is the number of configuration parameters provided',
      history: [['7.0.0', 'Added the ability to set multiple parameters in one call.']],
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      args: [arg.block('parameter_value', [arg.string('parameter'), arg.string('value')], { multiple: true })],
      run: runSet,
    },
  ],
})
