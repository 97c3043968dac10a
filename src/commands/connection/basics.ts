/** PING, ECHO, SELECT and QUIT. */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { errors } from '../errors.ts'

const INT_MIN = -(2 ** 31)
const INT_MAX = 2 ** 31 - 1

/** A subscriber of RESP2 reads only messages, so it is answered by one. redis 7.0.15 server.c pingCommand */
function runPing(call: Call): void {
  const { args, client, reply } = call
  if (args.argc > 2) {
    call.wrongArity()
    return
  }
  if (client.resp === 2 && client.subscriptions > 0) {
    reply.array(2)
    reply.bulkString('pong')
    if (args.argc === 1) reply.bulkString('')
    else reply.bulk(args.buf, args.start(1), args.end(1))
  } else if (args.argc === 1) {
    reply.simple('PONG')
  } else {
    reply.bulk(args.buf, args.start(1), args.end(1))
  }
}

function runEcho(call: Call): void {
  const { args } = call
  call.reply.bulk(args.buf, args.start(1), args.end(1))
}

/** redis 7.0.15 db.c selectCommand */
function runSelect(call: Call): void {
  const id = call.integer(1)
  if (id === undefined) return
  if (id < INT_MIN || id > INT_MAX) {
    call.error(`${errors.outOfRange}, value must between ${INT_MIN} and ${INT_MAX}`)
    return
  }
  if (id < 0 || id >= call.store.databases.length) {
    call.error(errors.dbIndexOutOfRange)
    return
  }
  call.client.db = id
  call.reply.ok()
}

function runQuit(call: Call): void {
  call.reply.ok()
  call.client.close('after-replies')
}

export const echo = command({
  name: 'echo',
  arity: 2,
  since: '1.0.0',
  summary: 'Echo the given string',
  complexity: 'O(1)',
  flags: ['loading', 'stale', 'fast'],
  args: [arg.string('message')],
  run: runEcho,
})

export const ping = command({
  name: 'ping',
  arity: -1,
  since: '1.0.0',
  summary: 'Ping the server',
  complexity: 'O(1)',
  flags: ['fast', 'sentinel'],
  hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  args: [arg.string('message', { optional: true })],
  run: runPing,
})

export const quit = command({
  name: 'quit',
  arity: -1,
  since: '1.0.0',
  summary: 'Close the connection',
  complexity: 'O(1)',
  flags: ['allow_busy', 'noscript', 'loading', 'stale', 'fast', 'no_auth'],
  run: runQuit,
})

export const select = command({
  name: 'select',
  arity: 2,
  since: '1.0.0',
  summary: 'Change the selected database for the current connection',
  complexity: 'O(1)',
  flags: ['loading', 'stale', 'fast'],
  args: [arg.integer('index')],
  run: runSelect,
})
