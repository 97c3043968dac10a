/**
 * The language of rules: `on >secret ~cache:* +@read (+set ~log:*)`. Each rule changes a user at once; what is wrong
 * with one is a word of RuleError, whose text is Redis's. Rules are Latin-1 strings of their bytes.
 * Follows redis 7.0.15 acl.c ACLSetUser, ACLSetSelector.
 */
import { categoryBit } from '../commands/categories.ts'
import type { Command } from '../commands/command.ts'
import type { CommandTable } from '../commands/table.ts'
import { splitLine } from '../resp/inline.ts'
import { changeCategory } from './describe.ts'
import { ANY_KEY, pattern, READ_KEY, Selector, WRITE_KEY } from './selector.ts'
import { hashPassword, User } from './user.ts'

/** redis 7.0.15 acl.c ACLSetUserStringError */
export const RULE_ERRORS = {
  unknownCommand: 'Unknown command or category name in ACL',
  syntax: 'Syntax error',
  keyAfterAll:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. " +
    "Try 'resetkeys' to start with an empty list of patterns",
  channelAfterAll:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. " +
    "Try 'resetchannels' to start with an empty list of channels",
  noSuchPassword: 'The password you are trying to remove from the user does not exist',
  badHash: 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  duplicateUser: 'Duplicate user found. A user can only be defined once in config files',
  argumentOfSubcommand: 'Allowing first-arg of a subcommand is not supported',
  unclear: 'Wrong format',
} as const

export type RuleError = keyof typeof RULE_ERRORS

type Outcome = RuleError | null

export interface RulesOptions {
  readonly table: CommandTable
  /** acl-pubsub-default: new selectors may use all channels. */
  readonly allChannelsByDefault: () => boolean
  readonly warn: (text: string) => void
}

/** What makes a name or pattern unfit for files of rules. redis 7.0.15 acl.c ACLStringHasSpaces */
export function hasSpaces(text: string): boolean {
  return /[ \t\n\v\f\r\0]/.test(text)
}

export class Rules {
  readonly #table: CommandTable
  readonly #allChannelsByDefault: () => boolean
  readonly #warn: (text: string) => void

  constructor(options: RulesOptions) {
    this.#table = options.table
    this.#allChannelsByDefault = options.allChannelsByDefault
    this.#warn = options.warn
  }

  /** A user that may do nothing. */
  newUser(name: string): User {
    return new User(name, this.#table, this.#newSelector(true))
  }

  /** redis 7.0.15 acl.c ACLCreateDefaultUser */
  newDefaultUser(): User {
    const user = this.newUser('default')
    for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) this.apply(user, rule)
    return user
  }

  #newSelector(isRoot: boolean): Selector {
    return new Selector(this.#table.all.length, { isRoot, allChannels: this.#allChannelsByDefault() })
  }

  /** The user may be changed in part when there is an error. */
  apply(user: User, rule: string): Outcome {
    const error = rule === '' ? null : this.#applyToUser(user, rule)
    user.changed()
    return error
  }

  #applyToUser(user: User, rule: string): Outcome {
    switch (rule.toLowerCase()) {
      case 'on':
        user.enabled = true
        return null
      case 'off':
        user.enabled = false
        return null
      case 'skip-sanitize-payload':
        user.sanitizes = 'skip'
        return null
      case 'sanitize-payload':
        user.sanitizes = 'yes'
        return null
      case 'nopass':
        user.nopass = true
        user.passwords = []
        return null
      case 'resetpass':
        user.nopass = false
        user.passwords = []
        return null
      case 'clearselectors':
        user.selectors = [user.root]
        return null
      case 'reset':
        this.#reset(user)
        return null
    }
    if (rule[0] === '>' || rule[0] === '#') return addPassword(user, rule)
    if (rule[0] === '<' || rule[0] === '!') return removePassword(user, rule)
    if (rule[0] === '(' && rule.endsWith(')')) return this.#addSelector(user, rule.slice(1, -1))
    return this.#applyToSelector(user.root, rule)
  }

  #reset(user: User): void {
    const { root } = user
    user.enabled = false
    user.nopass = false
    user.passwords = []
    user.sanitizes = 'yes'
    user.selectors = [root]
    root.allKeys = false
    root.keys = []
    root.allChannels = this.#allChannelsByDefault()
    root.channels = []
    root.denyAll()
  }

  #addSelector(user: User, rules: string): Outcome {
    const selector = this.#newSelector(false)
    for (const rule of splitLine(Buffer.from(rules, 'latin1')) ?? []) {
      const error = this.#applyToSelector(selector, rule.toString('latin1'))
      if (error !== null) return error
    }
    user.selectors.push(selector)
    return null
  }

  #applyToSelector(selector: Selector, rule: string): Outcome {
    switch (rule.toLowerCase()) {
      case 'allkeys':
      case '~*':
      case 'resetkeys':
        selector.allKeys = rule.toLowerCase() !== 'resetkeys'
        selector.keys = []
        return null
      case 'allchannels':
      case '&*':
      case 'resetchannels':
        selector.allChannels = rule.toLowerCase() !== 'resetchannels'
        selector.channels = []
        return null
      case 'allcommands':
      case '+@all':
        selector.allowAll()
        return null
      case 'nocommands':
      case '-@all':
        selector.denyAll()
        return null
    }
    if (rule[0] === '~' || rule[0] === '%') return addKeyPattern(selector, rule)
    if (rule[0] === '&') return addChannel(selector, rule.slice(1))
    if (rule[0] !== '+' && rule[0] !== '-') return 'syntax'
    const allow = rule[0] === '+'
    if (rule[1] === '@') {
      const bit = categoryBit(rule.slice(2))
      if (bit === 0) return 'unknownCommand'
      changeCategory(selector, this.#table, bit, allow)
      return null
    }
    const name = rule.slice(1)
    if (allow && name.includes('|')) return this.#addSubcommand(selector, name)
    const command = this.#lookup(name)
    if (command === undefined) return 'unknownCommand'
    selector.change(command, allow)
    return null
  }

  /** `+config|get`, or the first argument of a command that has no subcommands: `+select|0`. */
  #addSubcommand(selector: Selector, name: string): Outcome {
    const bar = name.lastIndexOf('|')
    const container = this.#lookup(name.slice(0, bar))
    if (container === undefined) return 'unknownCommand'
    if (container.parent !== undefined) return 'argumentOfSubcommand'
    const argument = name.slice(bar + 1)
    if (argument === '') return 'syntax'
    if (container.subcommands !== undefined) {
      const sub = this.#lookup(name)
      if (sub === undefined) return 'unknownCommand'
      selector.change(sub, true)
      return null
    }
    this.#warn(
      'Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse of ACL and may get ' +
        `disabled in the future (offender: +${name})`,
    )
    selector.addFirstArgument(container, argument)
    return null
  }

  /** By the names that were declared: rules hold whatever rename-command did. redis 7.0.15 acl.c ACLLookupCommand */
  #lookup(fullName: string): Command | undefined {
    const [name = '', sub, ...more] = fullName.toLowerCase().split('|')
    const command = this.#table.original(name)
    if (sub === undefined) return command
    return more.length === 0 ? command?.subcommands?.get(sub) : undefined
  }
}

function hashOfRule(rule: string): string | null {
  const text = rule.slice(1)
  if (rule[0] === '>' || rule[0] === '<') return hashPassword(Buffer.from(text, 'latin1'))
  return /^[0-9a-f]{64}$/.test(text) ? text : null
}

function addPassword(user: User, rule: string): Outcome {
  const hash = hashOfRule(rule)
  if (hash === null) return 'badHash'
  if (!user.passwords.includes(hash)) user.passwords.push(hash)
  user.nopass = false
  return null
}

function removePassword(user: User, rule: string): Outcome {
  const hash = hashOfRule(rule)
  if (hash === null) return 'badHash'
  const index = user.passwords.indexOf(hash)
  if (index < 0) return 'noSuchPassword'
  user.passwords.splice(index, 1)
  return null
}

/** `~pattern`, or `%R~`, `%W~`, `%RW~` for reading or writing only. */
function addKeyPattern(selector: Selector, rule: string): Outcome {
  if (selector.allKeys) return 'keyAfterAll'
  let permissions = ANY_KEY
  let start = 1
  if (rule[0] === '%') {
    permissions = 0
    for (; start < rule.length; start++) {
      const letter = rule[start]!.toUpperCase()
      if (letter === 'R' && (permissions & READ_KEY) === 0) permissions |= READ_KEY
      else if (letter === 'W' && (permissions & WRITE_KEY) === 0) permissions |= WRITE_KEY
      else if (letter === '~') break
      else return 'syntax'
    }
    // Redis takes `%~x`, and panics when it has to show it.
    if (permissions === 0) return 'syntax'
    start++
  }
  const text = rule.slice(start)
  if (hasSpaces(text)) return 'syntax'
  const known = selector.keys.find((key) => key.text === text)
  if (known === undefined) selector.keys.push({ ...pattern(text), permissions })
  else known.permissions |= permissions
  return null
}

function addChannel(selector: Selector, text: string): Outcome {
  if (selector.allChannels) return 'channelAfterAll'
  if (hasSpaces(text)) return 'syntax'
  if (!selector.channels.some((channel) => channel.text === text)) selector.channels.push(pattern(text))
  return null
}

/**
 * A selector may be spread over several arguments: `(+get`, `~x)` become `(+get ~x)`. The index of the argument with the
 * parenthesis that is not closed, if there is one. redis 7.0.15 acl.c ACLMergeSelectorArguments
 */
export function mergeSelectors(rules: readonly string[]): { rules: string[] } | { unmatched: number } {
  const merged: string[] = []
  let open = -1
  let selector = ''
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!
    if (rule[0] === '(' && !rule.endsWith(')')) {
      selector = rule
      open = i
    } else if (open >= 0) {
      selector += ` ${rule}`
      if (!rule.endsWith(')')) continue
      open = -1
      merged.push(selector)
    } else {
      merged.push(rule)
    }
  }
  return open >= 0 ? { unmatched: open } : { rules: merged }
}
