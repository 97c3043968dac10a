/** The commands of Redis's group "stream". */
import { group } from '../define.ts'
import { xadd } from './add.ts'
import { xautoclaim, xclaim } from './claim.ts'
import { xack, xgroup } from './group.ts'
import { xinfo } from './info.ts'
import { xpending } from './pending.ts'
import { xlen, xrange, xrevrange } from './range.ts'
import { xread, xreadgroup } from './read.ts'
import { xdel, xsetid, xtrim } from './remove.ts'

export default group('stream', [
  xack,
  xadd,
  xautoclaim,
  xclaim,
  xdel,
  xgroup,
  xinfo,
  xlen,
  xpending,
  xrange,
  xread,
  xreadgroup,
  xrevrange,
  xsetid,
  xtrim,
])
