/**
 * The `user` lines of redis.conf. They are looked over when the configuration is taken, so that a mistake ends the start
 * with its line, and become users later, when what only then is known to be wrong (an unknown command) ends it too.
 * Follows redis 7.0.15 acl.c ACLAppendUserForLoading, ACLLoadConfiguredUsers.
 */
import type { Log } from '../commands/host.ts'
import type { FileDirective } from '../config/load.ts'
import { fatalConfigError } from '../config/redis-conf.ts'
import { hasSpaces, mergeSelectors, RULE_ERRORS, type RuleError, type Rules } from './rules.ts'
import type { User } from './user.ts'

export interface ConfiguredUser {
  readonly name: string
  readonly rules: readonly string[]
}

/** Throws a ConfigError. */
export function configuredUsers(lines: readonly FileDirective[], rules: Rules): ConfiguredUser[] {
  const found: ConfiguredUser[] = []
  for (const line of lines) {
    const words = line.args.map((word) => Buffer.from(word, 'utf8').toString('latin1'))
    const [name = '', ...given] = words
    const problem = (index: number, error: RuleError) => {
      // Redis counts from the first rule and names the word that many from the beginning of the line.
      const word = ['user', ...line.args][index]
      return fatalConfigError(`Error in user declaration '${word}': ${RULE_ERRORS[error]}`, line)
    }
    if (found.some((user) => user.name === name)) throw problem(1, 'duplicateUser')
    const merged = mergeSelectors(given)
    if ('unmatched' in merged) throw problem(merged.unmatched, 'unclear')
    const trial = rules.newUser(name)
    for (let i = 0; i < merged.rules.length; i++) {
      const error = rules.apply(trial, merged.rules[i]!)
      if (error !== null && error !== 'unknownCommand') throw problem(i, error)
    }
    found.push({ name, rules: merged.rules })
  }
  return found
}

/** Makes the users; the default user is reset and set anew. False, with the reason in the log, if that cannot be. */
export function createConfiguredUsers(
  configured: readonly ConfiguredUser[],
  users: Map<string, User>,
  rules: Rules,
  log: Log,
): boolean {
  for (const { name, rules: given } of configured) {
    if (hasSpaces(name)) {
      log('warning', 'Spaces not allowed in ACL usernames')
      return false
    }
    const user = users.get(name) ?? rules.newUser(name)
    if (users.has(name)) rules.apply(user, 'reset')
    users.set(name, user)
    for (const rule of given) {
      const error = rules.apply(user, rule)
      if (error === null) continue
      log('warning', `Error loading ACL rule '${rule}' for the user named '${name}': ${RULE_ERRORS[error]}`)
      return false
    }
    if (!user.enabled) {
      log(
        'notice',
        `The user '${name}' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error.`,
      )
    }
  }
  return true
}
