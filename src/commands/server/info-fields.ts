/** How INFO writes: a headed block of `name:value` lines, sizes for people, names that cannot break a line. */

export type Fields = Readonly<Record<string, string | number>>

/** The fields in the order of the object's properties. */
export function section(title: string, fields: Fields = {}): string {
  return `# ${title}\r\n${lines(fields)}`
}

export function lines(fields: Fields): string {
  let text = ''
  for (const name in fields) text += `${name}:${fields[name]}\r\n`
  return text
}

export function flag(value: boolean): number {
  return value ? 1 : 0
}

/** Names of commands and errors come from outside. redis 7.0.15 server.c getSafeInfoString */
export function safeName(name: string): string {
  return name.replace(/[#:\n\r]/g, '_')
}

const SIZE_UNITS = ['K', 'M', 'G', 'T', 'P']

/** redis 7.0.15 server.c bytesToHuman */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`
  let size = bytes
  for (const unit of SIZE_UNITS) {
    size /= 1024
    if (size < 1024) return `${size.toFixed(2)}${unit}`
  }
  return `${bytes}B`
}
