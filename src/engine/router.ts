/**
 * Who may take a call away from this server before it runs here: the proxy, which passes writes on to its upstream. The
 * path of a call asks one field, which is null in a server that is no proxy.
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import type { ProxyHost } from '../commands/proxy-host.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'

/** The call runs here. Else the outcomes of Executor.process. */
export const RUN_HERE = -1

export interface Router extends ProxyHost {
  /** After arity, authentication and ACL; before MULTI queues it. */
  route(client: Client, command: Command, args: Request, reply: ReplyWriter): number
  /** What this client sends next will probably not run here: looking its keys up ahead is no use. */
  passesOn(client: Client): boolean
  /** No command, or no subcommand of `container`, has this name here; the upstream may be newer or have modules. */
  unknown(client: Client, container: Command | undefined, args: Request, reply: ReplyWriter): number
}
