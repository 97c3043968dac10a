/**
 * The line that CLIENT LIST and CLIENT INFO show of a client. Fields and their order are those of redis 7.0.15 networking.c
 * catClientInfoString. There is no reply buffer per client here, so rbs, rbp and obl are always 0, and oll tells only
 * whether there is output that the kernel has not taken.
 */
import type { Request } from '../../resp/request.ts'
import type { Client } from '../client.ts'

/** Rough size of a client's objects and its socket, and of one subscription, watch or tracked prefix. */
const CLIENT_BYTES = 2048
const ENTRY_BYTES = 64

/** `running` is the request that this client runs just now, if it does. */
export function clientInfo(client: Client, nowMs: number, running: Request | null): string {
  const { transport } = client
  const pending = transport.pendingBytes
  const requestBytes = running === null ? 0 : running.rawEnd - running.rawStart
  const query = transport.queryBytes + requestBytes
  const argumentBytes = running === null ? (transport.argumentBytes ?? 0) : bytesOfArguments(running)
  return (
    `id=${client.id} addr=${transport.remoteAddress} laddr=${transport.localAddress} fd=${transport.fd}` +
    ` name=${client.name} age=${seconds(nowMs) - seconds(client.createdAtMs)}` +
    ` idle=${Math.max(0, seconds(nowMs) - seconds(client.lastInteractionMs))} flags=${flags(client)} db=${client.db}` +
    ` sub=${client.channels.size} psub=${client.patterns.size} ssub=${client.shardChannels.size}` +
    ` multi=${client.transaction === null ? -1 : client.transaction.length} qbuf=${query} qbuf-free=0` +
    ` argv-mem=${argumentBytes} multi-mem=${client.transactionBytes} rbs=0 rbp=0 obl=0 oll=${pending > 0 ? 1 : 0}` +
    ` omem=${pending} tot-mem=${clientMemory(client) + (running === null ? 0 : requestBytes + argumentBytes)}` +
    ` events=${pending > 0 ? 'rw' : 'r'} cmd=${client.lastCommand?.fullName ?? 'NULL'} user=${client.user}` +
    ` redir=${client.tracking?.redirect ?? -1} resp=${client.resp}`
  )
}

/** Estimate of the memory that a client takes with its buffers. */
export function clientMemory(client: Client): number {
  const { transport } = client
  const entries = client.subscriptions + client.watched.length + (client.tracking?.prefixes.size ?? 0)
  const request = transport.queryBytes + (transport.argumentBytes ?? 0)
  return CLIENT_BYTES + transport.pendingBytes + request + client.transactionBytes + entries * ENTRY_BYTES
}

function flags(client: Client): string {
  let text = ''
  if (client.isMonitor) text += 'O'
  else if (client.replica !== null) text += 'S'
  if (client.isMaster) text += 'M'
  if (client.subscriptions > 0) text += 'P'
  if (client.transaction !== null) text += 'x'
  if (client.isBlocked || client.paused) text += 'b'
  if (client.tracking !== null) {
    text += 't'
    if (client.tracking.broken) text += 'R'
    if (client.tracking.broadcast) text += 'B'
  }
  if (client.watchFailed) text += 'd'
  if (client.closing) text += 'c'
  if (client.isUnixSocket) text += 'U'
  if (client.readonly) text += 'r'
  if (client.noEvict) text += 'e'
  return text === '' ? 'N' : text
}

function bytesOfArguments(request: Request): number {
  let bytes = 0
  for (let i = 0; i < request.argc; i++) bytes += request.length(i)
  return bytes
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
