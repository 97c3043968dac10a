/** The examples of README.md run as they are written, against a real server. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { wires } from '../support/replicas.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const examples = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map((m) => m[1]!)

/** Runs one in a process of its own and gives what it prints. It must end by itself. */
async function run(example: string, port: number): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'tandem-example-'))
  try {
    const library = pathToFileURL(join(ROOT, 'dist/index.js')).href
    const code = example.replace("from 'tandem'", `from '${library}'`).replace(':6379', `:${port}`)
    writeFileSync(join(dir, 'example.mjs'), code)
    const { stdout } = await promisify(execFile)(process.execPath, ['example.mjs'], { cwd: dir, timeout: 20_000 })
    return stdout
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

describe('the examples of the README', () => {
  it('are there', () => {
    assert.equal(examples.filter((example) => example.includes("from 'tandem'")).length, examples.length)
    assert.ok(examples.length >= 2)
  })

  it('run, print what they say, and end', async () => {
    const redis = await startRedis(file)
    const [wire] = (await wires(redis)) as [Wire]
    await wire.must('SET', 'hello', 'world')
    await wire.must('HSET', 'user:1', 'name', 'ann')
    const outputs = []
    for (const example of examples) outputs.push(await run(example, redis.port))
    const replica = outputs.find((_, i) => examples[i]!.includes('createReplica'))!
    assert.match(replica, /^user:1\nhset user:1\ntrue \d+ \d+\n$/)
    const server = outputs.find((_, i) => examples[i]!.includes('createServer'))!
    assert.match(server, /^redis:\/\/127\.0\.0\.1:\d+\n$/)
    assert.equal(await wire.must('HGET', 'user:1', 'name'), 'bob')
  })
})
