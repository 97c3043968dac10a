/** The one user there is: `default`, with the password of requirepass or none. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Call } from '../call.ts'

export const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'

/** Whether the default user needs a password. */
export function requiresPassword(call: Call): boolean {
  return call.host.config.get('requirepass') !== ''
}

/** Logs the client in. False, and nothing changed, if the user or the password is wrong. */
export function authenticate(call: Call, user: string, password: Buffer): boolean {
  if (user !== 'default') return false
  const wanted = call.host.config.get('requirepass')
  if (wanted !== '' && !equalSecrets(Buffer.from(wanted, 'utf8'), password)) return false
  call.client.authenticated = true
  call.client.user = user
  return true
}

/** Takes the same time wherever they differ. */
function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
