/** CLIENT KILL: by address in the old form, by filters that must all hold in the new. redis 7.0.15 networking.c clientCommand */
import type { Call } from '../call.ts'
import type { Account, Client, ClientKind } from '../client.ts'
import { errors } from '../errors.ts'

interface Filter {
  id?: number
  kind?: ClientKind
  address?: string
  localAddress?: string
  account?: Account
  skipMe: boolean
}

export function runKill(call: Call): void {
  const { args, client, host, reply } = call
  const oldForm = args.argc === 3
  // The old form may kill its own client, the new one only when it says so.
  const filter = oldForm ? { address: args.utf8(2), skipMe: false } : parseFilter(call)
  if (filter === undefined) return
  let killed = 0
  let killsMe = false
  for (const one of host.clients.all()) {
    if (!matches(one, filter) || (filter.skipMe && one === client)) continue
    killed++
    if (one === client) killsMe = true
    else one.close('now')
  }
  if (!oldForm) reply.integer(killed)
  else if (killed === 0) reply.error('ERR No such client')
  else reply.ok()
  if (killsMe) client.close('after-replies')
}

function parseFilter(call: Call): Filter | undefined {
  const { args } = call
  const filter: Filter = { skipMe: true }
  for (let i = 2; i < args.argc; i += 2) {
    if (i + 1 >= args.argc || !isFilter(call, i)) {
      call.syntaxError()
      return undefined
    }
    if (!parseOne(call, i, filter)) return undefined
  }
  return filter
}

function isFilter(call: Call, i: number): boolean {
  return ['id', 'type', 'addr', 'laddr', 'user', 'skipme'].includes(call.args.lower(i))
}

/** Takes the filter at argument i and its value. False after having replied an error. */
function parseOne(call: Call, i: number, filter: Filter): boolean {
  const { args } = call
  const value = args.latin1(i + 1)
  switch (args.lower(i)) {
    case 'id': {
      const text = 'ERR client-id should be greater than 0'
      const id = call.integer(i + 1, text)
      if (id === undefined) return false
      if (id < 1) return refuse(call, text)
      filter.id = id
      return true
    }
    case 'type': {
      const kind = clientKind(value)
      if (kind === undefined) return refuse(call, `ERR Unknown client type '${value}'`)
      filter.kind = kind
      return true
    }
    case 'addr':
      filter.address = args.utf8(i + 1)
      return true
    case 'laddr':
      filter.localAddress = args.utf8(i + 1)
      return true
    case 'user': {
      const user = call.host.acl.user(value)
      if (user === undefined) return refuse(call, `ERR No such user '${value}'`)
      filter.account = user
      return true
    }
    default:
      if (!args.is(i + 1, 'YES') && !args.is(i + 1, 'NO')) return refuse(call, errors.syntax)
      filter.skipMe = args.is(i + 1, 'YES')
      return true
  }
}

function refuse(call: Call, text: string): false {
  call.error(text)
  return false
}

function matches(client: Client, filter: Filter): boolean {
  if (filter.address !== undefined && client.transport.remoteAddress !== filter.address) return false
  if (filter.localAddress !== undefined && client.transport.localAddress !== filter.localAddress) return false
  if (filter.kind !== undefined && client.kind !== filter.kind) return false
  if (filter.id !== undefined && client.id !== filter.id) return false
  return filter.account === undefined || client.account === filter.account
}

/** redis 7.0.15 networking.c getClientTypeByName */
export function clientKind(name: string): ClientKind | undefined {
  switch (name.toLowerCase()) {
    case 'normal':
      return 'normal'
    case 'slave':
    case 'replica':
      return 'replica'
    case 'pubsub':
      return 'pubsub'
    case 'master':
      return 'master'
  }
  return undefined
}
