/** The subcommands of ACL that show and change users. redis 7.0.15 acl.c aclCommand */
import type { Call } from '../call.ts'
import { SUPERUSER } from '../client.ts'
import type { AclSelectorView } from '../host.ts'

function namesFrom(call: Call, first: number): string[] {
  const names: string[] = []
  for (let i = first; i < call.args.argc; i++) names.push(call.args.latin1(i))
  return names
}

function replyOutcome(call: Call, error: string | undefined): void {
  if (error === undefined) call.reply.ok()
  else call.error(error)
}

export function runSetuser(call: Call): void {
  replyOutcome(call, call.host.acl.setUser(call.args.latin1(2), namesFrom(call, 3), call.client))
}

export function runDeluser(call: Call): void {
  const names = namesFrom(call, 2)
  if (names.includes('default')) {
    call.error("ERR The 'default' user cannot be removed")
    return
  }
  call.reply.integer(call.host.acl.deleteUsers(names, call.client))
}

export function runGetuser(call: Call): void {
  const { args, host, reply } = call
  const user = host.acl.user(args.latin1(2))
  if (user === undefined) {
    reply.nullBulk()
    return
  }
  const [root, ...selectors] = user.views
  reply.map(6)
  reply.bulkString('flags')
  reply.set(user.flags.length)
  for (const flag of user.flags) reply.bulkString(flag)
  reply.bulkString('passwords')
  reply.array(user.passwords.length)
  for (const hash of user.passwords) reply.bulkString(hash)
  replySelector(call, root!)
  reply.bulkString('selectors')
  reply.array(selectors.length)
  for (const selector of selectors) {
    reply.map(3)
    replySelector(call, selector)
  }
}

/** redis 7.0.15 acl.c aclAddReplySelectorDescription */
function replySelector(call: Call, { commands, keys, channels }: AclSelectorView): void {
  const { reply } = call
  reply.bulkString('commands')
  reply.bulkString(commands)
  reply.bulkString('keys')
  reply.bulkString(keys)
  reply.bulkString('channels')
  reply.bulkString(channels)
}

export function runList(call: Call): void {
  const users = call.host.acl.users()
  call.reply.array(users.length)
  for (const { name, description } of users) call.reply.bulkString(`user ${name} ${description}`)
}

export function runUsers(call: Call): void {
  const users = call.host.acl.users()
  call.reply.array(users.length)
  for (const { name } of users) call.reply.bulkString(name)
}

export function runWhoami(call: Call): void {
  if (call.client.account === SUPERUSER) call.reply.nullBulk()
  else call.reply.bulkString(call.client.user)
}

export function runLoad(call: Call): void {
  replyOutcome(call, call.host.acl.load(call.client))
}

export function runSave(call: Call): void {
  replyOutcome(call, call.host.acl.save())
}
