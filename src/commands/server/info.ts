/**
 * INFO: sections of `name:value` lines. Which sections are asked for is decided here, what is in them is in
 * info-sections.ts and info-statistics.ts. redis 7.0.15 server.c infoCommand, genInfoSectionDict, genRedisInfoString
 */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import type { Host } from '../host.ts'
import { section } from './info-fields.ts'
import { clients, cluster, cpu, keyspace, memory, modules, persistence, replication, server } from './info-sections.ts'
import { commandstats, errorstats, latencystats, stats } from './info-statistics.ts'

interface Section {
  readonly names: readonly string[]
  /** Shown when nothing is asked for. */
  readonly isDefault: boolean
  readonly write: (host: Host) => string
}

/** In the order in which they are shown, whatever the order of the request. */
const SECTIONS: readonly Section[] = [
  { names: ['server'], isDefault: true, write: server },
  { names: ['clients'], isDefault: true, write: clients },
  { names: ['memory'], isDefault: true, write: memory },
  { names: ['persistence'], isDefault: true, write: persistence },
  { names: ['stats'], isDefault: true, write: stats },
  { names: ['replication'], isDefault: true, write: replication },
  {
    names: ['proxy'],
    isDefault: true,
    write: (host) => (host.proxy === null ? '' : section('Proxy', host.proxy.info())),
  },
  { names: ['cpu'], isDefault: true, write: cpu },
  { names: ['modules', 'module_list'], isDefault: true, write: modules },
  { names: ['commandstats'], isDefault: false, write: commandstats },
  { names: ['errorstats'], isDefault: true, write: errorstats },
  { names: ['latencystats'], isDefault: false, write: latencystats },
  { names: ['cluster'], isDefault: true, write: cluster },
  { names: ['keyspace'], isDefault: true, write: keyspace },
]

/** `sections` as in the command, in any case: names, `default`, `all`, `everything`; none of them means the default. */
export function infoText(host: Host, sections: readonly string[] = []): string {
  const wanted = new Set(sections.map((name) => name.toLowerCase()))
  const all = wanted.has('all') || wanted.has('everything')
  const defaults = wanted.size === 0 || wanted.has('default')
  const texts: string[] = []
  for (const { names, isDefault, write } of SECTIONS) {
    if (all || (isDefault && defaults) || names.some((name) => wanted.has(name))) texts.push(write(host))
  }
  return texts.filter((text) => text !== '').join('\r\n')
}

function runInfo(call: Call): void {
  const { args } = call
  const sections: string[] = []
  for (let i = 1; i < args.argc; i++) sections.push(args.latin1(i))
  call.reply.verbatim(infoText(call.host, sections))
}

export const info = command({
  name: 'info',
  arity: -1,
  since: '1.0.0',
  summary: 'Get information and statistics about the server',
  complexity: 'O(1)',
  history: [['7.0.0', 'Added support for taking multiple section arguments.']],
  flags: ['loading', 'stale', 'sentinel'],
  acl: ['dangerous'],
  hints: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
  args: [arg.string('section', { optional: true, multiple: true })],
  run: runInfo,
})
