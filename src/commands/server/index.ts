/** The commands of Redis's group "server", and TANDEM. */
import { group } from '../define.ts'
import { acl } from './acl.ts'
import { commandCommand } from './command.ts'
import { config } from './config.ts'
import { debug } from './debug.ts'
import { failover } from './failover.ts'
import { info } from './info.ts'
import { dbsize, flushall, flushdb, restoreAsking, swapdb } from './keyspace.ts'
import { latency } from './latency.ts'
import { lolwut } from './lolwut.ts'
import { memory } from './memory.ts'
import { moduleCommand } from './module.ts'
import { monitor } from './monitor.ts'
import { bgrewriteaof, bgsave, lastsave, save } from './persistence.ts'
import { replicaof, slaveof } from './replicaof.ts'
import { psync, replconf, sync } from './replication.ts'
import { role } from './role.ts'
import { shutdown } from './shutdown.ts'
import { slowlog } from './slowlog.ts'
import { tandem } from './tandem.ts'
import { time } from './time.ts'

export default group('server', [
  acl,
  bgrewriteaof,
  bgsave,
  commandCommand,
  config,
  dbsize,
  debug,
  flushall,
  flushdb,
  info,
  lastsave,
  latency,
  lolwut,
  memory,
  moduleCommand,
  monitor,
  psync,
  replconf,
  replicaof,
  restoreAsking,
  role,
  save,
  shutdown,
  slaveof,
  slowlog,
  swapdb,
  failover,
  sync,
  tandem,
  time,
])
