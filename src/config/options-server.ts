/**
 * Options of the process: directory, logs, signals, measures, access. They follow redis 7.0.15 config.c static_configs;
 * metrics-port, metrics-bind and ready-max-lag are Tandem's own.
 */
import { checkProcTitleTemplate } from './checks.ts'
import {
  bool,
  choice,
  flags,
  HIDDEN,
  IMMUTABLE,
  INT_MAX,
  integer,
  LLONG_MAX,
  MICROSECONDS,
  MILLISECONDS,
  SECONDS,
  SECRET,
  special,
  text,
} from './option.ts'

const NULL_AT_START = { immutable: true, emptyIsNull: true } as const
const PROTECTED_ACTION = ['no', 'yes', 'local'] as const
const SHUTDOWN_FLAGS = ['default', 'save', 'nosave', 'now', 'force'] as const
const SAVE_OR_NOT = ['save', 'nosave'] as const
const SAVE_AND_NOSAVE = "shutdown options SAVE and NOSAVE can't be used simultaneously"

export const SERVER_OPTIONS = [
  // The value is absolute; Config puts the directory of the process in at start.
  special('dir', '.', 'Directory of dumps, append-only files and relative paths', {
    protected: true,
    denyLoading: true,
  }),
  bool('daemonize', false, 'Run in the background', IMMUTABLE),
  text('pidfile', '', 'File with the process id', NULL_AT_START),
  text('logfile', '', 'Log file; empty is standard output', IMMUTABLE),
  choice('loglevel', 'notice', ['debug', 'verbose', 'notice', 'warning'], 'Least level that is logged'),
  bool('syslog-enabled', false, 'Log to syslog too', IMMUTABLE),
  text('syslog-ident', 'redis', 'Name in syslog', IMMUTABLE),
  choice(
    'syslog-facility',
    'local0',
    ['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
    'Facility in syslog',
    IMMUTABLE,
  ),
  choice('supervised', 'no', ['upstart', 'systemd', 'auto', 'no'], 'Tells a supervisor when it is ready', IMMUTABLE),
  bool('always-show-logo', false, 'Logo in the log', IMMUTABLE),
  bool('set-proc-title', true, 'Changes the title of the process', IMMUTABLE),
  text('proc-title-template', '{title} {listen-addr} {server-mode}', 'Title of the process', {
    check: checkProcTitleTemplate,
  }),
  text('ignore-warnings', '', 'Warnings that do not end the program'),
  integer('hz', 10, 0, INT_MAX, 'Background work per second', { clamp: { min: 1, max: 500 } }),
  bool('dynamic-hz', true, 'More background work with more clients'),
  integer('shutdown-timeout', 10, 0, INT_MAX, 'How long SHUTDOWN waits for replicas', SECONDS),
  flags('shutdown-on-sigint', SHUTDOWN_FLAGS, SAVE_OR_NOT, SAVE_AND_NOSAVE, 'How to shut down on SIGINT'),
  flags('shutdown-on-sigterm', SHUTDOWN_FLAGS, SAVE_OR_NOT, SAVE_AND_NOSAVE, 'How to shut down on SIGTERM'),
  bool('crash-log-enabled', true, 'Writes a report when it crashes'),
  bool('crash-memcheck-enabled', true, 'Tests memory when it crashes'),
  bool('use-exit-on-panic', false, 'Panic is exit() and not abort()', HIDDEN),
  integer('watchdog-period', 0, 0, INT_MAX, 'Reports event loop stalls; 0 off', { hidden: true, unit: 'milliseconds' }),
  bool('disable-thp', true, 'Turns transparent huge pages off', IMMUTABLE),
  bool('jemalloc-bg-thread', true, 'Returns memory in a thread of the allocator'),
  choice('oom-score-adj', 'no', ['no', 'yes', 'relative', 'absolute'], "Moves the process in the kernel's order", {
    synonyms: { relative: 'yes' },
  }),
  special('oom-score-adj-values', [0, 200, 800], 'Scores of a primary, a replica and a child process'),
  text('server_cpulist', '', 'Processors for the main thread', NULL_AT_START),
  text('bio_cpulist', '', 'Processors for background threads', NULL_AT_START),
  text('aof_rewrite_cpulist', '', 'Processors for AOF rewrites', NULL_AT_START),
  text('bgsave_cpulist', '', 'Processors for background saves', NULL_AT_START),

  integer('slowlog-log-slower-than', 10000, -1, LLONG_MAX, 'Slower commands are logged; -1 none', MICROSECONDS),
  integer('slowlog-max-len', 128, 0, LLONG_MAX, 'Entries kept in the slow log'),
  integer('latency-monitor-threshold', 0, 0, LLONG_MAX, 'Longer events are recorded; 0 none', MILLISECONDS),
  bool('latency-tracking', true, 'Histogram of the time of each command'),
  special('latency-tracking-info-percentiles', [50, 99, 99.9], 'Percentiles in INFO latencystats'),
  special('notify-keyspace-events', 0, 'Which events of keys are published'),
  integer('busy-reply-threshold', 5000, 0, LLONG_MAX, 'A script that runs longer makes others get -BUSY', {
    alias: 'lua-time-limit',
    unit: 'milliseconds',
  }),
  choice(
    'propagation-error-behavior',
    'ignore',
    ['ignore', 'panic', 'panic-on-replicas'],
    'What to do when a command of the stream fails',
  ),

  text('requirepass', '', 'Password of the default user', SECRET),
  text('aclfile', '', 'File of users', IMMUTABLE),
  choice('acl-pubsub-default', 'resetchannels', ['allchannels', 'resetchannels'], 'Channels of a new user'),
  integer('acllog-max-len', 128, 0, LLONG_MAX, 'Entries kept in the ACL log'),
  choice('enable-protected-configs', 'no', PROTECTED_ACTION, 'Who may set protected options', IMMUTABLE),
  choice('enable-debug-command', 'no', PROTECTED_ACTION, 'Who may use DEBUG', IMMUTABLE),
  choice('enable-module-command', 'no', PROTECTED_ACTION, 'Who may use MODULE', IMMUTABLE),

  integer('metrics-port', 9121, 0, 65535, 'HTTP port of /metrics and /healthz; 0 does not listen'),
  text('metrics-bind', '127.0.0.1', 'Address of /metrics and /healthz'),
  integer('ready-max-lag', 10000, 0, INT_MAX, 'A replica further behind is not ready in /healthz', MILLISECONDS),
] as const
