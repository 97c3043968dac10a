/** FAILOVER: hand the role of the primary over to a replica that has everything. */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'

/** redis 7.0.15 replication.c failoverCommand */
function runFailover(call: Call): void {
  const { args, reply } = call
  const { replication } = call.host
  if (args.argc === 2 && args.is(1, 'ABORT')) {
    if (replication.abortFailover()) reply.ok()
    else call.error('ERR No failover in progress.')
    return
  }
  let timeoutMs = 0
  let force = false
  let target: { host: string; port: number } | null = null
  for (let i = 1; i < args.argc; i++) {
    if (args.is(i, 'TIMEOUT') && i + 1 < args.argc && timeoutMs === 0) {
      const given = call.integer(++i)
      if (given === undefined) return
      if (given <= 0) return call.error('ERR FAILOVER timeout must be greater than 0')
      timeoutMs = given
    } else if (args.is(i, 'TO') && i + 2 < args.argc && target === null) {
      const port = call.integer(i + 2)
      if (port === undefined) return
      target = { host: args.latin1(i + 1), port }
      i += 2
    } else if (args.is(i, 'FORCE') && !force) {
      force = true
    } else {
      return call.syntaxError()
    }
  }
  const refused = replication.failover({ target, force, timeoutMs })
  if (refused === null) reply.ok()
  else call.error(refused)
}

export const failover = command({
  name: 'failover',
  arity: -1,
  since: '6.2.0',
  summary: 'Start a coordinated failover between this server and one of its replicas.',
  complexity: 'O(1)',
  flags: ['admin', 'noscript', 'stale'],
  args: [
    arg.block('target', [arg.string('host'), arg.integer('port'), arg.token('FORCE', { optional: true })], {
      token: 'TO',
      optional: true,
    }),
    arg.token('ABORT', { optional: true }),
    arg.integer('milliseconds', { token: 'TIMEOUT', optional: true }),
  ],
  run: runFailover,
})
