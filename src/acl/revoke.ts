/**
 * Channels that were taken from a user: its subscribers to them are disconnected, since nothing checks messages on their
 * way. redis 7.0.15 acl.c ACLKillPubsubClientsIfNeeded
 */
import type { Client } from '../commands/client.ts'
import { matchesChannel, type Pattern } from './selector.ts'
import type { User } from './user.ts'

/** `user` will have the rights of `staged`; `current` is the client that does this. */
export function closeSubscribers(staged: User, user: User, clients: Iterable<Client>, current: Client): void {
  if (staged.selectors.some((selector) => selector.allChannels)) return
  const allowed = staged.selectors.flatMap((selector) => selector.channels)
  const keepsAll = user.selectors.every(
    (selector) =>
      !selector.allChannels && selector.channels.every(({ text }) => allowed.some((other) => other.text === text)),
  )
  if (keepsAll) return
  for (const client of clients) {
    if (client.account !== user || client.kind !== 'pubsub') continue
    const keeps =
      mayHave(client.patterns, allowed, true) &&
      mayHave(client.channels, allowed, false) &&
      mayHave(client.shardChannels, allowed, false)
    if (!keeps) client.close(client === current ? 'after-replies' : 'now')
  }
}

function mayHave(names: ReadonlySet<string>, allowed: readonly Pattern[], arePatterns: boolean): boolean {
  for (const name of names) {
    const bytes = Buffer.from(name, 'latin1')
    if (!matchesChannel(allowed, bytes, 0, bytes.length, arePatterns)) return false
  }
  return true
}
