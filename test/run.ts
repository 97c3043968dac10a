/**
 * Runs the tests: `npm test` for all, `tsx test/run.ts parity stream` for the files whose path has one of these words. Looks for the real
 * servers first (support/peers.ts). test/soak is not a part of it. The last lines are node:test's totals.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePeers } from './support/peers.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TESTS = join(ROOT, 'test')
const CONCURRENCY = 2
/** Of one file; long runs say their own. */
const TIMEOUT_MS = Number(process.env.TEST_TIMEOUT_MS ?? 600_000)

function testFiles(words: string[]): string[] {
  return readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !path.startsWith('soak/'))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort()
    .map((path) => relative(ROOT, join(TESTS, path)))
}

function main(): void {
  try {
    ensurePeers()
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
  const files = testFiles(process.argv.slice(2))
  if (files.length === 0) {
    console.error('no test file has any of these words in its path')
    process.exit(1)
  }
  const options = [`--test-concurrency=${CONCURRENCY}`, `--test-timeout=${TIMEOUT_MS}`, '--test-reporter=spec']
  const args = ['--import', 'tsx', '--test', ...options, ...files]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  child.once('exit', (code) => process.exit(code ?? 1))
}

main()
