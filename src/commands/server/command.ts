/**
 * COMMAND: what the server's commands are, from their declarations. Redis lists commands in the order of its hash table, which
 * differs from run to run; here it is the order of declaration.
 */
import { globMatch } from '../../bytes/glob.ts'
import type { Call } from '../call.ts'
import { categoryBit } from '../categories.ts'
import { arg, type Command, command, FLAG_NO_MANDATORY_KEYS } from '../define.ts'
import { replyCommandDocs, replyCommandInfo, replyKeyFlags } from '../docs.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'
import { FoundKeys, findKeys } from '../keys.ts'

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
]

function replyAll(call: Call): void {
  call.reply.array(call.table.size)
  for (const one of call.table.commands()) replyCommandInfo(call.reply, one)
}

/** redis 7.0.15 server.c commandInfoCommand */
function runInfo(call: Call): void {
  const { args, reply, table } = call
  if (args.argc === 2) {
    replyAll(call)
    return
  }
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) replyCommandInfo(reply, table.byName(args.lower(i)))
}

/** Unknown names are left out. redis 7.0.15 server.c commandDocsCommand */
function runDocs(call: Call): void {
  const { args, reply, table } = call
  const wanted: Command[] = []
  if (args.argc === 2) wanted.push(...table.commands())
  for (let i = 2; i < args.argc; i++) {
    const found = table.byName(args.lower(i))
    if (found !== undefined) wanted.push(found)
  }
  reply.map(wanted.length)
  for (const one of wanted) {
    reply.bulkString(one.fullName)
    replyCommandDocs(reply, one)
  }
}

/** redis 7.0.15 server.c commandListCommand */
function runList(call: Call): void {
  const { args, reply, table } = call
  let accepts = (_command: Command): boolean => true
  for (let i = 2; i < args.argc; i += 3) {
    const filter = args.is(i, 'FILTERBY') && i + 2 === args.argc - 1 ? listFilter(call, i + 1) : undefined
    if (filter === undefined) {
      reply.error(errors.syntax)
      return
    }
    accepts = filter
  }
  const names: string[] = []
  for (const one of table.commands()) {
    if (accepts(one)) names.push(one.fullName)
    for (const sub of one.subcommands?.values() ?? []) if (accepts(sub)) names.push(sub.fullName)
  }
  reply.array(names.length)
  for (const name of names) reply.bulkString(name)
}

function listFilter(call: Call, i: number): ((command: Command) => boolean) | undefined {
  const { args } = call
  if (args.is(i, 'MODULE')) return () => false
  if (args.is(i, 'ACLCAT')) {
    const bit = categoryBit(args.latin1(i + 1))
    return (one) => (one.categories & bit) !== 0
  }
  if (!args.is(i, 'PATTERN')) return undefined
  const pattern = args.view(i + 1)
  return (one) => globMatch(pattern, Buffer.from(one.fullName), 0, one.fullName.length, true)
}

const found = new FoundKeys()

/** The request to look at begins at argument 2. redis 7.0.15 server.c getKeysSubcommandImpl */
function replyKeys(call: Call, withFlags: boolean): void {
  const { args, reply } = call
  const inner = innerCommand(call)
  if (inner === undefined) {
    reply.error('ERR Invalid command specified')
  } else if (!inner.mayHaveKeys) {
    reply.error('ERR The command has no key arguments')
  } else if (!inner.takes(args.argc - 2)) {
    reply.error('ERR Invalid number of arguments specified for command')
  } else if (findKeys(inner, args, found, 2) === 0) {
    if (inner.flagBits & FLAG_NO_MANDATORY_KEYS) reply.array(0)
    else reply.error('ERR Invalid arguments specified for command')
  } else {
    reply.array(found.count)
    for (let i = 0; i < found.count; i++) {
      if (withFlags) reply.array(2)
      reply.bulk(args.view(found.index(i)))
      if (withFlags) replyKeyFlags(reply, found.flags(i))
    }
  }
}

function innerCommand(call: Call): Command | undefined {
  const { args, table } = call
  const base = table.lookup(args.buf, args.start(2), args.end(2))
  if (base?.subcommands === undefined || args.argc === 3) return base
  return table.lookupSub(base, args.buf, args.start(3), args.end(3))
}

export const commandCommand = command({
  name: 'command',
  arity: -1,
  since: '2.8.13',
  summary: 'Get array of Redis command details',
  complexity: 'O(N) where N is the total number of Redis commands',
  flags: ['loading', 'stale', 'sentinel'],
  acl: ['connection'],
  hints: ['nondeterministic_output_order'],
  run: replyAll,
  subcommands: [
    {
      name: 'count',
      arity: 2,
      since: '2.8.13',
      summary: 'Get total number of Redis commands',
      complexity: 'O(1)',
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      run: (call) => call.reply.integer(call.table.size),
    },
    {
      name: 'docs',
      arity: -2,
      since: '7.0.0',
      summary: 'Get array of specific Redis command documentation',
      complexity: 'O(N) where N is the number of commands to look up',
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      hints: ['nondeterministic_output_order'],
      args: [arg.string('command-name', { optional: true, multiple: true })],
      run: runDocs,
    },
    {
      name: 'getkeys',
      arity: -4,
      since: '2.8.13',
      summary: 'Extract keys given a full Redis command',
      complexity: 'O(N) where N is the number of arguments to the command',
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      run: (call) => replyKeys(call, false),
    },
    {
      name: 'getkeysandflags',
      arity: -4,
      since: '7.0.0',
      summary: 'Extract keys and access flags given a full Redis command',
      complexity: 'O(N) where N is the number of arguments to the command',
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      run: (call) => replyKeys(call, true),
    },
    {
      name: 'help',
      arity: 2,
      since: '5.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'info',
      arity: -2,
      since: '2.8.13',
      summary: 'Get array of specific Redis command details, or all when no argument is given.',
      complexity: 'O(N) where N is the number of commands to look up',
      history: [['7.0.0', 'Allowed to be called with no argument to get info on all commands.']],
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      hints: ['nondeterministic_output_order'],
      args: [arg.string('command-name', { optional: true, multiple: true })],
      run: runInfo,
    },
    {
      name: 'list',
      arity: -2,
      since: '7.0.0',
      summary: 'Get an array of Redis command names',
      complexity: 'O(N) where N is the total number of Redis commands',
      flags: ['loading', 'stale', 'sentinel'],
      acl: ['connection'],
      hints: ['nondeterministic_output_order'],
      args: [
        arg.oneof(
          'filterby',
          [
            arg.string('module-name', { token: 'MODULE' }),
            arg.string('category', { token: 'ACLCAT' }),
            arg.pattern('pattern', { token: 'PATTERN' }),
          ],
          { token: 'FILTERBY', optional: true },
        ),
      ],
      run: runList,
    },
  ],
})
