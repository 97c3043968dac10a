/**
 * What `ps` shows: proc-title-template filled in. Linux keeps a title in the memory of the arguments that the process was
 * started with, so a long one is cut off there.
 * redis 7.0.15 server.c redisSetProcTitle, redisProcTitleGetVariable
 */
import type { Config } from '../config/config.ts'

function variables(config: Config): Record<string, string | number> {
  const port = config.get('port')
  const tlsPort = config.get('tls-port')
  const unixSocket = config.get('unixsocket')
  const address = config.get('bind')[0] ?? '*'
  return {
    title: 'tandem',
    'listen-addr': port || tlsPort ? `${address}:${port || tlsPort}` : `unixsocket:${unixSocket}`,
    'server-mode': '',
    'config-file': config.file || '-',
    port,
    'tls-port': tlsPort,
    unixsocket: unixSocket,
  }
}

/** Sets the title now and whenever one of its parts changes. For a process that is only a server. */
export function showProcessTitle(config: Config): void {
  if (!config.get('set-proc-title')) return
  const show = () => {
    const values = variables(config)
    process.title = config
      .get('proc-title-template')
      .replace(/\{([a-z-]+)\}/g, (_, name) => String(values[name]))
      .trim()
  }
  for (const name of ['proc-title-template', 'port', 'bind'] as const) config.on(name, show)
  show()
}
