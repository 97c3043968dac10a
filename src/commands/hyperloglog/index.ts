/** The commands of Redis's group "hyperloglog". */
import { group } from '../define.ts'
import { pfadd, pfmerge } from './add.ts'
import { pfcount } from './count.ts'
import { pfdebug } from './debug.ts'
import { pfselftest } from './selftest.ts'

export default group('hyperloglog', [pfadd, pfcount, pfdebug, pfmerge, pfselftest])
