/**
 * Where replies end, without decoding them: one pass over the bytes that reads lengths only, and goes on from where it was
 * when more bytes come. At a differential test's speed most replies are equal, so nothing else is ever asked of them.
 */

const CR = 0x0d

export class ReplyScanner {
  /** The end of each complete reply. */
  readonly ends: number[] = []
  #at = 0
  /** Replies that the current one still needs, itself included. */
  #open = 1

  /** Goes on to the end of the complete replies in buf[0..length), which begins with what was scanned before. */
  scan(buf: Buffer, length: number): void {
    for (;;) {
      const start = this.#at
      let at = start + 1
      let number = 0
      let negative = false
      const type = buf[start]
      if (type === 0x2b || type === 0x2d || type === 0x2c || type === 0x28) {
        // Texts, errors, doubles, big numbers: to the end of the line.
        if (start >= length) return
        at = buf.indexOf(CR, at)
        if (at < 0) return
      } else {
        for (; at < length && buf[at] !== CR; at++) {
          if (buf[at] === 0x2d) negative = true
          else number = number * 10 + buf[at]! - 0x30
        }
      }
      let end = at + 2
      if (end > length) return
      let inner = 0
      switch (type) {
        case 0x24: // $
        case 0x3d: // =
        case 0x21: // !
          if (!negative) end += number + 2
          break
        case 0x2a: // *
        case 0x7e: // ~
        case 0x3e: // >
          if (!negative) inner = number
          break
        case 0x25: // %
        case 0x7c: // |
          inner = number * 2
          break
      }
      if (end > length) return
      this.#at = end
      this.#open += inner - 1
      if (this.#open > 0) continue
      this.ends.push(end)
      this.#open = 1
    }
  }
}

export function replyEnds(raw: Buffer): number[] {
  const scanner = new ReplyScanner()
  scanner.scan(raw, raw.length)
  return scanner.ends
}
