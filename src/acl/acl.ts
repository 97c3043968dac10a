/**
 * Who there is and what each may do: the users, the checks of calls with Redis's refusals, logging in, the log of what was
 * refused, and the two places users are kept in (lines of redis.conf, or a file of their own). Follows redis 7.0.15 acl.c.
 *
 * A client whose account is not restricted never gets here: the path of a call tests `client.account.isRestricted` and
 * goes on. Rules change seldom, so all that can be worked out is worked out when they do (user.ts, selector.ts).
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { clientInfo } from '../commands/connection/client-info.ts'
import type { AclHost, AclLogEntry, Log } from '../commands/host.ts'
import type { CommandTable } from '../commands/table.ts'
import type { Config } from '../config/config.ts'
import type { Request } from '../resp/request.ts'
import { ALLOWED, Checker, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY } from './check.ts'
import { type ConfiguredUser, configuredUsers, createConfiguredUsers } from './directives.ts'
import { readUsers, writeUsers } from './file.ts'
import { AclLog, type LogContext, type LogReason } from './log.ts'
import { closeSubscribers } from './revoke.ts'
import { hasSpaces, mergeSelectors, RULE_ERRORS, Rules } from './rules.ts'
import { User } from './user.ts'

const DEFAULT = 'default'
const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER ' +
  'command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users ' +
  'in the Redis configuration.'
const BOTH_SOURCES =
  'Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup ' +
  'is very likely to lead to configuration errors and security holes, please define either an ACL file or declare ' +
  'users directly in your redis.conf, but not both.'

export interface AclOptions {
  readonly config: Config
  readonly table: CommandTable
  readonly log: Log
  readonly unixMs: () => number
  readonly clients: () => Iterable<Client>
  /** Called at once and whenever it changes: a connection has to log in before it may do anything. */
  readonly onRequiresAuth: (requires: boolean) => void
}

export class Acl implements AclHost {
  readonly #options: AclOptions
  readonly #rules: Rules
  readonly #configured: readonly ConfiguredUser[]
  readonly #checker = new Checker()
  readonly #log = new AclLog()
  /** The same object for ever: connections begin with it. */
  readonly #default: User
  #users: Map<string, User>

  /** Throws a ConfigError when a `user` line of the configuration is wrong. */
  constructor(options: AclOptions) {
    const { config, table, log } = options
    this.#options = options
    this.#rules = new Rules({
      table,
      allChannelsByDefault: () => config.get('acl-pubsub-default') === 'allchannels',
      warn: (text) => log('warning', text),
    })
    this.#default = this.#rules.newDefaultUser()
    this.#users = new Map([[DEFAULT, this.#default]])
    this.#configured = configuredUsers(config.directives('user'), this.#rules)
    config.watch('requirepass', (password) => {
      this.#default.setOnlyPassword(Buffer.from(password, 'utf8'))
      this.#defaultChanged()
    })
    config.onRewrite('user', () =>
      this.users().map(({ name, description }) => Buffer.from(`${name} ${description}`, 'latin1').toString('utf8')),
    )
  }

  /** Users of redis.conf or of the ACL file. Throws an Error when the server must not start. */
  loadAtStart(): void {
    const { config, log } = this.#options
    const hasFile = config.get('aclfile') !== ''
    if (hasFile && this.#configured.length > 0) throw new Error(BOTH_SOURCES)
    if (!createConfiguredUsers(this.#configured, this.#users, this.#rules, log)) {
      throw new Error('Critical error while loading ACLs. Exiting.')
    }
    this.#defaultChanged()
    if (!hasFile) return
    const errors = this.#loadFile(null)
    if (errors !== undefined) throw new Error(`Aborting Redis startup because of ACL errors: ${errors}`)
  }

  #defaultChanged(): void {
    this.#options.onRequiresAuth(!this.#default.nopass || !this.#default.enabled)
  }

  // ---- logging in -------------------------------------------------------------------------------------------------

  welcome(client: Client): void {
    client.account = this.#default
    client.authenticated = this.#default.nopass && this.#default.enabled
  }

  get defaultTakesAnyPassword(): boolean {
    return this.#default.nopass
  }

  authenticate(client: Client, name: string, password: Uint8Array, request: Request): boolean {
    const user = this.#users.get(name)
    if (user?.accepts(password) === true) {
      client.account = user
      client.authenticated = true
      return true
    }
    this.#addToLog(client, request, 'auth', contextOf(client), request.latin1(0), name)
    return false
  }

  // ---- users ------------------------------------------------------------------------------------------------------

  user(name: string): User | undefined {
    return this.#users.get(name)
  }

  users(): User[] {
    // Latin-1, so that code units compare as bytes.
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }

  /** All rules are taken, or none. redis 7.0.15 acl.c ACLStringSetUser */
  setUser(name: string, given: readonly string[], current: Client): string | undefined {
    if (hasSpaces(name)) return "ERR Usernames can't contain spaces or null characters"
    const merged = mergeSelectors(given)
    if ('unmatched' in merged) {
      return `ERR Unmatched parenthesis in acl selector starting at '${given[merged.unmatched]}'.`
    }
    const known = this.#users.get(name)
    const staged = this.#rules.newUser(name)
    if (known !== undefined) staged.copyFrom(known)
    for (const rule of merged.rules) {
      const error = this.#rules.apply(staged, rule)
      if (error !== null) return `ERR Error in ACL SETUSER modifier '${rule}': ${RULE_ERRORS[error]}`
    }
    if (known === undefined) {
      this.#users.set(name, staged)
      staged.changed()
      return undefined
    }
    closeSubscribers(staged, known, this.#options.clients(), current)
    known.copyFrom(staged)
    if (known === this.#default) this.#defaultChanged()
    return undefined
  }

  deleteUsers(names: readonly string[], current: Client): number {
    let deleted = 0
    for (const name of names) {
      const user = this.#users.get(name)
      if (user === undefined || !this.#users.delete(name)) continue
      deleted++
      this.#closeClients((account) => account === user, current)
    }
    return deleted
  }

  /** redis 7.0.15 acl.c ACLFreeUserAndKillClients */
  #closeClients(isGone: (account: User) => boolean, current: Client | null): void {
    for (const client of this.#options.clients()) {
      if (!(client.account instanceof User) || !isGone(client.account)) continue
      client.account = this.#default
      client.authenticated = false
      // The one who did it still gets the reply.
      client.close(client === current ? 'after-replies' : 'now')
    }
  }

  load(current: Client): string | undefined {
    if (this.#options.config.get('aclfile') === '') return NO_FILE
    const errors = this.#loadFile(current)
    return errors === undefined ? undefined : `ERR ${errors}`
  }

  /** Connections of all users but the default one are closed: their users are new ones, if there at all. */
  #loadFile(current: Client | null): string | undefined {
    const { config } = this.#options
    const file = config.get('aclfile')
    const users = readUsers(config.resolvePath(file), file, this.#rules)
    if (typeof users === 'string') return users
    this.#default.copyFrom(users.get(DEFAULT) ?? this.#rules.newDefaultUser())
    users.set(DEFAULT, this.#default)
    this.#users = users
    this.#defaultChanged()
    if (current !== null) this.#closeClients((account) => account !== this.#default, current)
    return undefined
  }

  save(): string | undefined {
    const { config, log, unixMs } = this.#options
    const file = config.get('aclfile')
    if (file === '') return NO_FILE
    if (writeUsers(config.resolvePath(file), this.users(), log, unixMs())) return undefined
    return 'ERR There was an error trying to save the ACLs. Please check the server logs for more information'
  }

  // ---- checks -----------------------------------------------------------------------------------------------------

  /** For a client whose account is restricted: the text to refuse the call with, logged; null if it may run. */
  refusal(client: Client, command: Command, request: Request): string | null {
    switch (this.#check(client, command, request, contextOf(client))) {
      case ALLOWED:
        return null
      case DENIED_COMMAND:
        return `NOPERM this user has no permissions to run the '${command.fullName}' command`
      case DENIED_KEY:
        return 'NOPERM this user has no permissions to access one of the keys used as arguments'
      default:
        return 'NOPERM this user has no permissions to access one of the channels used as arguments'
    }
  }

  /** redis 7.0.15 multi.c execCommand */
  queuedRefusal(client: Client, command: Command, request: Request): string | null {
    const denial = this.#check(client, command, request, 'multi')
    if (denial === ALLOWED) return null
    const reason =
      denial === DENIED_COMMAND
        ? 'no permission to execute the command or subcommand'
        : denial === DENIED_KEY
          ? 'no permission to touch the specified keys'
          : 'no permission to access one of the channels used as arguments'
    return (
      'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. ' +
      `This command is no longer allowed for the following reason: ${reason}`
    )
  }

  /** redis 7.0.15 script.c scriptVerifyACL, acl.c getAclErrorMessage */
  scriptRefusal(client: Client, command: Command, request: Request): string | null {
    const denial = this.#check(client, command, request, 'lua')
    if (denial === ALLOWED) return null
    const reason =
      denial === DENIED_COMMAND
        ? "can't run this command or subcommand"
        : denial === DENIED_KEY
          ? "can't access at least one of the keys mentioned in the command arguments"
          : "can't publish to the channel mentioned in the command"
    return `The user executing the script ${reason}`
  }

  #check(client: Client, command: Command, request: Request, context: LogContext): number {
    const { account } = client
    if (!account.isRestricted || !(account instanceof User)) return ALLOWED
    const denial = this.#checker.check(account, command, request)
    if (denial === ALLOWED) return ALLOWED
    const reason = denial === DENIED_COMMAND ? 'command' : denial === DENIED_KEY ? 'key' : 'channel'
    const object = denial === DENIED_COMMAND ? command.fullName : request.latin1(this.#checker.deniedAt)
    this.#addToLog(client, request, reason, context, object, account.name)
    return denial
  }

  dryRun(name: string, command: Command, request: Request, from: number): string | undefined {
    const user = this.#users.get(name)
    const denial = user === undefined ? ALLOWED : this.#checker.check(user, command, request, from)
    if (denial === ALLOWED) return undefined
    if (denial === DENIED_COMMAND) return `This user has no permissions to run the '${command.fullName}' command`
    const kind = denial === DENIED_CHANNEL ? 'channel' : 'key'
    return `This user has no permissions to access the '${request.latin1(this.#checker.deniedAt)}' ${kind}`
  }

  readsAllKeys(client: Client, command: Command, request: Request): boolean {
    const { account } = client
    if (!account.isRestricted || !(account instanceof User)) return true
    return this.#checker.readsAllKeys(account, command, request)
  }

  // ---- log --------------------------------------------------------------------------------------------------------

  get logEntries(): readonly AclLogEntry[] {
    return this.#log.entries
  }

  resetLog(): void {
    this.#log.reset()
  }

  #addToLog(
    client: Client,
    request: Request,
    reason: LogReason,
    context: LogContext,
    object: string,
    user: string,
  ): void {
    const updatedAtMs = this.#options.unixMs()
    this.#log.add(
      { reason, context, object, user, updatedAtMs, clientInfo: clientInfo(client, updatedAtMs, request) },
      this.#options.config.get('acllog-max-len'),
    )
  }
}

function contextOf(client: Client): LogContext {
  return client.transaction === null ? 'toplevel' : 'multi'
}
