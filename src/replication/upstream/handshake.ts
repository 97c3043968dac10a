/**
 * What a replica says before PSYNC, as an ordered list of named steps. PING is answered before the rest is sent; the
 * rest goes out in one piece, as redis 7.0.15 replication.c syncWithMaster does. Each step judges its own reply.
 */
import type { Config } from '../../config/config.ts'
import { partOf } from '../filtered/part.ts'

export interface HandshakeStep {
  name: string
  /** The request; null when the configuration does not call for this step. */
  request(config: Config, listeningPort: number): string[] | null
  /** `reply` is the line without CRLF. An error ends the attempt; a warning is only logged. */
  judge(reply: string): { error?: string; warning?: string }
}

const GO_ON = {}

export const handshakeSteps: readonly HandshakeStep[] = [
  {
    name: 'ping',
    request: () => ['PING'],
    judge: (reply) => {
      const fine = /^(\+|-NOAUTH|-NOPERM|-ERR operation not permitted)/.test(reply)
      return fine ? GO_ON : { error: `Error reply to PING from master: '${reply}'` }
    },
  },
  {
    name: 'auth',
    request: (config) => {
      const password = config.get('masterauth')
      if (password === '') return null
      const user = config.get('masteruser')
      return user === '' ? ['AUTH', password] : ['AUTH', user, password]
    },
    judge: (reply) => (reply.startsWith('-') ? { error: `Unable to AUTH to MASTER: ${reply}` } : GO_ON),
  },
  {
    name: 'listening-port',
    request: (config, listeningPort) => {
      const announced = config.get('replica-announce-port')
      return ['REPLCONF', 'listening-port', String(announced > 0 ? announced : listeningPort)]
    },
    judge: (reply) => optional(reply, 'listening-port'),
  },
  {
    name: 'ip-address',
    request: (config) => {
      const ip = config.get('replica-announce-ip')
      return ip === '' ? null : ['REPLCONF', 'ip-address', ip]
    },
    judge: (reply) => optional(reply, 'ip-address'),
  },
  {
    name: 'capa',
    // redis 7.0.15 replication.c replconfCommand: a primary passes over what it does not know.
    request: (config) => {
      const words = ['REPLCONF', 'capa', 'eof', 'capa', 'psync2']
      return config.get('repl-ack-period') > 0 ? [...words, 'capa', 'ack'] : words
    },
    judge: (reply) => optional(reply, 'capa'),
  },
  {
    name: 'filter',
    // A Tandem then leaves out the rest itself; a redis-server does not understand. A proxy has to follow the whole stream:
    // what its upstream says of its offset is of that one.
    request: (config) => {
      const keys = config.get('proxy-upstream') === '' ? (partOf(config)?.keysAlone ?? '') : ''
      return keys === '' ? null : ['REPLCONF', 'tandem-filter-keys', keys]
    },
    judge: () => GO_ON,
  },
]

function optional(reply: string, option: string): { warning?: string } {
  if (!reply.startsWith('-')) return GO_ON
  return { warning: `(Non critical) Master does not understand REPLCONF ${option}: ${reply}` }
}

export type PsyncAnswer =
  | { kind: 'full'; replid: string; offset: number }
  | { kind: 'continue'; replid: string }
  | { kind: 'later'; reply: string }
  | { kind: 'unsupported'; reply: string }
  | { kind: 'wrong'; reply: string }

/** redis 7.0.15 replication.c slaveTryPartialResynchronization */
export function readPsyncAnswer(reply: string): PsyncAnswer {
  if (reply.startsWith('+FULLRESYNC')) {
    const found = /^\+FULLRESYNC ([0-9a-fA-F]{40}) (\d+)\s*$/.exec(reply)
    if (found === null) return { kind: 'wrong', reply }
    return { kind: 'full', replid: found[1]!.toLowerCase(), offset: Number(found[2]) }
  }
  if (reply.startsWith('+CONTINUE')) {
    const found = /^\+CONTINUE ([0-9a-fA-F]{40})/.exec(reply)
    return { kind: 'continue', replid: found === null ? '' : found[1]!.toLowerCase() }
  }
  if (reply.startsWith('-NOMASTERLINK') || reply.startsWith('-LOADING')) return { kind: 'later', reply }
  return { kind: 'unsupported', reply }
}
