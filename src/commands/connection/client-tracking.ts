/**
 * CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO: the options and what they say of each other. The keys that clients
 * were served are kept behind `host.tracking`. redis 7.0.15 networking.c clientCommand
 */
import type { Call } from '../call.ts'
import type { Client } from '../client.ts'
import type { TrackingOptions } from '../host.ts'

type Options = { -readonly [name in keyof TrackingOptions]: TrackingOptions[name] } & { prefixes: string[] }

const BCAST_SWITCH =
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
const OPT_SWITCH =
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."

export function runTracking(call: Call): void {
  const { args, client, host } = call
  const options = parseOptions(call)
  if (options === undefined) return
  if (args.is(2, 'ON')) {
    const text = contradiction(client, options) ?? overlap(client, options)
    if (text !== undefined) {
      call.error(text)
      return
    }
    host.tracking.enable(client, options)
  } else if (args.is(2, 'OFF')) {
    host.tracking.disable(client)
  } else {
    call.syntaxError()
    return
  }
  call.reply.ok()
}

function parseOptions(call: Call): Options | undefined {
  const { args } = call
  const options: Options = {
    redirect: 0,
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    prefixes: [],
  }
  for (let i = 3; i < args.argc; i++) {
    const more = i + 1 < args.argc
    if (args.is(i, 'REDIRECT') && more) {
      if (!parseRedirect(call, ++i, options)) return undefined
    } else if (args.is(i, 'PREFIX') && more) {
      options.prefixes.push(args.latin1(++i))
    } else if (args.is(i, 'BCAST')) {
      options.broadcast = true
    } else if (args.is(i, 'OPTIN')) {
      options.optIn = true
    } else if (args.is(i, 'OPTOUT')) {
      options.optOut = true
    } else if (args.is(i, 'NOLOOP')) {
      options.noLoop = true
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** False after having replied an error. */
function parseRedirect(call: Call, i: number, options: Options): boolean {
  if (options.redirect !== 0) {
    call.error('ERR A client can only redirect to a single other client')
    return false
  }
  const id = call.integer(i)
  if (id === undefined) return false
  const target = call.host.clients.byId(id)
  if (target === undefined || (target.closing && target !== call.client)) {
    call.error('ERR The client ID you want redirect to does not exist')
    return false
  }
  options.redirect = id
  return true
}

/** What is asked for does not go together, or not with what is in force. The order is Redis's. */
function contradiction({ tracking }: Client, options: Options): string | undefined {
  if (!options.broadcast && options.prefixes.length > 0) return 'ERR PREFIX option requires BCAST mode to be enabled'
  if (tracking !== null && tracking.broadcast !== options.broadcast) return BCAST_SWITCH
  if (options.broadcast && (options.optIn || options.optOut)) {
    return 'ERR OPTIN and OPTOUT are not compatible with BCAST'
  }
  if (options.optIn && options.optOut) return "ERR You can't specify both OPTIN mode and OPTOUT mode"
  if (tracking === null) return undefined
  return (options.optIn && tracking.optOut) || (options.optOut && tracking.optIn) ? OPT_SWITCH : undefined
}

/**
 * Two prefixes of one client that would report the same key. (Redis replies OK after this error when the overlap is not
 * with the first of the new prefixes; here nothing is changed then either.) redis 7.0.15 tracking.c
 * checkPrefixCollisionsOrReply
 */
function overlap({ tracking }: Client, options: Options): string | undefined {
  const { prefixes } = options
  const existing = tracking === null ? [] : [...tracking.prefixes].sort()
  for (let i = 0; i < prefixes.length; i++) {
    const prefix = prefixes[i]!
    for (const other of existing) {
      if (overlaps(prefix, other)) return overlapText(prefix, `an existing prefix '${upToNul(other)}'`)
    }
    for (let j = i + 1; j < prefixes.length; j++) {
      const other = prefixes[j]!
      if (overlaps(prefix, other)) return overlapText(prefix, `another provided prefix '${upToNul(other)}'`)
    }
  }
  return undefined
}

function overlaps(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}

function overlapText(prefix: string, other: string): string {
  return `ERR Prefix '${upToNul(prefix)}' overlaps with ${other}. Prefixes for a single client must not overlap.`
}

/** Redis prints them as C strings. */
function upToNul(text: string): string {
  const nul = text.indexOf('\0')
  return nul < 0 ? text : text.slice(0, nul)
}

export function runCaching(call: Call): void {
  const { args } = call
  const { tracking } = call.client
  if (tracking === null) {
    call.error(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    )
    return
  }
  if (args.is(2, 'YES')) {
    if (!tracking.optIn) {
      call.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.')
      return
    }
  } else if (args.is(2, 'NO')) {
    if (!tracking.optOut) {
      call.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.')
      return
    }
  } else {
    call.syntaxError()
    return
  }
  tracking.caching = true
  call.reply.ok()
}

export function runGetredir(call: Call): void {
  call.reply.integer(call.client.tracking?.redirect ?? -1)
}

export function runTrackinginfo(call: Call): void {
  const { client, reply } = call
  const { tracking } = client
  const flags = trackingFlags(client)
  reply.map(3)
  reply.bulkString('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulkString(flag)
  reply.bulkString('redirect')
  reply.integer(tracking?.redirect ?? -1)
  reply.bulkString('prefixes')
  const prefixes = tracking === null ? [] : [...tracking.prefixes].sort()
  reply.array(prefixes.length)
  for (const prefix of prefixes) reply.bulkString(prefix)
}

function trackingFlags({ tracking }: Client): string[] {
  if (tracking === null) return ['off']
  const flags = ['on']
  if (tracking.broadcast) flags.push('bcast')
  if (tracking.optIn) flags.push('optin')
  if (tracking.optIn && tracking.caching) flags.push('caching-yes')
  if (tracking.optOut) flags.push('optout')
  if (tracking.optOut && tracking.caching) flags.push('caching-no')
  if (tracking.noLoop) flags.push('noloop')
  if (tracking.broken) flags.push('broken_redirect')
  return flags
}
