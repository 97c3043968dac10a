/** LATENCY: what the latency monitor has seen, and how long each command takes. redis 7.0.15 latency.c latencyCommand */
import type { Call } from '../call.ts'
import { arg, type Command, command } from '../define.ts'
import { replyHelp } from '../help.ts'
import { latencyGraph, latencyReport } from './latency-report.ts'

const HELP = [
  'DOCTOR',
  '    Return a human readable latency analysis report.',
  'GRAPH <event>',
  '    Return an ASCII latency graph for the <event> class.',
  'HISTORY <event>',
  '    Return time-latency samples for the <event> class.',
  'LATEST',
  '    Return the latest latency samples for all events.',
  'RESET [<event> ...]',
  '    Reset latency data of one or more <event> classes.',
  '    (default: reset all data for all event classes)',
  'HISTOGRAM [COMMAND ...]',
  '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
  '    If no commands are specified then all histograms are replied.',
]

/** What `Command.histogram` can tell; the engine makes them. */
interface Distribution {
  readonly calls: number
  cumulative(): readonly (readonly [microseconds: number, calls: number])[]
}

function runDoctor(call: Call): void {
  call.reply.verbatim(latencyReport(call.host))
}

function runGraph(call: Call): void {
  const event = call.args.latin1(2)
  const series = call.host.latency.events.get(event)
  if (series === undefined) call.error(`ERR No samples available for event '${event}'`)
  else call.reply.verbatim(latencyGraph(event, series, call.host.unixMs))
}

function runHistory(call: Call): void {
  const { reply } = call
  const samples = call.host.latency.events.get(call.args.latin1(2))?.samples ?? []
  reply.array(samples.length)
  for (const [second, milliseconds] of samples) {
    reply.array(2)
    reply.integer(second)
    reply.integer(milliseconds)
  }
}

function runLatest(call: Call): void {
  const { reply } = call
  const { events } = call.host.latency
  reply.array(events.size)
  for (const [event, { samples, maxMs }] of events) {
    const [second, milliseconds] = samples.at(-1)!
    reply.array(4)
    reply.bulkString(event)
    reply.integer(second)
    reply.integer(milliseconds)
    reply.integer(maxMs)
  }
}

function runReset(call: Call): void {
  const { args } = call
  const events: string[] = []
  for (let i = 2; i < args.argc; i++) events.push(args.latin1(i))
  if (events.length === 0) {
    call.reply.integer(call.host.latency.reset([]))
    return
  }
  let count = 0
  for (const event of events) count += call.host.latency.reset([event])
  call.reply.integer(count)
}

/** Of all commands, or of those that are named and their subcommands; unknown names are left out. */
function runHistogram(call: Call): void {
  const { args, reply, table } = call
  const measured: Command[] = []
  const take = (one: Command): void => {
    if (one.histogram !== undefined) measured.push(one)
  }
  if (args.argc === 2) for (const one of table.all) take(one)
  for (let i = 2; i < args.argc; i++) {
    const one = table.byName(args.lower(i))
    if (one === undefined) continue
    take(one)
    for (const sub of one.subcommands?.values() ?? []) take(sub)
  }
  reply.map(measured.length)
  for (const one of measured) {
    reply.bulkString(one.fullName)
    replyDistribution(call, one.histogram as Distribution)
  }
}

/** redis 7.0.15 latency.c fillCommandCDF */
function replyDistribution(call: Call, histogram: Distribution): void {
  const { reply } = call
  const steps = histogram.cumulative()
  reply.map(2)
  reply.bulkString('calls')
  reply.integer(histogram.calls)
  reply.bulkString('histogram_usec')
  reply.map(steps.length)
  for (const [microseconds, calls] of steps) {
    reply.integer(microseconds)
    reply.integer(calls)
  }
}

export const latency = command({
  name: 'latency',
  arity: -2,
  since: '2.8.13',
  summary: 'A container for latency diagnostics commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'doctor',
      arity: 2,
      since: '2.8.13',
      summary: 'Return a human readable latency analysis report.',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
      run: runDoctor,
    },
    {
      name: 'graph',
      arity: 3,
      since: '2.8.13',
      summary: 'Return a latency graph for the event.',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
      args: [arg.string('event')],
      run: runGraph,
    },
    {
      name: 'help',
      arity: 2,
      since: '2.8.13',
      summary: 'Show helpful text about the different subcommands.',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'histogram',
      arity: -2,
      since: '7.0.0',
      summary: 'Return the cumulative distribution of latencies of a subset of commands or all.',
      complexity: 'O(N) where N is the number of commands with latency information being retrieved.',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
      args: [arg.string('command', { optional: true, multiple: true })],
      run: runHistogram,
    },
    {
      name: 'history',
      arity: 3,
      since: '2.8.13',
      summary: 'Return timestamp-latency samples for the event.',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
      args: [arg.string('event')],
      run: runHistory,
    },
    {
      name: 'latest',
      arity: 2,
      since: '2.8.13',
      summary: 'Return the latest latency samples for all events.',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
      run: runLatest,
    },
    {
      name: 'reset',
      arity: -2,
      since: '2.8.13',
      summary: 'Reset latency data for one or more events.',
      complexity: 'O(1)',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      args: [arg.string('event', { optional: true, multiple: true })],
      run: runReset,
    },
  ],
})
