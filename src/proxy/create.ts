/**
 * Makes a server a proxy: finds the server behind proxy-upstream, has replication follow it, and puts the proxy into the
 * path of calls for as long as this server is a replica. REPLICAOF with another primary takes the proxy along (which is
 * how Sentinels that watch it move it); REPLICAOF NO ONE makes it a primary with all of the data.
 */
import type { Client } from '../commands/client.ts'
import { ConfigError } from '../config/redis-conf.ts'
import type { Engine } from '../engine/engine.ts'
import type { Replication } from '../replication/replication.ts'
import { NO_TLS, TLS_OPTIONS, type TlsContexts } from '../tls/contexts.ts'
import { anyName, ownName, type Tls } from '../tls/dial.ts'
import { type Endpoint, parseUpstream, type UpstreamAddress } from './address.ts'
import { ClusterProxy } from './cluster/cluster-proxy.ts'
import { ReplicatingProxy } from './proxy.ts'
import { Sentinels } from './sentinels.ts'

export class ProxySetup {
  #engine: Engine
  #replication: Replication
  #address: UpstreamAddress
  #proxy: ReplicatingProxy | ClusterProxy | null = null
  #sentinels: Sentinels | null = null

  constructor(engine: Engine, replication: Replication, address: UpstreamAddress, tls: (() => Tls) | null) {
    this.#engine = engine
    this.#replication = replication
    this.#address = address
    const { config } = engine
    if (address.password !== '') {
      config.setDerived('masteruser', address.user)
      config.setDerived('masterauth', address.password)
    }
    // An election would make it a primary that nobody writes to.
    if (!config.isExplicit('replica-priority')) config.setDerived('replica-priority', 0)
    // What the upstream lost is lost here too: writes go there, and reads must not tell of another past.
    if (!config.isExplicit('repl-guard-shrink')) config.setDerived('repl-guard-shrink', 0)
    if (tls !== null) replication.tls = tls
    replication.onLink = () => this.#linkChanged()
  }

  /** Where the upstream is; waits for Sentinels to say. */
  async findUpstream(): Promise<void> {
    const { name, nodes, sentinels, server } = this.#address
    const engine = this.#engine
    if (nodes.length > 0) {
      // Keys past their time are kept until their shard removes them, also those of a former life.
      engine.isReplica = true
      this.#proxy = new ClusterProxy(engine, this.#replication, this.#address)
      engine.proxy = this.#proxy
      return
    }
    let endpoint: Endpoint
    if (server === null) {
      this.#sentinels = new Sentinels(sentinels, name, this.#replication.tls(), (text) => engine.log('notice', text))
      endpoint = await this.#sentinels.find()
      this.#sentinels.follow((moved) => this.#follow(moved))
    } else {
      endpoint = server
    }
    engine.config.setDerived('replicaof', `${endpoint.host} ${endpoint.port}`)
    const proxy = new ReplicatingProxy(engine, this.#replication, this.#address, endpoint)
    proxy.onUpstreamDown = () => this.#sentinels?.ask()
    this.#proxy = proxy
    engine.proxy = proxy
  }

  /** The data set of a former life, if there is one, has been loaded, and the primary is followed. */
  start(): void {
    if (this.#proxy instanceof ClusterProxy) {
      this.#replication.merge(this.#proxy.cluster)
      this.#proxy.start()
      return
    }
    this.#proxy?.start(this.#engine.store.keys > 0)
    this.#linkChanged()
  }

  #follow({ host, port }: Endpoint): void {
    const { upstream } = this.#replication
    if (upstream === null || (upstream.host === host && upstream.port === port)) return
    this.#engine.log('warning', `The upstream is ${host}:${port} now`)
    this.#replication.follow(host, port)
  }

  #linkChanged(): void {
    if (this.#proxy === null || this.#proxy instanceof ClusterProxy) return
    this.#engine.proxy = this.#replication.role === 'slave' ? this.#proxy : null
    this.#proxy.linkChanged()
  }

  batchEnded(): void {
    this.#proxy?.batchEnded()
  }

  applied(): void {
    if (this.#proxy instanceof ReplicatingProxy) this.#proxy.applied()
  }

  clientGone(client: Client): void {
    this.#proxy?.clientGone(client)
  }

  cron(): void {
    this.#proxy?.cron()
  }

  stop(): void {
    this.#sentinels?.stop()
    this.#proxy?.stop()
    this.#engine.proxy = null
  }
}

/** Null unless proxy-upstream is set. */
export function createProxy(
  engine: Engine,
  replication: Replication,
  clients: { firstDatabase: number },
  contexts: TlsContexts,
): ProxySetup | null {
  const text = engine.config.get('proxy-upstream')
  if (text === '') return null
  const address = parseUpstream(text)
  if (typeof address === 'string')
    throw new ConfigError(address, `*** FATAL CONFIG FILE ERROR: proxy-upstream: ${address}`)
  const none = `there is no database ${address.database}`
  if (address.database >= engine.config.get('databases'))
    throw new ConfigError(none, `*** FATAL CONFIG FILE ERROR: proxy-upstream: ${none}`)
  clients.firstDatabase = address.database
  return new ProxySetup(engine, replication, address, address.tls ? urlTls(engine, contexts) : null)
}

/** For an upstream by TLS. Made anew when a directive changes; one that cannot be used leaves the old one in force. */
function urlTls(engine: Engine, contexts: TlsContexts): () => Tls {
  let made: Tls = null
  const make = () => {
    const context = contexts.forUrl()
    if (context !== null) made = contexts.hasAuthorities ? anyName(context) : ownName(context)
    return context !== null
  }
  if (!make())
    throw new ConfigError('TLS', '*** FATAL CONFIG FILE ERROR: the tls-* directives cannot be used for proxy-upstream')
  engine.config.onApply(TLS_OPTIONS, () => (make() ? undefined : NO_TLS))
  return () => made
}
