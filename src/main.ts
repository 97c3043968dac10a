#!/usr/bin/env node
/**
 * The program. Before anything else is loaded it tells V8 to favour memory over speed of start: nearly all data lives
 * outside of its heap, so that costs no throughput that could be measured, and saves 14 MB of 69 at rest. What is young is
 * a megabyte then: to copy what lives on is quicker than to wake other threads for it, which clients would wait for.
 */
import v8 from 'node:v8'

// A migration makes a short-lived buffer of every value: it wants room for the young.
const flags =
  process.argv[2] === 'migrate' ? ['--min-semi-space-size=32'] : ['--optimize-for-size', '--no-parallel-scavenge']
for (const flag of flags) v8.setFlagsFromString(flag)
const { run } = await import('./cli.ts')
await run(process.argv.slice(2))
