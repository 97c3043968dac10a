/**
 * The real programs that the tests run against: Debian's redis-server 7.0, its tools, Prometheus, and faketime for clocks that jump. What is missing is installed where that is
 * possible (root on a system with apt); otherwise the run fails with one line that says what to install. Nothing
 * is ever skipped.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'

const PACKAGE_OF: Record<string, string> = {
  'redis-server': 'redis-server',
  'redis-sentinel': 'redis-sentinel',
  'redis-cli': 'redis-tools',
  'redis-benchmark': 'redis-tools',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  faketime: 'faketime',
}

/** invoke-rc.d asks this file before it starts a service; 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d'

export function ensurePeers(): void {
  if (missingPackages().length > 0) install(missingPackages())
  const missing = missingPackages()
  if (missing.length > 0) fail(`the tests need these Debian packages: apt-get install ${missing.join(' ')}`)
  const version = run('redis-server', ['--version']).match(/v=(\S+)/)?.[1] ?? 'unknown'
  if (!version.startsWith('7.0.')) fail(`the tests compare with redis-server 7.0.x, but the one in PATH is ${version}`)
}

function missingPackages(): string[] {
  const missing = Object.keys(PACKAGE_OF).filter((program) => !inPath(program))
  return [...new Set(missing.map((program) => PACKAGE_OF[program]!))]
}

function inPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((dir) => dir !== '' && existsSync(`${dir}/${program}`))
}

function install(packages: string[]): void {
  if (process.getuid?.() !== 0 || !inPath('apt-get')) return
  process.stdout.write(`installing ${packages.join(' ')}\n`)
  const saved = `${POLICY}.saved-by-tests`
  if (existsSync(POLICY)) renameSync(POLICY, saved)
  try {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
    run('apt-get', ['update', '-q'])
    run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages])
  } finally {
    rmSync(POLICY, { force: true })
    if (existsSync(saved)) renameSync(saved, POLICY)
  }
}

function run(command: string, args: string[]): string {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr, error } = spawnSync(command, args, { env, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status === 0) return stdout
  const reason = error?.message ?? stderr.trim().split('\n').at(-1) ?? ''
  return fail(`${command} ${args.join(' ')} failed: ${reason}`)
}

function fail(reason: string): never {
  throw new Error(reason)
}
