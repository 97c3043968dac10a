/** EVAL, EVALSHA and their read-only forms: who runs scripts is behind host.scripts. redis 7.0.15 eval.c */
import type { Call } from '../call.ts'
import { arg, command, numkeys } from '../define.ts'

function run(call: Call, bySha: boolean, readOnly: boolean): void {
  call.host.scripts.eval(call, { bySha, readOnly, inTransaction: call.inTransaction })
}

export const evalCommand = command({
  name: 'eval',
  arity: -3,
  since: '2.6.0',
  summary: 'Execute a Lua script server side',
  complexity: 'Depends on the script that is executed.',
  flags: ['noscript', 'skip_monitor', 'may_replicate', 'no_mandatory_keys', 'stale'],
  keys: [
    {
      ...numkeys(2, 'RW', 'ACCESS', 'UPDATE'),
      notes: 'We cannot tell how the keys will be used so we assume the worst, RW and UPDATE',
    },
  ],
  args: [
    arg.string('script'),
    arg.integer('numkeys'),
    arg.key('key', { optional: true, multiple: true }),
    arg.string('arg', { optional: true, multiple: true }),
  ],
  run: (call) => run(call, false, false),
})

export const evalsha = command({
  name: 'evalsha',
  arity: -3,
  since: '2.6.0',
  summary: 'Execute a Lua script server side',
  complexity: 'Depends on the script that is executed.',
  flags: ['noscript', 'skip_monitor', 'may_replicate', 'no_mandatory_keys', 'stale'],
  keys: [numkeys(2, 'RW', 'ACCESS', 'UPDATE')],
  args: [
    arg.string('sha1'),
    arg.integer('numkeys'),
    arg.key('key', { optional: true, multiple: true }),
    arg.string('arg', { optional: true, multiple: true }),
  ],
  run: (call) => run(call, true, false),
})

export const evalRo = command({
  name: 'eval_ro',
  arity: -3,
  since: '7.0.0',
  summary: 'Execute a read-only Lua script server side',
  complexity: 'Depends on the script that is executed.',
  flags: ['noscript', 'skip_monitor', 'no_mandatory_keys', 'stale', 'readonly'],
  keys: [
    {
      ...numkeys(2, 'RO', 'ACCESS'),
      notes: 'We cannot tell how the keys will be used so we assume the worst, RO and ACCESS',
    },
  ],
  args: [
    arg.string('script'),
    arg.integer('numkeys'),
    arg.key('key', { optional: true, multiple: true }),
    arg.string('arg', { optional: true, multiple: true }),
  ],
  run: (call) => run(call, false, true),
})

export const evalshaRo = command({
  name: 'evalsha_ro',
  arity: -3,
  since: '7.0.0',
  summary: 'Execute a read-only Lua script server side',
  complexity: 'Depends on the script that is executed.',
  flags: ['noscript', 'skip_monitor', 'no_mandatory_keys', 'stale', 'readonly'],
  keys: [numkeys(2, 'RO', 'ACCESS')],
  args: [
    arg.string('sha1'),
    arg.integer('numkeys'),
    arg.key('key', { optional: true, multiple: true }),
    arg.string('arg', { optional: true, multiple: true }),
  ],
  run: (call) => run(call, true, true),
})
