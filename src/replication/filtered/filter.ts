/**
 * What a replica may see, which is what the user it logged in as may read: the key patterns of all its selectors, and the
 * channels. A user without any key pattern gets everything, as Redis's documentation has replicas' users
 * (`+psync +replconf +ping`).
 */
import { isUtf8 } from 'node:buffer'
import { matchesChannel, type Pattern, pattern, READ_KEY } from '../../acl/selector.ts'
import { User } from '../../acl/user.ts'
import { globMatch } from '../../bytes/glob.ts'
import type { Account } from '../../commands/client.ts'

export class Filter {
  /** The patterns, a character for each byte. Two filters of one text are the same. */
  readonly text: string
  /** The same as INFO, metrics and the log show it: as text, if it is any. */
  readonly name: string
  readonly #keys: readonly Pattern[]
  /** Null: all. */
  readonly #channels: readonly Pattern[] | null

  constructor(keys: readonly string[], channels: readonly string[] | null) {
    this.#keys = [...new Set(keys)].sort().map(pattern)
    this.#channels = channels === null ? null : [...new Set(channels)].sort().map(pattern)
    const names = this.#keys.map(({ text }) => `~${text}`)
    this.text = [...names, ...(this.#channels?.map(({ text }) => `&${text}`) ?? ['&*'])].join(' ')
    const bytes = Buffer.from(this.text, 'latin1')
    this.name = isUtf8(bytes) ? bytes.toString('utf8') : this.text
  }

  showsKey(bytes: Uint8Array, start: number, end: number): boolean {
    for (let i = 0; i < this.#keys.length; i++) if (globMatch(this.#keys[i]!.bytes, bytes, start, end)) return true
    return false
  }

  showsChannel(bytes: Buffer, start: number, end: number): boolean {
    return this.#channels === null || matchesChannel(this.#channels, bytes, start, end, false)
  }
}

/** Null: everything is shown. */
export function filterOf(account: Account): Filter | null {
  if (!(account instanceof User) || !account.isRestricted) return null
  const { selectors } = account
  if (selectors.some((selector) => selector.allowsEveryKey(READ_KEY))) return null
  const keys = selectors.flatMap((selector) =>
    selector.keys.filter(({ permissions }) => (permissions & READ_KEY) !== 0),
  )
  if (keys.length === 0) return null
  const channels = selectors.some((selector) => selector.allChannels)
    ? null
    : selectors.flatMap((selector) => selector.channels.map(({ text }) => text))
  return new Filter(
    keys.map(({ text }) => text),
    channels,
  )
}
