/** The commands of Redis's group "list". */
import { group } from '../define.ts'
import { linsert, lrem, lset, ltrim } from './change.ts'
import { blmove, brpoplpush, lmove, rpoplpush } from './move.ts'
import { blmpop, blpop, brpop, lmpop, lpop, rpop } from './pop.ts'
import { lpush, lpushx, rpush, rpushx } from './push.ts'
import { lindex, llen, lpos, lrange } from './read.ts'

export default group('list', [
  lpush,
  rpush,
  lpushx,
  rpushx,
  lpop,
  rpop,
  llen,
  lrange,
  lindex,
  lpos,
  lset,
  lrem,
  ltrim,
  linsert,
  lmove,
  rpoplpush,
  lmpop,
  blpop,
  brpop,
  blmove,
  brpoplpush,
  blmpop,
])
