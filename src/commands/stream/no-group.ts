/**
 * The errors that name a stream and a group that is not there. redis 7.0.15 t_stream.c, through addReplyErrorFormat, whose
 * "%s" ends at a NUL byte.
 */
import type { Call } from '../call.ts'

/** Argument i as Latin-1 text, as C's printf writes it. */
export function printed(call: Call, i: number): string {
  const text = call.args.latin1(i)
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}

/** Either of the two is missing; `key` and `group` are argument indexes. */
export function noKeyOrGroup(call: Call, key: number, group: number, where = ''): void {
  call.error(`NOGROUP No such key '${printed(call, key)}' or consumer group '${printed(call, group)}'${where}`)
}

/** The stream is there. */
export function noGroup(call: Call, key: number, group: number): void {
  call.error(`NOGROUP No such consumer group '${printed(call, group)}' for key name '${printed(call, key)}'`)
}
