/** Buffer's methods for Latin-1 and UTF-8, which toString() and write() end in. Node has them; its types do not. */
interface Buffer {
  latin1Slice(start?: number, end?: number): string
  utf8Slice(start?: number, end?: number): string
  latin1Write(text: string, offset?: number, length?: number): number
}
