/**
 * What the nodes of a cluster say of it (CLUSTER NODES): who is a primary, whose replica everybody is, which slots belong
 * to whom. A node that is cut off has an old view, so all are asked and the view with the highest epochs counts: a
 * failover and each slot that changed hands make one higher. Each is asked over a connection of its own, which is closed
 * again: this happens once a second and after a redirection.
 */
import Parser from 'redis-parser'
import { Request } from '../../resp/request.ts'
import { connectedEvent, dial, type Tls } from '../../tls/dial.ts'
import type { Endpoint } from '../address.ts'

const TIMEOUT_MS = 2000

export interface Node extends Endpoint {
  readonly id: string
  readonly isPrimary: boolean
  readonly isFailed: boolean
  /** Id of its primary; '' if it is one. */
  readonly primaryId: string
  readonly epoch: number
  /** First and last of each range. */
  readonly slots: readonly (readonly [number, number])[]
}

export interface Login {
  readonly user: string
  readonly password: string
}

/** The answers to requests sent in one piece to a node; rejects if they do not come. */
export function ask(to: Endpoint, tls: Tls, login: Login, requests: readonly string[][]): Promise<unknown[]> {
  const { user, password } = login
  const auth = password === '' ? [] : [user === '' ? ['AUTH', password] : ['AUTH', user, password]]
  const all = [...auth, ...requests]
  return new Promise((resolve, reject) => {
    const replies: unknown[] = []
    const end = (error: Error | null) => {
      clearTimeout(timer)
      socket.destroy()
      if (error === null) resolve(replies.slice(auth.length))
      else reject(error)
    }
    const take = (reply: unknown) => {
      if (reply instanceof Error) return end(reply)
      replies.push(reply)
      if (replies.length === all.length) end(null)
    }
    const parser = new Parser({ returnReply: take, returnError: take, returnFatalError: end })
    const socket = dial({ host: to.host, port: to.port }, tls, (chunk) => parser.execute(chunk))
    const timer = setTimeout(() => end(new Error('it does not reply')), TIMEOUT_MS)
    socket.on(connectedEvent(tls), () => socket.write(Buffer.concat(all.map((request) => Request.of(request).buf))))
    socket.on('error', end)
    socket.on('close', () => end(new Error('the connection was closed')))
  })
}

/** `id ip:port@cport[,hostname] flags primary ping pong epoch link slot …`; redis 7.0.15 cluster.c clusterGenNodeDescription */
export function parseNodes(text: string, asked: Endpoint): Node[] {
  const nodes: Node[] = []
  for (const line of text.split('\n')) {
    const [id, address, flagText, primary, , , epoch, , ...slots] = line.trim().split(' ')
    const found = /^(.*):(\d+)(?:@\d+)?(?:,.*)?$/.exec(address ?? '')
    if (id === undefined || found === null || flagText === undefined) continue
    const flags = flagText.split(',')
    if (flags.includes('handshake') || flags.includes('noaddr')) continue
    nodes.push({
      id,
      // A node that nobody has told its address does not know it.
      host: found[1] === '' ? asked.host : found[1]!,
      port: Number(found[2]),
      isPrimary: flags.includes('master'),
      isFailed: flags.includes('fail'),
      primaryId: primary === undefined || primary === '-' ? '' : primary,
      epoch: Number(epoch),
      slots: slots.flatMap((range) => {
        const bounds = /^(\d+)(?:-(\d+))?$/.exec(range)
        return bounds === null ? [] : [[Number(bounds[1]), Number(bounds[2] ?? bounds[1])] as const]
      }),
    })
  }
  return nodes
}

/** How new a view is: epochs only grow. */
function freshness(nodes: readonly Node[]): number {
  let sum = 0
  for (const node of nodes) if (node.isPrimary && !node.isFailed) sum += node.epoch
  return sum
}

/** The newest view that one of these has; undefined if none answers. `failed` gets the reasons. */
export async function view(
  endpoints: readonly Endpoint[],
  tls: Tls,
  login: Login,
  failed: (reason: string) => void,
): Promise<Node[] | undefined> {
  const views = await Promise.all(
    endpoints.map(async (endpoint) => {
      try {
        const [text] = await ask(endpoint, tls, login, [['CLUSTER', 'NODES']])
        return parseNodes(String(text), endpoint)
      } catch (error) {
        failed(`${endpoint.host}:${endpoint.port}: ${error instanceof Error ? error.message : String(error)}`)
        return []
      }
    }),
  )
  const withSlots = views.filter((nodes) => nodes.some((node) => node.slots.length > 0))
  return withSlots.sort((a, b) => freshness(b) - freshness(a))[0]
}
