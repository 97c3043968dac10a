/** How the path of a call asks which of several upstreams it concerns; with one there is nothing to ask. */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Copy } from './copy.ts'
import type { PartReads } from './near/part-reads.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'

/** What a call concerns: where it is passed on to, and whose copy has to be fresh for it. */
export interface Target {
  readonly copy: Copy
  readonly pool: Pool
  /** Where the copy is a part of the data: reads of this upstream's others. */
  readonly part: PartReads | null
}

/** With several upstreams, who says which of them a call concerns. */
export interface Aimer {
  /** `session` is null for a connection that nothing is known of. */
  aim(session: Session | null, client: Client, kind: number, command: Command, args: Request): Target
  /** Reads of many upstreams: the call that was aimed at last can only run here. */
  readonly isSpread: boolean
  /** The keys of the call that was aimed at last belong to several slots. */
  readonly isCrossing: boolean
  /** The keys of the call that was aimed at last may be on their way to another upstream. */
  readonly isMoving: boolean
  readonly pools: readonly Pool[]
  /** A call that several upstreams get, or none; undefined for all others. */
  special(session: Session, kind: number, command: Command, args: Request, reply: ReplyWriter): number | undefined
}
