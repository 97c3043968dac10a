/**
 * The log, in the format that operators and tests of Redis read: `pid:role date time level message`, on standard output
 * or in `logfile`. Lines are written at once (a crash must not lose the last one), so levels below notice stay off by
 * default. redis 7.0.15 server.c serverLogRaw.
 */
import { appendFileSync, writeSync } from 'node:fs'
import type { Log, LogLevel } from '../commands/host.ts'
import type { Config } from '../config/config.ts'

const LEVELS: readonly LogLevel[] = ['debug', 'verbose', 'notice', 'warning']
const MARKS = ['.', '-', '*', '#']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MESSAGE_MAX = 1024

/** `role` is asked for each line: M for a primary, S for a replica. */
export function createLog(config: Config, role: () => 'M' | 'S'): Log {
  let least = 0
  let file = ''
  config.watch('loglevel', (level) => {
    least = LEVELS.indexOf(level)
  })
  config.watch('logfile', (path) => {
    file = path === '' ? '' : config.resolvePath(path)
  })
  return (level, text) => {
    const index = LEVELS.indexOf(level)
    if (index < least) return
    const message = text.length > MESSAGE_MAX && !text.includes('\n') ? text.slice(0, MESSAGE_MAX) : text
    const line = `${process.pid}:${role()} ${timestamp(new Date())} ${MARKS[index]} ${message}\n`
    try {
      if (file === '') writeSync(1, line)
      else appendFileSync(file, line)
    } catch {
      // A full disk or a closed pipe must not end the server: there is nobody left to tell.
    }
  }
}

function timestamp(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${two(date.getDate())} ${MONTHS[date.getMonth()]} ${date.getFullYear()}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
