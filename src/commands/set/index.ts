/** The commands of Redis's group "set". */
import { group } from '../define.ts'
import { sadd, scard, sismember, smembers, smismember, smove, srem, sscan } from './basics.ts'
import { sdiff, sdiffstore, sinter, sintercard, sinterstore, sunion, sunionstore } from './operations.ts'
import { spop, srandmember } from './random.ts'

export default group('set', [
  sadd,
  srem,
  smembers,
  scard,
  sismember,
  smismember,
  spop,
  srandmember,
  smove,
  sinter,
  sintercard,
  sinterstore,
  sunion,
  sunionstore,
  sdiff,
  sdiffstore,
  sscan,
])
