/**
 * A user: whether it may log in and with which passwords, and its selectors. Clients that are logged in hold the object
 * itself, so it stays the same when its rules change. Follows redis 7.0.15 acl.c user, ACLCopyUser, ACLDescribeUser.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { AclUserView } from '../commands/host.ts'
import type { CommandTable } from '../commands/table.ts'
import { describeSelector, type SelectorView, viewOfSelector } from './describe.ts'
import type { Selector } from './selector.ts'

/** SHA-256 in lower case hexadecimal, as rules and files have it. */
export function hashPassword(password: Uint8Array): string {
  return createHash('sha256').update(password).digest('hex')
}

export class User implements AclUserView {
  /** Latin-1 of the name's bytes. */
  readonly name: string
  isRestricted = true
  enabled = false
  nopass = false
  /** Whether payloads of RESTORE are looked into; 'unset' as long as no rule has said. */
  sanitizes: 'unset' | 'yes' | 'skip' = 'unset'
  passwords: string[] = []
  /** The root selector is the first. */
  selectors: Selector[]
  readonly #table: CommandTable
  #description: string | null = null

  constructor(name: string, table: CommandTable, root: Selector) {
    this.name = name
    this.#table = table
    this.selectors = [root]
  }

  get root(): Selector {
    return this.selectors[0]!
  }

  /** To be called after each change. */
  changed(): void {
    this.#description = null
    this.isRestricted = !this.selectors.some((selector) => selector.isUnrestricted)
  }

  /** Everything but the name. */
  copyFrom(other: User): void {
    this.enabled = other.enabled
    this.nopass = other.nopass
    this.sanitizes = other.sanitizes
    this.passwords = [...other.passwords]
    this.selectors = other.selectors.map((selector) => selector.copy())
    this.changed()
  }

  /** The time it takes tells nothing about the passwords. */
  accepts(password: Uint8Array): boolean {
    if (!this.enabled) return false
    if (this.nopass) return true
    const given = Buffer.from(hashPassword(password), 'latin1')
    return this.passwords.some((hash) => timingSafeEqual(Buffer.from(hash, 'latin1'), given))
  }

  /** What requirepass means; empty is no password. redis 7.0.15 acl.c ACLUpdateDefaultUserPassword */
  setOnlyPassword(password: Uint8Array): void {
    this.nopass = password.length === 0
    this.passwords = this.nopass ? [] : [hashPassword(password)]
    this.changed()
  }

  get flags(): readonly string[] {
    const flags = [this.enabled ? 'on' : 'off']
    if (this.nopass) flags.push('nopass')
    if (this.sanitizes !== 'unset') flags.push(this.sanitizes === 'skip' ? 'skip-sanitize-payload' : 'sanitize-payload')
    return flags
  }

  get views(): readonly SelectorView[] {
    return this.selectors.map((selector) => viewOfSelector(selector, this.#table))
  }

  get description(): string {
    if (this.#description !== null) return this.#description
    const head = [...this.flags, ...this.passwords.map((hash) => `#${hash}`)].join(' ')
    const selectors = this.selectors.map((selector) => {
      const text = describeSelector(selector, this.#table)
      return selector.isRoot ? text : `(${text})`
    })
    this.#description = `${head} ${selectors.join(' ')}`
    return this.#description
  }
}
