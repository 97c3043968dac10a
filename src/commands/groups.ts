/** All commands, by Redis's groups. */
import bitmap from './bitmap/index.ts'
import cluster from './cluster/index.ts'
import connection from './connection/index.ts'
import type { Group } from './define.ts'
import generic from './generic/index.ts'
import geo from './geo/index.ts'
import hash from './hash/index.ts'
import hyperloglog from './hyperloglog/index.ts'
import list from './list/index.ts'
import pubsub from './pubsub/index.ts'
import scripting from './scripting/index.ts'
import server from './server/index.ts'
import set from './set/index.ts'
import sortedSet from './sorted-set/index.ts'
import stream from './stream/index.ts'
import string from './string/index.ts'
import transactions from './transactions/index.ts'

export const allGroups: readonly Group[] = [
  string,
  bitmap,
  generic,
  list,
  set,
  hash,
  sortedSet,
  stream,
  hyperloglog,
  geo,
  pubsub,
  transactions,
  connection,
  server,
  scripting,
  cluster,
]
