/** The commands of Redis's group "string". */
import { group } from '../define.ts'
import { get, getdel, getset, mget, strlen } from './get.ts'
import { decr, decrby, incr, incrby, incrbyfloat } from './incr.ts'
import { lcs } from './lcs.ts'
import { mset, msetnx } from './mset.ts'
import { append, getrange, setrange, substr } from './range.ts'
import { getex, psetex, set, setex, setnx } from './set.ts'

export default group('string', [
  append,
  decr,
  decrby,
  get,
  getdel,
  getex,
  getrange,
  getset,
  incr,
  incrby,
  incrbyfloat,
  lcs,
  mget,
  mset,
  msetnx,
  psetex,
  set,
  setex,
  setnx,
  setrange,
  strlen,
  substr,
])
