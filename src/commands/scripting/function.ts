/** FUNCTION, FCALL and FCALL_RO: libraries of functions, which are a part of the data set. redis 7.0.15 functions.c */

import { globMatch } from '../../bytes/glob.ts'
import type { Call } from '../call.ts'
import { arg, command, numkeys } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'
import type { LibraryInfo, RestorePolicy } from '../script-host.ts'

const HELP = [
  'LOAD [REPLACE] <FUNCTION CODE>',
  '    Create a new library with the given library name and code.',
  'DELETE <LIBRARY NAME>',
  '    Delete the given library.',
  'LIST [LIBRARYNAME PATTERN] [WITHCODE]',
  '    Return general information on all the libraries:',
  '    * Library name',
  '    * The engine used to run the Library',
  '    * Library description',
  '    * Functions list',
  '    * Library code (if WITHCODE is given)',
  '    It also possible to get only function that matches a pattern using LIBRARYNAME argument.',
  'STATS',
  '    Return information about the current function running:',
  '    * Function name',
  '    * Command used to run the function',
  '    * Duration in MS that the function is running',
  '    If no function is running, return nil',
  '    In addition, returns a list of available engines.',
  'KILL',
  '    Kill the current running function.',
  'FLUSH [ASYNC|SYNC]',
  '    Delete all the libraries.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the libraries.',
  '    * SYNC: Synchronously flush the libraries.',
  'DUMP',
  '    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command',
  'RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]',
  '    Restore the libraries represented by the given payload, it is possible to give a restore policy to',
  '    control how to handle existing libraries (default APPEND):',
  '    * FLUSH: delete all existing libraries.',
  '    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.',
  '    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old',
  '      libraries with the new libraries (notice that even on this option there is a chance of failure',
  '      in case of functions name collision with another library).',
]
const MAX_NAME_IN_ERROR = 128
const POLICIES: readonly RestorePolicy[] = ['flush', 'append', 'replace']

function refuse(call: Call): void {
  call.error(errors.unknownSubcommand(call.args.latin1(1).slice(0, MAX_NAME_IN_ERROR), 'FUNCTION'))
}

function runLoad(call: Call): void {
  const { args, host } = call
  let replaces = false
  let at = 2
  while (at < args.argc - 1) {
    if (!args.is(at, 'REPLACE')) {
      call.error(`ERR Unknown option given: ${args.cString(at)}`)
      return
    }
    replaces = true
    at++
  }
  const loaded = host.scripts.functions.load(args.view(at), replaces, call.fromPrimary)
  if ('error' in loaded) {
    call.error(`ERR ${loaded.error}`)
    return
  }
  call.effects.dirty++
  call.reply.bulkString(loaded.name)
}

function runDelete(call: Call): void {
  if (!call.host.scripts.functions.delete(call.args.latin1(2))) {
    call.error('ERR Library not found')
    return
  }
  call.effects.dirty++
  call.reply.ok()
}

/** Both modes are the same here: what is dropped is left to the collector. */
function runFlush(call: Call): void {
  const { args } = call
  if (args.argc > 3) {
    refuse(call)
    return
  }
  if (args.argc === 3 && !args.is(2, 'SYNC') && !args.is(2, 'ASYNC')) {
    call.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
    return
  }
  call.host.scripts.functions.flush()
  call.effects.dirty++
  call.reply.ok()
}

function runDump(call: Call): void {
  const { config, scripts } = call.host
  call.reply.bulk(scripts.functions.dump(config.get('rdbcompression')))
}

function runRestore(call: Call): void {
  const { args } = call
  if (args.argc > 4) {
    refuse(call)
    return
  }
  const policy = args.argc === 4 ? POLICIES.find((name) => args.is(3, name.toUpperCase())) : 'append'
  if (policy === undefined) {
    call.error('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.')
    return
  }
  const error = call.host.scripts.functions.restore(args.view(2), policy, call.host.debug.skipChecksums)
  if (error !== null) {
    call.error(`ERR ${error}`)
    return
  }
  call.effects.dirty++
  call.reply.ok()
}

function runList(call: Call): void {
  const { args, host, reply } = call
  let withCode = false
  let pattern = 0
  for (let i = 2; i < args.argc; i++) {
    if (!withCode && args.is(i, 'WITHCODE')) {
      withCode = true
    } else if (pattern === 0 && args.is(i, 'LIBRARYNAME')) {
      if (i + 1 === args.argc) {
        call.error('ERR library name argument was not given')
        return
      }
      pattern = ++i
    } else {
      call.error(`ERR Unknown argument ${args.cString(i)}`)
      return
    }
  }
  const isListed = ({ name }: LibraryInfo) => {
    const bytes = Buffer.from(name, 'latin1')
    return pattern === 0 || globMatch(args.view(pattern), bytes, 0, bytes.length, true)
  }
  const libraries = [...host.scripts.functions.list()].filter(isListed)
  reply.array(libraries.length)
  for (const library of libraries) replyLibrary(call, library, withCode)
}

function replyLibrary({ reply }: Call, { name, code, functions }: LibraryInfo, withCode: boolean): void {
  reply.map(withCode ? 4 : 3)
  reply.bulkString('library_name')
  reply.bulkString(name)
  reply.bulkString('engine')
  reply.bulkString('LUA')
  reply.bulkString('functions')
  reply.array(functions.length)
  for (const fn of functions) {
    reply.map(3)
    reply.bulkString('name')
    reply.bulkString(fn.name)
    reply.bulkString('description')
    if (fn.description === null) reply.nullBulk()
    else reply.bulkString(fn.description)
    reply.bulkString('flags')
    reply.set(fn.flags.length)
    for (const flag of fn.flags) reply.simple(flag)
  }
  if (!withCode) return
  reply.bulkString('library_code')
  reply.bulk(code)
}

function runStats(call: Call): void {
  const { reply } = call
  const { functions, running } = call.host.scripts
  if (running?.isEval === true) {
    call.error(errors.busy)
    return
  }
  reply.map(2)
  reply.bulkString('running_script')
  if (running === null) {
    reply.nullBulk()
  } else {
    reply.map(3)
    reply.bulkString('name')
    reply.bulkString(running.name)
    reply.bulkString('command')
    reply.array(running.request.length)
    for (const argument of running.request) reply.bulk(argument)
    reply.bulkString('duration_ms')
    reply.integer(running.elapsedMs)
  }
  reply.bulkString('engines')
  reply.map(1)
  reply.bulkString('LUA')
  reply.map(2)
  reply.bulkString('libraries_count')
  reply.integer(functions.libraryCount)
  reply.bulkString('functions_count')
  reply.integer(functions.functionCount)
}

function runKill(call: Call): void {
  const refusal = call.host.scripts.kill(false)
  if (refusal === null) call.reply.ok()
  else call.error(refusal)
}

function runCall(call: Call, readOnly: boolean): void {
  call.host.scripts.functions.call(call, { readOnly, inTransaction: call.inTransaction })
}

export const fcall = command({
  name: 'fcall',
  arity: -3,
  since: '7.0.0',
  summary: 'Invoke a function',
  complexity: 'Depends on the function that is executed.',
  flags: ['noscript', 'skip_monitor', 'may_replicate', 'no_mandatory_keys', 'stale'],
  keys: [
    {
      ...numkeys(2, 'RW', 'ACCESS', 'UPDATE'),
      notes: 'We cannot tell how the keys will be used so we assume the worst, RW and UPDATE',
    },
  ],
  args: [
    arg.string('function'),
    arg.integer('numkeys'),
    arg.key('key', { optional: true, multiple: true }),
    arg.string('arg', { optional: true, multiple: true }),
  ],
  run: (call) => runCall(call, false),
})

export const fcallRo = command({
  name: 'fcall_ro',
  arity: -3,
  since: '7.0.0',
  summary: 'Invoke a read-only function',
  complexity: 'Depends on the function that is executed.',
  flags: ['noscript', 'skip_monitor', 'no_mandatory_keys', 'stale', 'readonly'],
  keys: [
    {
      ...numkeys(2, 'RO', 'ACCESS'),
      notes: 'We cannot tell how the keys will be used so we assume the worst, RO and ACCESS',
    },
  ],
  args: [
    arg.string('function'),
    arg.integer('numkeys'),
    arg.key('key', { optional: true, multiple: true }),
    arg.string('arg', { optional: true, multiple: true }),
  ],
  run: (call) => runCall(call, true),
})

export const functionCommand = command({
  name: 'function',
  arity: -2,
  since: '7.0.0',
  summary: 'A container for function commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'delete',
      run: runDelete,
      arity: 3,
      since: '7.0.0',
      summary: 'Delete a function by name',
      complexity: 'O(1)',
      flags: ['noscript', 'write'],
      hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      args: [arg.string('library-name')],
    },
    {
      name: 'dump',
      run: runDump,
      arity: 2,
      since: '7.0.0',
      summary: 'Dump all functions into a serialized binary payload',
      complexity: 'O(N) where N is the number of functions',
      flags: ['noscript'],
    },
    {
      name: 'flush',
      run: runFlush,
      arity: -2,
      since: '7.0.0',
      summary: 'Deleting all functions',
      complexity: 'O(N) where N is the number of functions deleted',
      flags: ['noscript', 'write'],
      hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      args: [arg.oneof('async', [arg.token('ASYNC'), arg.token('SYNC')], { optional: true })],
    },
    {
      name: 'help',
      run: (call) => replyHelp(call, HELP),
      arity: 2,
      since: '7.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
    },
    {
      name: 'kill',
      run: runKill,
      arity: 2,
      since: '7.0.0',
      summary: 'Kill the function currently in execution.',
      complexity: 'O(1)',
      flags: ['noscript', 'allow_busy'],
      hints: ['request_policy:all_shards', 'response_policy:one_succeeded'],
    },
    {
      name: 'list',
      run: runList,
      arity: -2,
      since: '7.0.0',
      summary: 'List information about all the functions',
      complexity: 'O(N) where N is the number of functions',
      flags: ['noscript'],
      hints: ['nondeterministic_output_order'],
      args: [
        arg.string('library-name-pattern', { token: 'LIBRARYNAME', optional: true }),
        arg.token('WITHCODE', { optional: true }),
      ],
    },
    {
      name: 'load',
      run: runLoad,
      arity: -3,
      since: '7.0.0',
      summary: 'Create a function with the given arguments (name, code, description)',
      complexity: 'O(1) (considering compilation time is redundant)',
      flags: ['noscript', 'write', 'denyoom'],
      hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      args: [arg.token('REPLACE', { optional: true }), arg.string('function-code')],
    },
    {
      name: 'restore',
      run: runRestore,
      arity: -3,
      since: '7.0.0',
      summary: 'Restore all the functions on the given payload',
      complexity: 'O(N) where N is the number of functions on the payload',
      flags: ['noscript', 'write', 'denyoom'],
      hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      args: [
        arg.string('serialized-value'),
        arg.oneof('policy', [arg.token('FLUSH'), arg.token('APPEND'), arg.token('REPLACE')], { optional: true }),
      ],
    },
    {
      name: 'stats',
      run: runStats,
      arity: 2,
      since: '7.0.0',
      summary: 'Return information about the function currently running (name, description, duration)',
      complexity: 'O(1)',
      flags: ['noscript', 'allow_busy'],
      hints: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    },
  ],
})
