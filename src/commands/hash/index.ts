/** The commands of Redis's group "hash". */
import { group } from '../define.ts'
import { hrandfield } from './random.ts'
import { hexists, hget, hgetall, hkeys, hlen, hmget, hscan, hstrlen, hvals } from './read.ts'
import { hdel, hincrby, hincrbyfloat, hmset, hset, hsetnx } from './write.ts'

export default group('hash', [
  hset,
  hget,
  hdel,
  hgetall,
  hlen,
  hexists,
  hmget,
  hmset,
  hkeys,
  hvals,
  hsetnx,
  hincrby,
  hincrbyfloat,
  hstrlen,
  hscan,
  hrandfield,
])
