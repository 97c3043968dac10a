/** The subcommands of ACL that change no user: categories, passwords, refusals, trials. redis 7.0.15 acl.c aclCommand */
import { randomBytes } from 'node:crypto'
import type { Call } from '../call.ts'
import { categoryBit } from '../categories.ts'
import type { Command } from '../command.ts'
import { CATEGORIES } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'

const GENPASS_MAX_BITS = 4096
const GENPASS_DEFAULT_BITS = 256
const LOG_DEFAULT_COUNT = 10
const MAX_NAME_IN_ERROR = 128

const HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'DELUSER <username> [<username> ...]',
  '    Delete a list of users.',
  'DRYRUN <username> <command> [<arg> ...]',
  '    Returns whether the user can execute the given command without executing the command.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'LOAD',
  '    Reload users from the ACL file.',
  'LOG [<count> | RESET]',
  '    Show the ACL log entries.',
  'SAVE',
  '    Save the current config to the ACL file.',
  'SETUSER <username> <attribute> [<attribute> ...]',
  '    Create or modify a user with the specified attributes.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
]

export function runHelp(call: Call): void {
  replyHelp(call, HELP)
}

/** True, and the error replied, if there are more than three arguments. */
function hasTooMany(call: Call): boolean {
  if (call.args.argc <= 3) return false
  call.error(errors.unknownSubcommand(call.args.latin1(1).slice(0, MAX_NAME_IN_ERROR), 'ACL'))
  return true
}

export function runCat(call: Call): void {
  const { args, reply, table } = call
  if (hasTooMany(call)) return
  if (args.argc === 2) {
    reply.array(CATEGORIES.length)
    for (const name of CATEGORIES) reply.bulkString(name)
    return
  }
  const bit = categoryBit(args.latin1(2))
  if (bit === 0) {
    call.error(`ERR Unknown category '${args.cString(2).slice(0, MAX_NAME_IN_ERROR)}'`)
    return
  }
  const members = table.all.filter((one) => (one.categories & bit) !== 0)
  reply.array(members.length)
  for (const one of members) reply.bulkString(one.fullName)
}

export function runGenpass(call: Call): void {
  const { args } = call
  if (hasTooMany(call)) return
  const bits = args.argc === 3 ? call.integer(2) : GENPASS_DEFAULT_BITS
  if (bits === undefined) return
  if (bits <= 0 || bits > GENPASS_MAX_BITS) {
    call.error(
      'ERR ACL GENPASS argument must be the number of bits for the output password, ' +
        `a positive number up to ${GENPASS_MAX_BITS}`,
    )
    return
  }
  const digits = Math.ceil(bits / 4)
  call.reply.bulkString(
    randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits),
  )
}

export function runLog(call: Call): void {
  const { args, host, reply } = call
  if (hasTooMany(call)) return
  if (args.argc === 3 && args.is(2, 'RESET')) {
    host.acl.resetLog()
    reply.ok()
    return
  }
  const count = args.argc === 3 ? call.integer(2) : LOG_DEFAULT_COUNT
  if (count === undefined) return
  const entries = host.acl.logEntries.slice(0, Math.max(0, count))
  const now = host.unixMs
  reply.array(entries.length)
  for (const entry of entries) {
    reply.map(7)
    reply.bulkString('count')
    reply.integer(entry.count)
    reply.bulkString('reason')
    reply.bulkString(entry.reason)
    reply.bulkString('context')
    reply.bulkString(entry.context)
    reply.bulkString('object')
    reply.bulkString(entry.object)
    reply.bulkString('username')
    reply.bulkString(entry.user)
    reply.bulkString('age-seconds')
    reply.double((now - entry.updatedAtMs) / 1000)
    reply.bulkString('client-info')
    reply.bulkString(entry.clientInfo)
  }
}

/** The command that begins at argument `from`, or its subcommand. redis 7.0.15 server.c lookupCommand */
function commandAt(call: Call, from: number): Command | undefined {
  const { args, table } = call
  const command = table.lookup(args.buf, args.start(from), args.end(from))
  if (command?.subcommands === undefined || args.argc === from + 1) return command
  return table.lookupSub(command, args.buf, args.start(from + 1), args.end(from + 1))
}

export function runDryrun(call: Call): void {
  const { args, host, reply } = call
  const name = args.latin1(2)
  if (host.acl.user(name) === undefined) {
    call.error(`ERR User '${args.cString(2)}' not found`)
    return
  }
  const command = commandAt(call, 3)
  if (command === undefined) {
    call.error(`ERR Command '${args.cString(3)}' not found`)
    return
  }
  if (!command.takes(args.argc - 3)) {
    call.error(errors.wrongArity(command.fullName))
    return
  }
  const refusal = host.acl.dryRun(name, command, args, 3)
  if (refusal === undefined) reply.ok()
  else reply.bulkString(refusal)
}
