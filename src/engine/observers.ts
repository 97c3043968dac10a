/**
 * Who hears of a command that was run besides those whom its changes concern: monitors, and the tracking of keys that were
 * read. The path of a call asks one question for both. redis 7.0.15 server.c call, afterCommand
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { FLAG_ADMIN, FLAG_SKIP_MONITOR } from '../commands/define.ts'
import type { Request } from '../resp/request.ts'
import type { Engine } from './engine.ts'

/** `outermost`: the command is not part of a transaction or script; what it invalidated for its own client is sent. */
export function observe(engine: Engine, client: Client, command: Command, args: Request, outermost: boolean): void {
  if (engine.monitorCount > 0 && (command.flagBits & (FLAG_SKIP_MONITOR | FLAG_ADMIN)) === 0) {
    engine.feedMonitors(client, args)
  }
  const { tracking } = engine
  if (tracking.clients === 0) return
  tracking.ran(client, command, args)
  if (!outermost) return
  tracking.done(client, command)
  tracking.sendPending(client)
}
