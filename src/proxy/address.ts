/**
 * Where the upstream is, from its URL: `redis://[user:password@]host[:port][/db]`, or through Sentinel
 * `sentinel://[user:password@]host[:port],host[:port]…/name[/db]` (the user is that of the server, not of the Sentinels).
 * By TLS: `rediss://…`, and `rediss+sentinel://…`, where the Sentinels are asked by TLS too. A Redis Cluster:
 * `cluster://[user:password@]host[:port],host[:port]…`, some of its nodes; `rediss+cluster://…` by TLS.
 */

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface UpstreamAddress {
  /** The server itself; null if Sentinels have to be asked. */
  readonly server: Endpoint | null
  readonly sentinels: readonly Endpoint[]
  /** Some nodes of a cluster; none if it is not one. */
  readonly nodes: readonly Endpoint[]
  /** Name of the group at the Sentinels. */
  readonly name: string
  readonly user: string
  readonly password: string
  readonly database: number
  /** All connections are by TLS. */
  readonly tls: boolean
}

const REDIS_PORT = 6379
const SENTINEL_PORT = 26379
const URL_FORM =
  /^(redis|rediss|(?:rediss\+)?sentinel|(?:rediss\+)?cluster):\/\/(?:([^:@/]*)(?::([^@]*))?@)?([^/]+)((?:\/[^/]*)*)$/

/** An error text if it is none. */
export function parseUpstream(text: string): UpstreamAddress | string {
  const found = URL_FORM.exec(text)
  if (found === null)
    return 'the upstream must be redis://[user:password@]host[:port][/db], sentinel://host:port,…/name or cluster://host:port,…'
  const [, scheme, user = '', password = '', hosts = '', rest = ''] = found
  const isSentinel = scheme!.endsWith('sentinel')
  const isCluster = scheme!.endsWith('cluster')
  const path = rest.split('/').slice(1)
  const name = isSentinel ? (path.shift() ?? '') : ''
  if (isSentinel && name === '') return 'a sentinel:// upstream needs the name of the group: sentinel://host:port/name'
  const database = path[0] === undefined || path[0] === '' ? 0 : Number(path[0])
  if (!Number.isInteger(database) || database < 0) return `'${path[0]}' is no number of a database`
  if (isCluster && database !== 0) return 'a cluster has database 0 only'
  const endpoints: Endpoint[] = []
  for (const one of hosts.split(',')) {
    const endpoint = parseEndpoint(one, isSentinel ? SENTINEL_PORT : REDIS_PORT)
    if (endpoint === undefined) return `'${one}' is no host and port`
    endpoints.push(endpoint)
  }
  if (!isSentinel && !isCluster && endpoints.length > 1) return 'several hosts need sentinel:// or cluster://'
  try {
    return {
      server: isSentinel || isCluster ? null : endpoints[0]!,
      sentinels: isSentinel ? endpoints : [],
      nodes: isCluster ? endpoints : [],
      name: decodeURIComponent(name),
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      database,
      tls: scheme!.startsWith('rediss'),
    }
  } catch {
    return 'the upstream has a % that is no escape'
  }
}

function parseEndpoint(text: string, defaultPort: number): Endpoint | undefined {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  if (found === null) return undefined
  const port = found[3] === undefined ? defaultPort : Number(found[3])
  return port > 0 && port < 65536 ? { host: found[1] ?? found[2]!, port } : undefined
}

export function checkUpstream(value: string): string | undefined {
  const parsed = value === '' ? undefined : parseUpstream(value)
  return typeof parsed === 'string' ? parsed : undefined
}
