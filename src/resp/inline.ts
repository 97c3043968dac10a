/**
 * Inline requests and redis.conf values: one line split into arguments, with "…" and '…' quoting and \xHH, \n, \r, \t,
 * \b, \a escapes inside double quotes. redis 7.0.15 sds.c sdssplitargs.
 */
const SPACE = new Set([0x20, 0x0a, 0x0d, 0x09, 0x0b, 0x0c, 0x00])
const ESCAPES: Record<string, number> = { n: 0x0a, r: 0x0d, t: 0x09, b: 0x08, a: 0x07 }

/** The arguments of a line, or undefined when quotes are not balanced or a closing quote is not followed by a space. */
export function splitLine(line: Uint8Array): Buffer[] | undefined {
  const args: Buffer[] = []
  let pos = 0
  const end = line.length
  for (;;) {
    while (pos < end && SPACE.has(line[pos]!)) pos++
    if (pos >= end) return args
    const arg: number[] = []
    while (pos < end && !SPACE.has(line[pos]!)) {
      const byte = line[pos]!
      if (byte !== 0x22 && byte !== 0x27) {
        arg.push(byte)
        pos++
        continue
      }
      pos = byte === 0x22 ? doubleQuoted(line, pos + 1, arg) : singleQuoted(line, pos + 1, arg)
      if (pos < 0 || (pos < end && !SPACE.has(line[pos]!))) return undefined
    }
    args.push(Buffer.from(arg))
  }
}

function doubleQuoted(line: Uint8Array, from: number, arg: number[]): number {
  let pos = from
  while (pos < line.length) {
    const byte = line[pos]!
    if (byte === 0x22) return pos + 1
    if (byte !== 0x5c || pos + 1 >= line.length) {
      arg.push(byte)
      pos++
      continue
    }
    const next = String.fromCharCode(line[pos + 1]!)
    const hex = String.fromCharCode(line[pos + 2] ?? 0, line[pos + 3] ?? 0)
    if (next === 'x' && /^[0-9a-fA-F]{2}$/.test(hex)) {
      arg.push(Number.parseInt(hex, 16))
      pos += 4
    } else {
      arg.push(ESCAPES[next] ?? line[pos + 1]!)
      pos += 2
    }
  }
  return -1
}

function singleQuoted(line: Uint8Array, from: number, arg: number[]): number {
  let pos = from
  while (pos < line.length) {
    const byte = line[pos]!
    if (byte === 0x27) return pos + 1
    if (byte === 0x5c && line[pos + 1] === 0x27) {
      arg.push(0x27)
      pos += 2
    } else {
      arg.push(byte)
      pos++
    }
  }
  return -1
}
