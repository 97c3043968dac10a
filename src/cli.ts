/**
 * The command line: `tandem [redis.conf] [--directive value …]`, as redis-server takes it. Reads the configuration,
 * builds a Tandem and runs it until a signal or SHUTDOWN.
 */

import { readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { Config } from './config/config.ts'
import { ConfigError } from './config/redis-conf.ts'
import { daemonize } from './daemonize.ts'
import { showProcessTitle } from './server/process-title.ts'
import { Tandem } from './tandem.ts'

const VERSION = '0.1.0'
const REDIS_VERSION = '7.0.15'

const HELP = `Usage: tandem [/path/to/redis.conf] [options] [-]
       tandem proxy --upstream redis://[user:password@]host[:port][/db] [options]
       tandem migrate --from redis://host[:port] --to redis://host[:port] [options] (--help tells them)
       tandem - (read config from stdin)
       tandem -v or --version
       tandem -h or --help

Examples:
       tandem (run a primary on port 6379, metrics on port 9121)
       tandem /etc/redis/6379.conf
       tandem --port 7777
       tandem --port 7777 --replicaof 127.0.0.1 8888
       TANDEM_MAXMEMORY=1gb tandem
       tandem proxy --upstream redis://10.0.0.1:6379 --port 6380 --consistency session
       tandem proxy --upstream redis://10.0.0.1:6379 --port 6380 --filter-keys 'user:* session:*'
`

/** What is wrong in the configuration ends the program, wherever it turns up. Undefined: a child goes on instead. */
function create(args: string[]): Tandem | undefined {
  const config = new Config()
  let input = ''
  const stdin = () => {
    input = readFileSync(0, 'utf8')
    return input
  }
  try {
    config.loadArguments(args[0] === 'proxy' ? proxyArguments(args.slice(1)) : args, { env: process.env, stdin })
    if (daemonize(config, input)) return undefined
    return new Tandem({ config, exit: (code) => process.exit(code) })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

/** `tandem proxy` has short names for some directives. */
function proxyArguments(args: readonly string[]): string[] {
  const names: Record<string, string> = {
    '--upstream': '--proxy-upstream',
    '--consistency': '--proxy-consistency',
    '--filter-keys': '--replica-filter-keys',
    '--filter-databases': '--replica-filter-databases',
    '--filter-types': '--replica-filter-types',
  }
  return args.map((arg) => names[arg] ?? arg)
}

function banner(tandem: Tandem): string {
  const { config } = tandem
  const port = tandem.port
  const lines = [
    `Tandem ${VERSION}, speaking as Redis ${REDIS_VERSION}. PID: ${process.pid}`,
    `Try:  redis-cli -p ${port} set hello world`,
    `      redis-server --port ${port + 1} --replicaof 127.0.0.1 ${port}     (a real replica)`,
    `      redis-cli -p ${port} info replication`,
  ]
  const metrics = tandem.metrics.address
  if (metrics !== '') lines.push(`      curl ${metrics}/metrics | grep lag`)
  if (config.get('bind').length === 0) lines.push('      (no address to listen on)')
  return lines.join('\n      ')
}

/** Runs the program with these arguments (without its own name). */
export async function run(args: string[]): Promise<void> {
  if (args[0] === '-v' || args[0] === '--version') {
    process.stdout.write(
      `Tandem server v=${REDIS_VERSION} sha=00000000:0 malloc=node bits=64 build=tandem-${VERSION}\n`,
    )
    return
  }
  if (args[0] === '-h' || args[0] === '--help') {
    process.stdout.write(HELP)
    return
  }
  if (args[0] === 'migrate') {
    const { migrate } = await import('./migrate.ts')
    process.exit(await migrate(args.slice(1)))
  }
  const tandem = create(args)
  if (tandem === undefined) return
  const { config } = tandem
  const { log } = tandem.engine
  process.on('uncaughtException', (error) => log('warning', `Unexpected error: ${error.stack ?? error.message}`))
  process.on('unhandledRejection', (error) => {
    log('warning', `Unexpected rejection: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  })
  let signals = 0
  const end = (signal: 'SIGINT' | 'SIGTERM') => {
    const words = config.get(signal === 'SIGINT' ? 'shutdown-on-sigint' : 'shutdown-on-sigterm').split(' ')
    log('warning', `Received ${signal} scheduling shutdown...`)
    if (signal === 'SIGINT' && signals++ > 0) {
      tandem.persistence.abort()
      process.exit(1)
    }
    if (tandem.engine.loading === 'yes') {
      log('warning', 'Received shutdown signal during loading, exiting now.')
      // Redis leaves the file there, but loads small files too fast to be met doing it.
      if (config.get('unixsocket') !== '') rmSync(config.get('unixsocket'), { force: true })
      process.exit(0)
    }
    const save = words.includes('save') ? 'save' : words.includes('nosave') ? 'nosave' : 'default'
    tandem.shutdown.ask({ save, now: words.includes('now'), force: words.includes('force') })
  }
  process.once('SIGABRT', () => {
    log(
      'warning',
      `=== BUG REPORT START === Tandem ${VERSION} crashed by signal: ${constants.signals.SIGABRT}\n${new Error('Stack').stack}`,
    )
    process.kill(process.pid, 'SIGABRT')
  })
  process.on('SIGINT', () => end('SIGINT'))
  process.on('SIGTERM', () => end('SIGTERM'))
  try {
    log('notice', 'oO0OoO0OoO0Oo Tandem is starting oO0OoO0OoO0Oo')
    showProcessTitle(config)
    await tandem.start({ onListening: () => log('notice', banner(tandem)) })
    // A proxy passes scripts on; a server inside a program may never run one.
    if (tandem.proxy === null) tandem.engine.scripts.warmUp()
  } catch (error) {
    log('warning', error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}
