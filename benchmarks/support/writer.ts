/**
 * A process that writes at an even rate: `writer.ts <port> <keys> <writes a second>`, SET of 64 bytes by one connection,
 * until it is killed.
 */
import { connect } from 'node:net'
import { keyName } from './load.ts'
import { encode } from './servers.ts'

const [port, keys, rate] = process.argv.slice(2).map(Number) as [number, number, number]
const VALUE = 'y'.repeat(64)
const socket = connect({ port, host: '127.0.0.1', noDelay: true })
socket.resume()
const started = performance.now()
let sent = 0
setInterval(() => {
  const due = ((performance.now() - started) / 1000) * rate
  let text = ''
  for (; sent < due; sent++) text += encode(['SET', keyName((sent * 7919) % keys), VALUE])
  socket.write(text)
}, 2)
