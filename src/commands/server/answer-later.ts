/** For system commands whose work outlives the call (a port to open, a dump to load): the client waits as a blocked one does. */
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Call } from '../call.ts'

/** Replies with `answer` when `work` is done, with the text of `failure` when it throws. */
export function answerLater<T>(
  call: Call,
  work: Promise<T>,
  answer: (reply: ReplyWriter, result: T) => void,
  failure: (error: unknown) => string,
): void {
  // The call is set up anew for the next command before the work is done.
  const { client, host } = call
  host.blocked.onEvent(client, 0, () => undefined)
  work.then(
    (result) => host.blocked.unblock(client, (reply) => answer(reply, result)),
    (error) => host.blocked.unblock(client, (reply) => reply.error(failure(error))),
  )
}
