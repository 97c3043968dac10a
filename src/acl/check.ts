/**
 * Whether a user may run a command with these arguments. The selectors are asked in order, and one must allow all of it;
 * of several refusals the one that got furthest is told. Nothing is allocated: the keys of a request are found once for
 * all selectors, into a list that stays. Follows redis 7.0.15 acl.c ACLCheckAllUserCommandPerm, ACLSelectorCheckCmd.
 */
import type { Command } from '../commands/command.ts'
import { FLAG_NO_AUTH } from '../commands/define.ts'
import { FoundKeys, findKeys } from '../commands/keys.ts'
import type { Request } from '../resp/request.ts'
import { keyPermissions, READ_KEY, type Selector } from './selector.ts'
import type { User } from './user.ts'

/** redis 7.0.15 server.h ACL_DENIED_*; a greater one is told rather than a smaller. */
export const ALLOWED = 0
export const DENIED_COMMAND = 1
export const DENIED_KEY = 2
export const DENIED_CHANNEL = 4

export class Checker {
  /** Index in the request of the key or channel that the last check refused. */
  deniedAt = 0
  #found = new FoundKeys()
  #hasFound = false
  #at = 0

  /** ALLOWED or DENIED_*. The command's name is argument `from` of the request. */
  check(user: User, command: Command, request: Request, from = 0): number {
    let denial = DENIED_COMMAND
    this.deniedAt = 0
    this.#hasFound = false
    this.#at = 0
    const { selectors } = user
    for (let i = 0; i < selectors.length; i++) {
      const outcome = this.#checkSelector(selectors[i]!, command, request, from)
      if (outcome === ALLOWED) return ALLOWED
      if (outcome > denial || (outcome === denial && this.#at > this.deniedAt)) {
        denial = outcome
        this.deniedAt = this.#at
      }
    }
    return denial
  }

  /** One selector allows the call and also to read any key. redis 7.0.15 acl.c ACLUserCheckCmdWithUnrestrictedKeyAccess */
  readsAllKeys(user: User, command: Command, request: Request): boolean {
    this.#hasFound = false
    return user.selectors.some(
      (selector) => this.#checkSelector(selector, command, request, 0) === ALLOWED && selector.allowsEveryKey(READ_KEY),
    )
  }

  #checkSelector(selector: Selector, command: Command, request: Request, from: number): number {
    if (!allowsCommand(selector, command, request, from)) return DENIED_COMMAND
    if (!selector.allKeys && command.mayHaveKeys && !this.#allowsKeys(selector, command, request, from)) {
      return DENIED_KEY
    }
    const { channels } = command
    if (selector.allChannels || channels === undefined || channels.use === 'unsubscribe') return ALLOWED
    const isPattern = channels.pattern === true
    const first = from + channels.from
    const end = channels.count === -1 ? request.argc : Math.min(request.argc, first + channels.count)
    for (let i = first; i < end; i++) {
      if (selector.allowsChannel(request.buf, request.start(i), request.end(i), isPattern)) continue
      this.#at = i
      return DENIED_CHANNEL
    }
    return ALLOWED
  }

  #allowsKeys(selector: Selector, command: Command, request: Request, from: number): boolean {
    const found = this.#found
    if (!this.#hasFound) findKeys(command, request, found, from)
    this.#hasFound = true
    for (let k = 0; k < found.count; k++) {
      const i = found.index(k)
      if (selector.allowsKey(request.buf, request.start(i), request.end(i), keyPermissions(found.flags(k)))) continue
      this.#at = i
      return false
    }
    return true
  }
}

function allowsCommand(selector: Selector, command: Command, request: Request, from: number): boolean {
  if (selector.allCommands || selector.allowed[command.id] === 1) return true
  if ((command.flagBits & FLAG_NO_AUTH) !== 0) return true
  const first = from + (command.parent === undefined ? 1 : 2)
  if (first >= request.argc) return false
  const list = selector.firstArguments(command)
  for (let i = 0; i < list.length; i++) if (request.is(first, list[i]!.upper)) return true
  return false
}
