/**
 * A set of rights: commands, keys and channels, all of which a call must find in one and the same selector. A user has
 * a root selector and perhaps others, which are tried in order. Commands are a byte by their id; a command that is not
 * allowed may still be with certain first arguments (`+select|0`). Follows redis 7.0.15 acl.c aclSelector.
 */
import { globMatch } from '../bytes/glob.ts'
import type { Command } from '../commands/command.ts'
import { KEY_FLAG_BITS } from '../commands/define.ts'

export const READ_KEY = 1
export const WRITE_KEY = 2
export const ANY_KEY = READ_KEY | WRITE_KEY

const { ACCESS, INSERT, DELETE, UPDATE } = KEY_FLAG_BITS

/** What a command with these KEY_FLAG_BITS needs of a key: a bit set of READ_KEY and WRITE_KEY. */
export function keyPermissions(flags: number): number {
  const read = (flags & ACCESS) !== 0 ? READ_KEY : 0
  return (flags & (INSERT | DELETE | UPDATE)) !== 0 ? read | WRITE_KEY : read
}

/** `text` is Latin-1 of the bytes. */
export interface Pattern {
  readonly text: string
  readonly bytes: Buffer
}

export interface KeyPattern extends Pattern {
  permissions: number
}

export interface FirstArgument {
  readonly text: string
  /** As Request.is() wants it. */
  readonly upper: string
}

const NO_ARGUMENTS: readonly FirstArgument[] = []

export function pattern(text: string): Pattern {
  return { text, bytes: Buffer.from(text, 'latin1') }
}

/** In ASCII only, so that no Latin-1 letter turns into another. */
export function asciiUpper(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase())
}

export class Selector {
  readonly isRoot: boolean
  allKeys = false
  allChannels: boolean
  /** Every command there is, without a look at `allowed`. */
  allCommands = false
  /** Began with +@all: commands of later versions are allowed too, and the description begins so. */
  futureCommands = false
  keys: KeyPattern[] = []
  channels: Pattern[] = []
  /** 1 at the id of each command that is allowed. */
  readonly allowed: Uint8Array
  #firstArguments: Map<number, FirstArgument[]> | null = null

  /** `size` is the number of commands in the table. */
  constructor(size: number, options: { isRoot: boolean; allChannels: boolean }) {
    this.isRoot = options.isRoot
    this.allChannels = options.allChannels
    this.allowed = new Uint8Array(size)
  }

  copy(): Selector {
    const copy = new Selector(this.allowed.length, this)
    copy.allKeys = this.allKeys
    copy.allCommands = this.allCommands
    copy.futureCommands = this.futureCommands
    copy.keys = this.keys.map((key) => ({ ...key }))
    copy.channels = [...this.channels]
    copy.allowed.set(this.allowed)
    if (this.#firstArguments !== null) {
      copy.#firstArguments = new Map([...this.#firstArguments].map(([id, list]) => [id, [...list]]))
    }
    return copy
  }

  get isUnrestricted(): boolean {
    return this.allCommands && this.allKeys && this.allChannels
  }

  allowAll(): void {
    this.allowed.fill(1)
    this.allCommands = true
    this.futureCommands = true
    this.#firstArguments = null
  }

  denyAll(): void {
    this.allowed.fill(0)
    this.allCommands = false
    this.futureCommands = false
    this.#firstArguments = null
  }

  /** A container stands for its subcommands too. redis 7.0.15 acl.c ACLChangeSelectorPerm */
  change(command: Command, allow: boolean): void {
    this.#set(command.id, allow)
    this.#firstArguments?.delete(command.id)
    if (command.subcommands === undefined) return
    for (const sub of command.subcommands.values()) this.#set(sub.id, allow)
  }

  #set(id: number, allow: boolean): void {
    this.allowed[id] = allow ? 1 : 0
    if (!allow) this.allCommands = false
  }

  addFirstArgument(command: Command, text: string): void {
    this.#firstArguments ??= new Map()
    const upper = asciiUpper(text)
    const list = this.#firstArguments.get(command.id)
    if (list === undefined) this.#firstArguments.set(command.id, [{ text, upper }])
    else if (!list.some((one) => one.upper === upper)) list.push({ text, upper })
  }

  firstArguments(command: Command): readonly FirstArgument[] {
    return this.#firstArguments?.get(command.id) ?? NO_ARGUMENTS
  }

  /** redis 7.0.15 acl.c ACLSelectorCheckKey */
  allowsKey(buf: Uint8Array, start: number, end: number, permissions: number): boolean {
    if (this.allKeys) return true
    for (let i = 0; i < this.keys.length; i++) {
      const key = this.keys[i]!
      if ((key.permissions & permissions) === permissions && globMatch(key.bytes, buf, start, end)) return true
    }
    return false
  }

  /** redis 7.0.15 acl.c ACLSelectorHasUnrestrictedKeyAccess */
  allowsEveryKey(permissions: number): boolean {
    return this.allKeys || this.keys.some((key) => (key.permissions & permissions) === permissions && key.text === '*')
  }

  allowsChannel(buf: Buffer, start: number, end: number, isPattern: boolean): boolean {
    return this.allChannels || matchesChannel(this.channels, buf, start, end, isPattern)
  }
}

/**
 * A channel is matched by a pattern, but the pattern of a PSUBSCRIBE only by the same pattern.
 * redis 7.0.15 acl.c ACLCheckChannelAgainstList
 */
export function matchesChannel(
  channels: readonly Pattern[],
  buf: Buffer,
  start: number,
  end: number,
  isPattern: boolean,
): boolean {
  for (let i = 0; i < channels.length; i++) {
    const { bytes } = channels[i]!
    if (isPattern) {
      if (bytes.length === end - start && bytes.compare(buf, start, end) === 0) return true
    } else if (globMatch(bytes, buf, start, end)) {
      return true
    }
  }
  return false
}
