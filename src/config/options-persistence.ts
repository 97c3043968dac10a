/** Options of dumps and append-only files. They follow redis 7.0.15 config.c static_configs. */
import { checkAppendDirname, checkAppendFilename, checkDbFilename } from './checks.ts'
import {
  bool,
  choice,
  HIDDEN,
  IMMUTABLE,
  INT_MAX,
  INT_MIN,
  integer,
  LLONG_MAX,
  memory,
  special,
  text,
} from './option.ts'

const MB = 1024 * 1024

export const PERSISTENCE_OPTIONS = [
  special(
    'save',
    [
      { seconds: 3600, changes: 1 },
      { seconds: 300, changes: 100 },
      { seconds: 60, changes: 10000 },
    ],
    'Save after so many seconds if there were so many changes',
  ),
  text('dbfilename', 'dump.rdb', 'Name of the dump in dir', { protected: true, check: checkDbFilename }),
  bool('rdbcompression', true, 'Compresses strings of a dump'),
  bool('rdbchecksum', true, 'Checksum at the end of a dump', IMMUTABLE),
  bool('rdb-del-sync-files', false, 'Removes dumps that were made for replication only'),
  bool('rdb-save-incremental-fsync', true, 'Flushes a dump to disk while it is written'),
  bool('stop-writes-on-bgsave-error', true, 'Refuses writes after a background save failed'),
  choice('sanitize-dump-payload', 'no', ['no', 'yes', 'clients'], 'Checks the inside of values that are loaded'),
  integer('rdb-key-save-delay', 0, INT_MIN, INT_MAX, 'For tests: slows a save down', {
    hidden: true,
    unit: 'microseconds',
  }),
  integer('key-load-delay', 0, INT_MIN, INT_MAX, 'For tests: slows loading down', {
    hidden: true,
    unit: 'microseconds',
  }),
  integer('loading-process-events-interval-bytes', 2 * MB, 1024, INT_MAX, 'Loads so much between events', HIDDEN),

  bool('appendonly', false, 'Logs each write to the append-only file', { denyLoading: true }),
  text('appendfilename', 'appendonly.aof', 'Base name of append-only files', {
    immutable: true,
    check: checkAppendFilename,
  }),
  text('appenddirname', 'appendonlydir', 'Directory of append-only files in dir', {
    immutable: true,
    check: checkAppendDirname,
  }),
  choice('appendfsync', 'everysec', ['everysec', 'always', 'no'], 'When the append-only file is flushed to disk'),
  bool('no-appendfsync-on-rewrite', false, 'No flush to disk while a dump or a rewrite runs'),
  integer('auto-aof-rewrite-percentage', 100, 0, INT_MAX, 'Growth in percent that starts a rewrite; 0 never'),
  memory('auto-aof-rewrite-min-size', 64 * MB, 0, LLONG_MAX, 'Smaller append-only files are not rewritten'),
  bool('aof-rewrite-incremental-fsync', true, 'Flushes a rewrite to disk while it is written'),
  bool('aof-load-truncated', true, 'Loads an append-only file whose end is cut off'),
  bool('aof-use-rdb-preamble', true, 'A rewritten append-only file begins with a dump'),
  bool('aof-timestamp-enabled', false, 'Times in the append-only file'),
  bool('aof-disable-auto-gc', false, 'Keeps append-only files that are no longer used'),
] as const
