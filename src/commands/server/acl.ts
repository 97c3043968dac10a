/**
 * ACL as far as it is true of a server whose only user is `default`: who that is and what it may do, which commands are in
 * which category, and passwords for other uses. redis 7.0.15 acl.c aclCommand
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Call } from '../call.ts'
import { categoryBit } from '../categories.ts'
import { arg, CATEGORIES, command } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'

const GENPASS_MAX_BITS = 4096
const GENPASS_DEFAULT_BITS = 256
const MAX_NAME_IN_ERROR = 128

const HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
]

function replyTooMany(call: Call): void {
  call.error(errors.unknownSubcommand(call.args.latin1(1).slice(0, MAX_NAME_IN_ERROR), 'ACL'))
}

function runCat(call: Call): void {
  const { args, reply, table } = call
  if (args.argc > 3) {
    replyTooMany(call)
    return
  }
  if (args.argc === 2) {
    reply.array(CATEGORIES.length)
    for (const name of CATEGORIES) reply.bulkString(name)
    return
  }
  const bit = categoryBit(args.latin1(2))
  if (bit === 0) {
    call.error(`ERR Unknown category '${args.latin1(2).slice(0, MAX_NAME_IN_ERROR)}'`)
    return
  }
  const members = table.all.filter((one) => (one.categories & bit) !== 0)
  reply.array(members.length)
  for (const one of members) reply.bulkString(one.fullName)
}

function runGenpass(call: Call): void {
  const { args } = call
  if (args.argc > 3) {
    replyTooMany(call)
    return
  }
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

/** SHA-256 in hexadecimal, as ACL rules have it; empty if no password is needed. */
function passwordHash(call: Call): string {
  const password = call.host.config.get('requirepass')
  return password === '' ? '' : createHash('sha256').update(password, 'utf8').digest('hex')
}

function runGetuser(call: Call): void {
  const { args, reply } = call
  if (args.latin1(2) !== 'default') {
    reply.nullBulk()
    return
  }
  const hash = passwordHash(call)
  reply.map(6)
  reply.bulkString('flags')
  const flags = hash === '' ? ['on', 'nopass'] : ['on']
  reply.set(flags.length)
  for (const flag of flags) reply.bulkString(flag)
  reply.bulkString('passwords')
  reply.array(hash === '' ? 0 : 1)
  if (hash !== '') reply.bulkString(hash)
  reply.bulkString('commands')
  reply.bulkString('+@all')
  reply.bulkString('keys')
  reply.bulkString('~*')
  reply.bulkString('channels')
  reply.bulkString('&*')
  reply.bulkString('selectors')
  reply.array(0)
}

function runList(call: Call): void {
  const hash = passwordHash(call)
  call.reply.array(1)
  call.reply.bulkString(`user default on ${hash === '' ? 'nopass' : `#${hash}`} ~* &* +@all`)
}

function runUsers(call: Call): void {
  call.reply.array(1)
  call.reply.bulkString('default')
}

export const acl = command({
  name: 'acl',
  arity: -2,
  since: '6.0.0',
  summary: 'A container for Access List Control commands ',
  complexity: 'Depends on subcommand.',
  flags: ['sentinel'],
  subcommands: [
    {
      name: 'cat',
      arity: -2,
      since: '6.0.0',
      summary: 'List the ACL categories or the commands inside a category',
      complexity: 'O(1) since the categories and commands are a fixed set.',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.string('categoryname', { optional: true })],
      run: runCat,
    },
    {
      name: 'genpass',
      arity: -2,
      since: '6.0.0',
      summary: 'Generate a pseudorandom secure password to use for ACL users',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.integer('bits', { optional: true })],
      run: runGenpass,
    },
    {
      name: 'getuser',
      arity: 3,
      since: '6.0.0',
      summary: 'Get the rules for a specific ACL user',
      complexity: 'O(N). Where N is the number of password, command and pattern rules that the user has.',
      history: [
        ['6.2.0', 'Added Pub/Sub channel patterns.'],
        [
          '7.0.0',
          'Added selectors and changed the format of key and channel patterns from a list to their rule ' +
            'representation.',
        ],
      ],
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      args: [arg.string('username')],
      run: runGetuser,
    },
    {
      name: 'help',
      arity: 2,
      since: '6.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale', 'sentinel'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'list',
      arity: 2,
      since: '6.0.0',
      summary: 'List the current ACL rules in ACL config file format',
      complexity: 'O(N). Where N is the number of configured users.',
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      run: runList,
    },
    {
      name: 'users',
      arity: 2,
      since: '6.0.0',
      summary: 'List the username of all the configured ACL rules',
      complexity: 'O(N). Where N is the number of configured users.',
      flags: ['admin', 'noscript', 'loading', 'stale', 'sentinel'],
      run: runUsers,
    },
    {
      name: 'whoami',
      arity: 2,
      since: '6.0.0',
      summary: 'Return the name of the user associated to the current connection',
      complexity: 'O(1)',
      flags: ['noscript', 'loading', 'stale', 'sentinel'],
      run: (call) => call.reply.bulkString(call.client.user),
    },
  ],
})
