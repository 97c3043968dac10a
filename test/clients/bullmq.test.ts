/** BullMQ's tour, unchanged: jobs, retries, delays, priorities, schedules, flows and rate limits, all of them Lua scripts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FlowProducer, type Job, Queue, QueueEvents, Worker } from 'bullmq'
import { fileCleanup } from '../support/cleanup.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'

const file = fileCleanup()
const FINISH_MS = 10_000

interface Closable {
  close(): Promise<void>
}

async function tour() {
  const { port } = await startTandem(file)
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const open: Closable[] = []
  file.after(async () => {
    await Promise.all(open.map((one) => one.close()))
  })
  const keep = <T extends Closable>(one: T): T => {
    open.push(one)
    return one
  }
  const events = keep(new QueueEvents('tour', { connection }))
  await events.waitUntilReady()
  return { connection, keep, events, queue: keep(new Queue('tour', { connection })) }
}

describe('BullMQ', () => {
  it('adds, processes, retries, delays and orders jobs', async () => {
    const { connection, keep, events, queue } = await tour()
    keep(
      new Worker(
        'tour',
        async (job: Job) => {
          if (job.name === 'fails once' && job.attemptsMade === 0) throw new Error('once')
          return job.data.n * 2
        },
        { connection, concurrency: 5 },
      ),
    )
    const plain = await queue.add('plain', { n: 21 })
    assert.equal(await plain.waitUntilFinished(events, FINISH_MS), 42)
    const retried = await queue.add('fails once', { n: 1 }, { attempts: 2, backoff: { type: 'fixed', delay: 20 } })
    assert.equal(await retried.waitUntilFinished(events, FINISH_MS), 2)
    const delayed = await queue.add('later', { n: 2 }, { delay: 100 })
    assert.equal(await delayed.waitUntilFinished(events, FINISH_MS), 4)
    const urgent = await queue.add('urgent', { n: 3 }, { priority: 5 })
    assert.equal(await urgent.waitUntilFinished(events, FINISH_MS), 6)
    await queue.addBulk([1, 2, 3, 4, 5].map((n) => ({ name: 'bulk', data: { n } })))
    await waitUntil(async () => (await queue.getJobCounts('completed')).completed === 9, { what: 'nine jobs' })
  })

  it('repeats jobs on a schedule', async () => {
    const { connection, keep, queue } = await tour()
    let ticks = 0
    keep(
      new Worker(
        'tour',
        async () => {
          ticks++
        },
        { connection },
      ),
    )
    await queue.upsertJobScheduler('often', { every: 50 }, { name: 'tick' })
    await waitUntil(() => ticks >= 3, { what: 'three ticks' })
    assert.equal(await queue.removeJobScheduler('often'), true)
  })

  it('runs a flow: the parent after its children', async () => {
    const { connection, keep, events } = await tour()
    keep(new Worker('children', async (job: Job) => job.data.n, { connection }))
    const sum = async (job: Job) => {
      const values = Object.values(await job.getChildrenValues<number>())
      return values.reduce((a, b) => a + b, 0)
    }
    keep(new Worker('tour', sum, { connection }))
    const flow = keep(new FlowProducer({ connection }))
    const children = [1, 2, 3].map((n) => ({ name: 'child', queueName: 'children', data: { n } }))
    const { job } = await flow.add({ name: 'sum', queueName: 'tour', children })
    assert.equal(await job.waitUntilFinished(events, FINISH_MS), 6)
  })

  it('keeps a rate limit', async () => {
    const { connection, keep, queue } = await tour()
    const times: number[] = []
    const work = async () => {
      times.push(Date.now())
    }
    keep(new Worker('tour', work, { connection, limiter: { max: 2, duration: 200 } }))
    await queue.addBulk(Array.from({ length: 6 }, (_, i) => ({ name: 'one', data: { i } })))
    await waitUntil(() => times.length === 6, { what: 'six jobs' })
    // Three windows of two jobs: the limiter's own clock, not the machine's speed.
    assert.ok(times.at(-1)! - times[0]! >= 300, `${times.at(-1)! - times[0]!} ms`)
  })
})
