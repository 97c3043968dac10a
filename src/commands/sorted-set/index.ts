/** The commands of Redis's group "sorted set". */
import { group } from '../define.ts'
import { zadd, zincrby, zrem } from './add.ts'
import { zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore } from './operations.ts'
import { bzmpop, bzpopmax, bzpopmin, zmpop, zpopmax, zpopmin } from './pop.ts'
import { zrandmember } from './random.ts'
import {
  zcount,
  zlexcount,
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zremrangebylex,
  zremrangebyrank,
  zremrangebyscore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
} from './range.ts'
import { zcard, zmscore, zrank, zrevrank, zscan, zscore } from './read.ts'

export default group('sorted-set', [
  zadd,
  zrem,
  zscore,
  zmscore,
  zcard,
  zincrby,
  zrange,
  zrevrange,
  zrangebyscore,
  zrevrangebyscore,
  zrangebylex,
  zrevrangebylex,
  zcount,
  zlexcount,
  zrank,
  zrevrank,
  zpopmin,
  zpopmax,
  bzpopmin,
  bzpopmax,
  zscan,
  zremrangebyrank,
  zremrangebyscore,
  zremrangebylex,
  zrangestore,
  zunion,
  zinter,
  zdiff,
  zunionstore,
  zinterstore,
  zdiffstore,
  zintercard,
  zmpop,
  bzmpop,
  zrandmember,
])
