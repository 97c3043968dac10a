/** MODULE: there are none, and none can be loaded; a server with no modules answers the same. redis 7.0.15 module.c moduleCommand */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { replyHelp } from '../help.ts'

const HELP = [
  'LIST',
  '    Return a list of loaded modules.',
  'LOAD <path> [<arg> ...]',
  '    Load a module library from <path>, passing to it any optional arguments.',
  'LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]',
  '    Load a module library from <path>, while passing it module configurations and optional arguments.',
  'UNLOAD <name>',
  '    Unload a module.',
]

function refuseLoad(call: Call): void {
  call.host.log('warning', `Module ${call.args.utf8(2)} failed to load: Tandem runs no Redis modules`)
  call.reply.error('ERR Error loading the extension. Please check the server logs.')
}

export const moduleCommand = command({
  name: 'module',
  arity: -2,
  since: '4.0.0',
  summary: 'A container for module commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
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
      name: 'list',
      arity: 2,
      since: '4.0.0',
      summary: 'List all modules loaded by the server',
      complexity: 'O(N) where N is the number of loaded modules.',
      flags: ['admin', 'noscript'],
      hints: ['nondeterministic_output_order'],
      run: (call) => call.reply.array(0),
    },
    {
      name: 'load',
      arity: -3,
      since: '4.0.0',
      summary: 'Load a module',
      complexity: 'O(1)',
      flags: ['no_async_loading', 'admin', 'noscript', 'protected'],
      args: [arg.string('path'), arg.string('arg', { optional: true, multiple: true })],
      run: refuseLoad,
    },
    {
      name: 'loadex',
      arity: -3,
      since: '7.0.0',
      summary: 'Load a module with extended parameters',
      complexity: 'O(1)',
      flags: ['no_async_loading', 'admin', 'noscript', 'protected'],
      args: [
        arg.string('path'),
        arg.block('configs', [arg.string('name'), arg.string('value')], {
          token: 'CONFIG',
          optional: true,
          multiple: true,
          multipleToken: true,
        }),
        arg.block('args', [arg.string('arg')], { token: 'ARGS', optional: true, multiple: true }),
      ],
      run: refuseLoad,
    },
    {
      name: 'unload',
      arity: 3,
      since: '4.0.0',
      summary: 'Unload a module',
      complexity: 'O(1)',
      flags: ['no_async_loading', 'admin', 'noscript', 'protected'],
      args: [arg.string('name')],
      run: (call) => call.reply.error('ERR Error unloading module: no such module with that name'),
    },
  ],
})
