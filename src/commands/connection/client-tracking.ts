/**
 * CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO of a server whose clients all have tracking off: options are checked
 * as ever, but ON is refused. redis 7.0.15 networking.c clientCommand
 */
import type { Call } from '../call.ts'

/** What the options after ON or OFF ask for. */
interface Options {
  redirect: boolean
  broadcast: boolean
  optIn: boolean
  optOut: boolean
  prefixes: number
}

export function runTracking(call: Call): void {
  const { args, reply } = call
  const options = parseOptions(call)
  if (options === undefined) return
  if (args.is(2, 'OFF')) {
    reply.ok()
    return
  }
  if (!args.is(2, 'ON')) call.syntaxError()
  else reply.error(contradiction(options) ?? 'ERR CLIENT TRACKING is not supported yet')
}

function parseOptions(call: Call): Options | undefined {
  const { args } = call
  const options: Options = { redirect: false, broadcast: false, optIn: false, optOut: false, prefixes: 0 }
  for (let i = 3; i < args.argc; i++) {
    const more = i + 1 < args.argc
    if (args.is(i, 'REDIRECT') && more) {
      if (!parseRedirect(call, ++i, options)) return undefined
    } else if (args.is(i, 'PREFIX') && more) {
      options.prefixes++
      i++
    } else if (args.is(i, 'BCAST')) {
      options.broadcast = true
    } else if (args.is(i, 'OPTIN')) {
      options.optIn = true
    } else if (args.is(i, 'OPTOUT')) {
      options.optOut = true
    } else if (!args.is(i, 'NOLOOP')) {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** False after having replied an error. */
function parseRedirect(call: Call, i: number, options: Options): boolean {
  if (options.redirect) {
    call.error('ERR A client can only redirect to a single other client')
    return false
  }
  const id = call.integer(i)
  if (id === undefined) return false
  options.redirect = true
  if (call.host.clients.byId(id) !== undefined) return true
  call.error('ERR The client ID you want redirect to does not exist')
  return false
}

function contradiction(options: Options): string | undefined {
  if (!options.broadcast && options.prefixes > 0) return 'ERR PREFIX option requires BCAST mode to be enabled'
  if (options.broadcast && (options.optIn || options.optOut)) {
    return 'ERR OPTIN and OPTOUT are not compatible with BCAST'
  }
  if (options.optIn && options.optOut) return "ERR You can't specify both OPTIN mode and OPTOUT mode"
  return undefined
}

export function runCaching(call: Call): void {
  call.error(
    'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
  )
}

export function runGetredir(call: Call): void {
  call.reply.integer(-1)
}

export function runTrackinginfo(call: Call): void {
  const { reply } = call
  reply.map(3)
  reply.bulkString('flags')
  reply.set(1)
  reply.bulkString('off')
  reply.bulkString('redirect')
  reply.integer(-1)
  reply.bulkString('prefixes')
  reply.array(0)
}
