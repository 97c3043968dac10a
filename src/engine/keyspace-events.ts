/**
 * Keyspace events: what happened to which key, as messages of two channels. `__keyspace@<db>__:<key>` says the event,
 * `__keyevent@<db>__:<event>` says the key. Nothing is built while nobody listens. redis 7.0.15 notify.c
 * notifyKeyspaceEvent
 */
import { NOTIFY_KEYEVENT, NOTIFY_KEYSPACE } from '../config/units.ts'
import type { PubSub } from './pubsub.ts'

/** Events as bytes; there are about a hundred. */
const names = new Map<string, Buffer>()

/** `flags` is the option notify-keyspace-events, `type` the class of the event. */
export function notifyKeyspaceEvent(
  pubsub: PubSub,
  flags: number,
  type: number,
  event: string,
  key: Uint8Array,
  database: number,
): void {
  if ((flags & type) === 0 || pubsub.isSilent) return
  if ((flags & NOTIFY_KEYSPACE) !== 0) {
    const name = Buffer.prototype.latin1Slice.call(key, 0, key.length)
    pubsub.publish(`__keyspace@${database}__:${name}`, bytesOf(event))
  }
  if ((flags & NOTIFY_KEYEVENT) !== 0) pubsub.publish(`__keyevent@${database}__:${event}`, key)
}

function bytesOf(event: string): Buffer {
  let bytes = names.get(event)
  if (bytes === undefined) {
    bytes = Buffer.from(event, 'latin1')
    names.set(event, bytes)
  }
  return bytes
}
