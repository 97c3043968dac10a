/** The reply of every container's HELP. redis 7.0.15 networking.c addReplyHelp */
import type { Call } from './call.ts'

/** `lines` are the subcommands with their indented explanations, without HELP itself. */
export function replyHelp(call: Call, lines: readonly string[]): void {
  const { args, reply } = call
  reply.array(lines.length + 3)
  reply.simple(`${args.latin1(0).toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`)
  for (const line of lines) reply.simple(line)
  reply.simple('HELP')
  reply.simple('    Prints this help.')
}
