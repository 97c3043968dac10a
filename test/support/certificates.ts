/** Certificates for tests, made by the program openssl: an authority, and who it vouches for. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { removeDirectory, temporaryDirectory } from './server-process.ts'

export interface KeyPair {
  readonly cert: string
  readonly key: string
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

export class Authority {
  readonly dir: string
  readonly ca: string
  readonly #name: string

  constructor(dir: string, name: string) {
    this.dir = dir
    this.ca = join(dir, `${name}.crt`)
    this.#name = name
    const key = join(dir, `${name}.key`)
    openssl('req', '-x509', ...KEY, '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', key, '-out', this.ca)
  }

  /** A certificate for loopback, good for servers and clients, unless `usage` restricts it; its key perhaps encrypted. */
  issue(name: string, options: { password?: string; usage?: 'serverAuth' | 'clientAuth' } = {}): KeyPair {
    const path = (suffix: string) => join(this.dir, `${name}.${suffix}`)
    const { password, usage } = options
    const encryption = password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`]
    openssl('req', '-new', ...KEY, ...encryption, '-subj', `/CN=${name}`, '-keyout', path('key'), '-out', path('csr'))
    const extensions = [
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      ...(usage === undefined ? [] : [`extendedKeyUsage=${usage}`]),
    ]
    writeFileSync(path('cnf'), `${extensions.join('\n')}\n`)
    const authority = ['-CA', this.ca, '-CAkey', join(this.dir, `${this.#name}.key`), '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', path('csr'), ...authority, '-extfile', path('cnf'), '-out', path('crt'))
    return { cert: path('crt'), key: path('key') }
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}

/** In a directory of its own, which is removed with the test. */
export function authority(t: Cleanup, name = 'authority'): Authority {
  const dir = temporaryDirectory('certificates')
  t.after(async () => removeDirectory(dir))
  return new Authority(dir, name)
}

/** Who is known to each other, and who is not: two authorities, a server and a client of the first one, one of the other. */
export function trustedAndStrangers(t: Cleanup) {
  const trusted = authority(t)
  const strangers = authority(t, 'strangers')
  return {
    trusted,
    strangers,
    pair: trusted.issue('server'),
    client: trusted.issue('client', { usage: 'clientAuth' }),
    stranger: strangers.issue('stranger'),
  }
}

/** What a server of either kind is told to speak TLS, beside tls-port. */
export function tlsArgs(ca: string, { cert, key }: KeyPair): string[] {
  return ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca]
}
