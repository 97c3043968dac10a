/** MONITOR: the connection shows all commands from now on. redis 7.0.15 server.c monitorCommand */
import type { Call } from '../call.ts'
import { command } from '../define.ts'

function runMonitor(call: Call): void {
  const { client } = call
  if (call.inTransaction) {
    call.error("ERR MONITOR isn't allowed for DENY BLOCKING client")
    return
  }
  // A replica reads a stream, and a monitor is one already: no answer, as in Redis.
  if (client.replica !== null || client.isMonitor) return
  call.host.clients.addMonitor(client)
  call.reply.ok()
}

export const monitor = command({
  name: 'monitor',
  arity: 1,
  since: '1.0.0',
  summary: 'Listen for all requests received by the server in real time',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  run: runMonitor,
})
