/** SCRIPT: the cache of scripts, and ending the one that runs. redis 7.0.15 eval.c scriptCommand */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { replyHelp } from '../help.ts'

const HELP = [
  'DEBUG (YES|SYNC|NO)',
  '    Set the debug mode for subsequent scripts executed.',
  'EXISTS <sha1> [<sha1> ...]',
  '    Return information about the existence of the scripts in the script cache.',
  'FLUSH [ASYNC|SYNC]',
  '    Flush the Lua scripts cache. Very dangerous on replicas.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the scripts cache.',
  '    * SYNC: Synchronously flush the scripts cache.',
  'KILL',
  '    Kill the currently executing Lua script.',
  'LOAD <script>',
  '    Load a script into the scripts cache without executing it.',
]

function runLoad(call: Call): void {
  const loaded = call.host.scripts.load(call.args, 2)
  if ('sha' in loaded) call.reply.bulkString(loaded.sha)
  else call.error(loaded.error)
}

function runExists(call: Call): void {
  const { args, host, reply } = call
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) reply.integer(host.scripts.has(args.latin1(i)) ? 1 : 0)
}

/** Both modes are the same here: what is dropped is left to the collector. */
function runFlush(call: Call): void {
  const { args } = call
  if (args.argc > 3 || (args.argc === 3 && !args.is(2, 'SYNC') && !args.is(2, 'ASYNC'))) {
    call.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
    return
  }
  call.host.scripts.flush()
  call.reply.ok()
}

function runKill(call: Call): void {
  const refusal = call.host.scripts.kill(true)
  if (refusal === null) call.reply.ok()
  else call.error(refusal)
}

/** There is no debugger: it can only be turned off. */
function runDebug(call: Call): void {
  const { args } = call
  if (args.is(2, 'NO')) call.reply.ok()
  else if (args.is(2, 'YES') || args.is(2, 'SYNC')) call.error('ERR The Lua debugger is not supported')
  else call.error('ERR Use SCRIPT DEBUG YES/SYNC/NO')
}

export const script = command({
  name: 'script',
  arity: -2,
  since: '2.6.0',
  summary: 'A container for Lua scripts management commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'debug',
      arity: 3,
      since: '3.2.0',
      summary: 'Set the debug mode for executed scripts.',
      complexity: 'O(1)',
      flags: ['noscript'],
      args: [arg.oneof('mode', [arg.token('YES'), arg.token('SYNC'), arg.token('NO')])],
      run: runDebug,
    },
    {
      name: 'exists',
      arity: -3,
      since: '2.6.0',
      summary: 'Check existence of scripts in the script cache.',
      complexity:
        'O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).',
      flags: ['noscript'],
      hints: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
      args: [arg.string('sha1', { multiple: true })],
      run: runExists,
    },
    {
      name: 'flush',
      arity: -2,
      since: '2.6.0',
      summary: 'Remove all the scripts from the script cache.',
      complexity: 'O(N) with N being the number of scripts in cache',
      history: [['6.2.0', 'Added the `ASYNC` and `SYNC` flushing mode modifiers.']],
      flags: ['noscript'],
      hints: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      args: [arg.oneof('async', [arg.token('ASYNC'), arg.token('SYNC')], { since: '6.2.0', optional: true })],
      run: runFlush,
    },
    {
      name: 'help',
      arity: 2,
      since: '5.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'kill',
      arity: 2,
      since: '2.6.0',
      summary: 'Kill the script currently in execution.',
      complexity: 'O(1)',
      flags: ['noscript', 'allow_busy'],
      hints: ['request_policy:all_shards', 'response_policy:one_succeeded'],
      run: runKill,
    },
    {
      name: 'load',
      arity: 3,
      since: '2.6.0',
      summary: 'Load the specified Lua script into the script cache.',
      complexity: 'O(N) with N being the length in bytes of the script body.',
      flags: ['noscript', 'stale'],
      hints: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      args: [arg.string('script')],
      run: runLoad,
    },
  ],
})
