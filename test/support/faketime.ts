/**
 * A server whose wall clock a test can shift while it runs, by Debian's libfaketime; the monotonic clock stays right, as it
 * does when an administrator or NTP sets a clock. libc is named behind it so that malloc is libc's: jemalloc, which
 * redis-server has, asks for the time before libfaketime is ready, and both wait for each other for ever.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface FakeClock {
  /** For the server's process. */
  readonly env: Record<string, string>
  /** Its clock is this much ahead from within a second on. */
  shift(seconds: number): void
}

/** The offset is kept in a file of this directory. */
export function fakeClock(dir: string): FakeClock {
  const path = join(dir, 'clock')
  const shift = (seconds: number) => writeFileSync(path, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  shift(0)
  const env = {
    LD_PRELOAD: `${library('faketime/libfaketime.so.1')} ${library('libc.so.6')}`,
    FAKETIME_TIMESTAMP_FILE: path,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DISABLE_SHM: '1',
    NO_FAKE_STAT: '1',
  }
  return { env, shift }
}

function library(name: string): string {
  const roots = readdirSync('/usr/lib').filter((folder) => folder.endsWith('-linux-gnu'))
  const found = roots.map((folder) => `/usr/lib/${folder}/${name}`).find((path) => existsSync(path))
  if (found === undefined) throw new Error(`${name} is not in /usr/lib: apt-get install faketime`)
  return found
}
