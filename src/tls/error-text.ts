/** The text of a TLS error as OpenSSL 3 writes it: `error:0A0000C7:SSL routines::peer did not return a certificate`. */
import { strerror } from '../config/strerror.ts'

const STACKED = /error:([0-9A-F]{8}):([^:]*):[^:]*:([^:\n]*)/

export function tlsErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { opensslErrorStack } = error as { opensslErrorStack?: string[] }
  const found = STACKED.exec(opensslErrorStack?.at(-1) ?? '') ?? STACKED.exec(error.message)
  const { errno } = error as NodeJS.ErrnoException
  if (found === null && errno !== undefined) {
    return `error:${(0x80000000 - errno).toString(16).toUpperCase()}:system library::${strerror(error)}`
  }
  if (found === null) return error.message
  return `error:${found[1]}:${found[2]}::${found[3]}`
}
