/**
 * TLS as the tls-* directives say it: one context for what is accepted, one for connections to other servers (the same
 * one unless tls-client-cert-file and -key-file name another certificate). Both are built anew or not at all, so a file
 * that cannot be used leaves the old ones in force. redis 7.0.15 tls.c tlsConfigure, createSSLContext
 *
 * What Node cannot be told: a directory of certificates is read whole instead of being searched on demand (the names that
 * `openssl rehash` gives, as OpenSSL does), and TLS 1.3 sessions are resumed by tickets, which hold no state here.
 */
import { constants } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { Config } from '../config/config.ts'
import { tlsErrorText } from './error-text.ts'

export type TlsLog = (level: 'warning', text: string) => void

/** CONFIG SET answers it; what was wrong is in the log. */
export const NO_TLS = 'Unable to update TLS configuration. Check server logs.'
/** What the contexts are made of, beside what is looked up for each connection. */
export const TLS_OPTIONS = [
  'tls-session-cache-size',
  'tls-session-cache-timeout',
  'tls-cluster',
  'tls-replication',
  'tls-prefer-server-ciphers',
  'tls-session-caching',
  'tls-cert-file',
  'tls-key-file',
  'tls-key-file-pass',
  'tls-client-cert-file',
  'tls-client-key-file',
  'tls-client-key-file-pass',
  'tls-dh-params-file',
  'tls-ca-cert-file',
  'tls-ca-cert-dir',
  'tls-protocols',
  'tls-ciphers',
  'tls-ciphersuites',
] as const

/** The version's name in tls-protocols, and what turns it off. */
const PROTOCOLS = new Map([
  ['tlsv1', constants.SSL_OP_NO_TLSv1],
  ['tlsv1.1', constants.SSL_OP_NO_TLSv1_1],
  ['tlsv1.2', constants.SSL_OP_NO_TLSv1_2],
  ['tlsv1.3', constants.SSL_OP_NO_TLSv1_3],
])
const PROTOCOLS_DEFAULT = 'tlsv1.2 tlsv1.3'
/** As `openssl rehash` names certificates of authorities. */
const HASHED_NAME = /^[0-9a-f]{8}\.\d+$/

/** What was wrong has been logged. */
class Refused extends Error {}

export class TlsContexts {
  /** For what is accepted: checked, and the same object until it changes. Null until TLS has been configured. */
  server: SecureContextOptions | null = null
  /** For connections to other servers; null until TLS has been configured. */
  client: SecureContext | null = null
  /** What that is made of: for another thread, which cannot be given a context. */
  clientOptions: SecureContextOptions | null = null
  readonly #config: Config
  readonly #log: TlsLog

  constructor(config: Config, log: TlsLog) {
    this.#config = config
    this.#log = log
  }

  /** Whether anything in the configuration needs TLS. */
  get isWanted(): boolean {
    const config = this.#config
    return config.get('tls-port') > 0 || config.get('tls-replication') || config.get('tls-cluster')
  }

  /** Takes over what the directives say now; false if that cannot be, and then all is as before. */
  configure(): boolean {
    const config = this.#config
    try {
      this.#check()
      const server = this.#options('tls-cert-file', 'tls-key-file', 'tls-key-file-pass', true)
      const general = this.#create(server)
      const hasClient = config.get('tls-client-cert-file') !== '' && config.get('tls-client-key-file') !== ''
      const clientOptions = hasClient ? this.#readClientOptions() : server
      this.client = hasClient ? this.#create(clientOptions) : general
      this.clientOptions = clientOptions
      this.server = server
      return true
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return false
    }
  }

  #check(): void {
    const config = this.#config
    if (config.get('tls-cert-file') === '') this.#refuse('No tls-cert-file configured!')
    if (config.get('tls-key-file') === '') this.#refuse('No tls-key-file configured!')
    const verifies =
      config.get('tls-auth-clients') !== 'no' || config.get('tls-cluster') || config.get('tls-replication')
    if (verifies && !this.hasAuthorities) {
      this.#refuse(
        'Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!',
      )
    }
  }

  get hasAuthorities(): boolean {
    return this.#config.get('tls-ca-cert-file') !== '' || this.#config.get('tls-ca-cert-dir') !== ''
  }

  /**
   * For a link that an URL asked to be by TLS: the certificates are optional then, and without tls-ca-cert-* the
   * authorities that Node knows are trusted. Null if a file cannot be used.
   */
  forUrl(): SecureContext | null {
    const config = this.#config
    try {
      if (config.get('tls-client-cert-file') !== '') return this.#create(this.#readClientOptions())
      return this.#create(this.#options('tls-cert-file', 'tls-key-file', 'tls-key-file-pass', false))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return null
    }
  }

  #readClientOptions(): SecureContextOptions {
    return this.#options('tls-client-cert-file', 'tls-client-key-file', 'tls-client-key-file-pass', false)
  }

  #create(options: SecureContextOptions): SecureContext {
    return this.#attempt(
      () => createSecureContext(options),
      (error) => this.#refuse(`Failed to configure TLS: ${tlsErrorText(error)}`),
    )
  }

  #options(
    certFile: 'tls-cert-file' | 'tls-client-cert-file',
    keyFile: 'tls-key-file' | 'tls-client-key-file',
    keyPass: 'tls-key-file-pass' | 'tls-client-key-file-pass',
    isServer: boolean,
  ): SecureContextOptions {
    const config = this.#config
    const options: SecureContextOptions = { ...this.#protocols(), ...this.#ciphers() }
    const cert = config.get(certFile)
    if (cert !== '') {
      const failed = (error: unknown) => this.#refuse(`Failed to load certificate: ${cert}: ${tlsErrorText(error)}`)
      options.cert = this.#attempt(() => this.#read(cert), failed)
      this.#attempt(() => createSecureContext({ cert: options.cert! }), failed)
    }
    const key = config.get(keyFile)
    if (key !== '') {
      const failed = (error: unknown) => this.#refuse(`Failed to load private key: ${key}: ${tlsErrorText(error)}`)
      options.key = this.#attempt(() => this.#read(key), failed)
      const passphrase = config.get(keyPass)
      if (passphrase !== '') options.passphrase = passphrase
      const pair: SecureContextOptions = { cert: options.cert!, key: options.key }
      this.#attempt(() => createSecureContext(passphrase === '' ? pair : { ...pair, passphrase }), failed)
    }
    if (this.hasAuthorities) {
      const failed = (error: unknown) =>
        this.#refuse(`Failed to configure CA certificate(s) file/directory: ${tlsErrorText(error)}`)
      options.ca = this.#attempt(() => this.#authorities(), failed)
    }
    if (isServer) {
      options.honorCipherOrder = config.get('tls-prefer-server-ciphers')
      options.dhparam = this.#dhParameters()
      if (config.get('tls-session-caching')) options.sessionTimeout = config.get('tls-session-cache-timeout')
      options.sessionIdContext = 'redis'
    }
    return options
  }

  #protocols(): SecureContextOptions {
    const text = this.#config.get('tls-protocols')
    let off = [...PROTOCOLS.values()].reduce((all, bit) => all | bit, 0)
    for (const name of (text === '' ? PROTOCOLS_DEFAULT : text).split(' ')) {
      const bit = PROTOCOLS.get(name.toLowerCase())
      if (bit === undefined) {
        this.#refuse(
          "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
        )
      }
      off &= ~bit!
    }
    return { minVersion: 'TLSv1', maxVersion: 'TLSv1.3', secureOptions: off }
  }

  /** Node takes both kinds in one list, in which those of TLS 1.3 begin with TLS_. */
  #ciphers(): SecureContextOptions {
    const old = this.#config.get('tls-ciphers')
    const suites = this.#config.get('tls-ciphersuites')
    if (old === '' && suites === '') return {}
    const known = DEFAULT_CIPHERS.split(':')
    const oldOrDefault = old === '' ? known.filter((name) => !name.startsWith('TLS_')).join(':') : old
    const suitesOrDefault = suites === '' ? known.filter((name) => name.startsWith('TLS_')).join(':') : suites
    const ciphers = `${suitesOrDefault}:${oldOrDefault}`
    this.#attempt(
      () => createSecureContext({ ciphers: oldOrDefault, maxVersion: 'TLSv1.2' }),
      () => this.#refuse(`Failed to configure ciphers: ${old}`),
    )
    this.#attempt(
      () => {
        // Node would take it for an older one.
        if (!suitesOrDefault.split(':').every((name) => name.startsWith('TLS_'))) throw new Error('no such suite')
        createSecureContext({ ciphers })
      },
      () => this.#refuse(`Failed to configure ciphersuites: ${suites}`),
    )
    return { ciphers }
  }

  #authorities(): Buffer[] {
    const file = this.#config.get('tls-ca-cert-file')
    const directory = this.#config.get('tls-ca-cert-dir')
    const found = file === '' ? [] : [this.#read(file)]
    if (directory !== '') {
      const path = this.#config.resolvePath(directory)
      for (const name of readdirSync(path)) if (HASHED_NAME.test(name)) found.push(readFileSync(join(path, name)))
    }
    // A bundle may hold many: each is checked when the context is made.
    createSecureContext({ ca: found })
    if (file !== '' && !/-----BEGIN [^\n]*(CERTIFICATE|CRL)-----/.test(found[0]!.latin1Slice()))
      throw new Error('no certificate or crl found')
    return found
  }

  #dhParameters(): Buffer | 'auto' {
    const file = this.#config.get('tls-dh-params-file')
    if (file === '') return 'auto'
    const bytes = this.#attempt(
      () => this.#read(file),
      (error) => this.#refuse(`Failed to load ${file}: ${tlsErrorText(error)}`),
    )
    this.#attempt(
      () => {
        // Node takes a file of something else, and uses none.
        if (!bytes.includes('DH PARAMETERS-----')) throw new Error('no DH parameters')
        return createSecureContext({ dhparam: bytes })
      },
      () => this.#refuse(`${file}: failed to read DH params.`),
    )
    return bytes
  }

  #read(file: string): Buffer {
    return readFileSync(this.#config.resolvePath(file))
  }

  #attempt<T>(make: () => T, failed: (error: unknown) => never): T {
    try {
      return make()
    } catch (error) {
      return failed(error)
    }
  }

  #refuse(text: string): never {
    this.#log('warning', text)
    throw new Refused(text)
  }
}
