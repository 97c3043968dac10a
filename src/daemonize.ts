/**
 * `daemonize yes`: the program goes on in the background and its caller gets the prompt back. Node cannot fork, so the
 * same command line is started a second time in a session of its own; that child knows by its environment what it is.
 */

import { spawn } from 'node:child_process'
import type { Config } from './config/config.ts'

const MARK = 'DAEMON_OF_TANDEM'
/** redis 7.0.15 server.h CONFIG_DEFAULT_PID_FILE */
const DEFAULT_PID_FILE = '/var/run/redis.pid'

/** A supervisor that set its variable wants the process in the foreground. redis 7.0.15 server.c redisIsSupervised */
function isSupervised(config: Config): boolean {
  const mode = config.get('supervised')
  const { UPSTART_JOB, NOTIFY_SOCKET } = process.env
  const upstart = UPSTART_JOB !== undefined && (mode === 'upstart' || mode === 'auto')
  return upstart || (NOTIFY_SOCKET !== undefined && (mode === 'systemd' || mode === 'auto'))
}

/**
 * True in the process that has to end now because its child goes on; `input` is what it has read from stdin, which the
 * child reads again. redis 7.0.15 server.c daemonize
 */
export function daemonize(config: Config, input: string): boolean {
  if (!config.get('daemonize') || isSupervised(config)) return false
  if (process.env[MARK] !== undefined) {
    delete process.env[MARK]
    if (config.get('pidfile') === '') config.setDerived('pidfile', DEFAULT_PID_FILE)
    return false
  }
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, [MARK]: 'yes' },
  })
  child.stdin.end(input)
  child.unref()
  return true
}
