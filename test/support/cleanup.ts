/**
 * What is to be undone when a test, or a whole file of tests, is over. Every start function takes one. A test's own context is one; for
 * servers that a file shares, make one at the top of the file:
 *
 *     const file = fileCleanup()
 *     const redis = await startRedis(file)
 *
 * (node:test's `after` called later, inside before() or a test, would belong to that hook or test and end the server too early.)
 */
import { after } from 'node:test'

export interface Cleanup {
  after(fn: () => Promise<void>): void
}

export function fileCleanup(): Cleanup {
  const actions: (() => Promise<void>)[] = []
  after(async () => {
    for (const action of actions.reverse()) await action()
  })
  return { after: (fn) => void actions.push(fn) }
}
