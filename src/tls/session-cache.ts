/**
 * Sessions of TLS up to 1.2 for clients that resume by an id and not by a ticket: OpenSSL's own cache, which Node does not
 * use, within tls-session-cache-size and -timeout.
 */
import type { Server } from 'node:tls'
import type { Config } from '../config/config.ts'

interface Kept {
  readonly session: Buffer
  readonly endsAtMs: number
}

export class SessionCache {
  readonly #config: Config
  /** The oldest first. */
  readonly #sessions = new Map<string, Kept>()

  constructor(config: Config) {
    this.#config = config
  }

  serve(server: Server): void {
    if (!this.#config.get('tls-session-caching')) return
    server.on('newSession', (id, session, done) => {
      this.#keep(id.toString('latin1'), session)
      done()
    })
    server.on('resumeSession', (id, done) => {
      const kept = this.#sessions.get(id.toString('latin1'))
      done(null, kept !== undefined && kept.endsAtMs > Date.now() ? kept.session : null)
    })
  }

  #keep(id: string, session: Buffer): void {
    const size = this.#config.get('tls-session-cache-size')
    const seconds = this.#config.get('tls-session-cache-timeout')
    this.#sessions.set(id, { session, endsAtMs: Date.now() + seconds * 1000 })
    if (size > 0 && this.#sessions.size > size) {
      const oldest = this.#sessions.keys().next().value
      if (oldest !== undefined) this.#sessions.delete(oldest)
    }
  }
}
