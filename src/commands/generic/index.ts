/** The commands of Redis's group "generic": those that take a key of any type. */
import { group } from '../define.ts'
import { dump, restore } from './dump.ts'
import { expire, expireat, persist, pexpire, pexpireat } from './expire.ts'
import { del, exists, touch, type, unlink } from './keys.ts'
import { migrate } from './migrate.ts'
import { object } from './object.ts'
import { copy, move, rename, renamenx } from './rename.ts'
import { keys, randomkey, scan } from './scan.ts'
import { sort, sortRo } from './sort.ts'
import { expiretime, pexpiretime, pttl, ttl } from './ttl.ts'
import { wait, waitaof } from './wait.ts'

export default group('generic', [
  copy,
  del,
  dump,
  exists,
  expire,
  expireat,
  expiretime,
  keys,
  migrate,
  move,
  object,
  persist,
  pexpire,
  pexpireat,
  pexpiretime,
  pttl,
  randomkey,
  rename,
  renamenx,
  restore,
  scan,
  sort,
  sortRo,
  touch,
  ttl,
  type,
  unlink,
  wait,
  waitaof,
])
