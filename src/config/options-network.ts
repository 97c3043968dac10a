/** Options of sockets, TLS and clients. Names, limits and defaults follow redis 7.0.15 config.c static_configs. */
import {
  bool,
  choice,
  IMMUTABLE,
  INT_MAX,
  integer,
  LLONG_MAX,
  memory,
  NULLABLE,
  octal,
  SECONDS,
  special,
  text,
  UINT_MAX,
} from './option.ts'

const MB = 1024 * 1024
const TLS_FILE = { emptyIsNull: true, volatile: true } as const

export const NETWORK_OPTIONS = [
  // Redis's own default is `* -::*`; its redis.conf says what stands here. Who wants more than loopback says so.
  special('bind', ['127.0.0.1', '-::1'], 'Addresses to listen on; a leading - lets one be missing'),
  integer('port', 6379, 0, 65535, 'TCP port; 0 does not listen'),
  integer('tcp-backlog', 511, 0, INT_MAX, 'Length of the queue of connections not yet accepted', IMMUTABLE),
  integer('tcp-keepalive', 300, 0, INT_MAX, 'Idle time before TCP asks whether the client is there', SECONDS),
  integer('timeout', 0, 0, INT_MAX, 'Closes a client that is idle for longer; 0 never', SECONDS),
  bool('protected-mode', true, 'Only loopback may connect while the default user has no password'),
  text('unixsocket', '', 'Path of a Unix socket to listen on', { immutable: true, emptyIsNull: true }),
  octal('unixsocketperm', 0, 0, 0o777, 'Permissions of the Unix socket; 0 leaves them', IMMUTABLE),
  text('bind-source-addr', '', 'Local address of outgoing connections', NULLABLE),
  integer('socket-mark-id', 0, 0, UINT_MAX, 'Mark of sockets for routing and filters', IMMUTABLE),
  integer('maxclients', 10000, 1, UINT_MAX, 'Clients connected at the same time'),
  integer('io-threads', 1, 1, 128, 'Threads for sockets', IMMUTABLE),
  bool('io-threads-do-reads', false, 'Threads for sockets read and parse too', IMMUTABLE),

  memory('client-query-buffer-limit', 1024 * MB, MB, LLONG_MAX, 'Unparsed input of one client'),
  memory('proto-max-bulk-len', 512 * MB, MB, LLONG_MAX, 'Length of one argument'),
  special(
    'client-output-buffer-limit',
    {
      normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      replica: { hardBytes: 256 * MB, softBytes: 64 * MB, softSeconds: 60 },
      pubsub: { hardBytes: 32 * MB, softBytes: 8 * MB, softSeconds: 60 },
    },
    'Unsent replies of one client: at once, or for some seconds, by class of client',
  ),
  memory('maxmemory-clients', 0, -100, LLONG_MAX, 'Buffers of all clients, in bytes or percent of maxmemory', {
    percent: true,
  }),
  integer('tracking-table-max-keys', 1000000, 0, LLONG_MAX, 'Keys remembered for client-side caching'),

  integer('tls-port', 0, 0, 65535, 'TLS port; 0 does not listen'),
  integer('tls-session-cache-size', 20 * 1024, 0, INT_MAX, 'TLS sessions kept; 0 without limit'),
  integer('tls-session-cache-timeout', 300, 0, INT_MAX, 'How long a TLS session can be resumed', SECONDS),
  bool('tls-cluster', false, 'MIGRATE by TLS'),
  bool('tls-replication', false, 'TLS to the primary'),
  choice('tls-auth-clients', 'yes', ['no', 'yes', 'optional'], 'Whether clients show a certificate'),
  bool('tls-prefer-server-ciphers', false, "The server's order of ciphers counts"),
  bool('tls-session-caching', true, 'TLS sessions can be resumed'),
  text('tls-cert-file', '', 'Certificate', TLS_FILE),
  text('tls-key-file', '', 'Private key', TLS_FILE),
  text('tls-key-file-pass', '', 'Password of the private key', NULLABLE),
  text('tls-client-cert-file', '', 'Certificate for outgoing connections', TLS_FILE),
  text('tls-client-key-file', '', 'Private key for outgoing connections', TLS_FILE),
  text('tls-client-key-file-pass', '', 'Password of the private key for outgoing connections', NULLABLE),
  text('tls-dh-params-file', '', 'Diffie-Hellman parameters', TLS_FILE),
  text('tls-ca-cert-file', '', 'Certificates of authorities, one file', TLS_FILE),
  text('tls-ca-cert-dir', '', 'Certificates of authorities, a directory', TLS_FILE),
  text('tls-protocols', '', 'TLS versions to accept', NULLABLE),
  text('tls-ciphers', '', 'Ciphers up to TLS 1.2', NULLABLE),
  text('tls-ciphersuites', '', 'Ciphers of TLS 1.3', NULLABLE),
] as const
