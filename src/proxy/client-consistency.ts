/** CLIENT CONSISTENCY [level]: asks or sets how fresh the reads of a connection have to be. */
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import { consistencyText, EVENTUAL, parseConsistency } from './consistency.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'
import type { Settings } from './settings.ts'

export function clientConsistency(
  session: Session,
  args: Request,
  reply: ReplyWriter,
  settings: Settings,
  pools: readonly Pool[],
): void {
  if (args.argc === 2) return reply.bulkString(consistencyText(session.consistency))
  const { client } = session
  const words = Array.from({ length: args.argc - 2 }, (_, i) => args.lower(i + 2))
  const consistency = parseConsistency(words)
  if (consistency === undefined) {
    return reply.error('ERR CLIENT CONSISTENCY takes eventual, session, bounded <milliseconds> [fail] or linearizable')
  }
  // What it wrote before has to be seen from now on.
  if (session.consistency.level === EVENTUAL && consistency.level !== EVENTUAL) {
    for (const pool of pools) {
      const probe = pool.sharedBy(client).connection?.probe()
      if (probe !== undefined) session.note(pool.copy, probe)
    }
  }
  session.consistency = consistency
  settings.noteBound(consistency)
  client.session = session
  reply.ok()
}
