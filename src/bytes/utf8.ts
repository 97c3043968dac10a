/** Text as UTF-8 into a buffer that is there already; ASCII, as most keys are, without a call into Node. */

/** UTF-8 takes so many bytes for a unit of UTF-16 at most. */
export const UTF8_MAX = 3

/** Writes at `at`, where there has to be room for UTF8_MAX bytes a unit; returns where it ends. */
export function writeUtf8(buf: Buffer, at: number, text: string): number {
  const { length } = text
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return at + buf.write(text, at, 'utf8')
    buf[at + i] = code
  }
  return at + length
}
