/** SORT and SORT_RO against redis-server: order, LIMIT, patterns, STORE. */
import { suite, test } from 'node:test'
import { differential, type Step } from '../support/differential.ts'

suite('SORT', () => {
  const data: Step[] = [
    'RPUSH list 3 1 2 10 1',
    'RPUSH words banana apple Cherry apple',
    'SADD intset 5 3 9 1',
    'SADD set b a c aa',
    'ZADD zset 3 a 1 b 2 c',
    'RPUSH floats 1.5 -2 1e3 0x10 inf -inf',
    'MSET w_1 30 w_2 20 w_3 10 w_10 x',
    'MSET w_a 3 w_b 2 w_c 1 name_1 one name_2 two name_3 three name_10 ten',
    'HSET h_1 f 3 g x',
    'HSET h_2 f 2',
    'HSET h_3 f 1',
    'SET string x',
  ]

  test('by value, by key and by hash field', async (t) => {
    await differential(t, [
      ...data,
      'SORT list',
      'SORT list DESC',
      'SORT list ALPHA',
      'SORT list ALPHA DESC',
      'SORT words',
      'SORT words ALPHA',
      'SORT floats',
      'SORT intset DESC',
      'SORT set ALPHA',
      'SORT zset ALPHA DESC',
      'SORT list BY w_*',
      'SORT list BY w_* ALPHA',
      'SORT zset BY w_*',
      'SORT zset BY w_* DESC',
      'SORT list BY h_*->f',
      'SORT list BY h_*->f DESC ALPHA',
      'SORT list BY h_*->missing',
      'SORT list BY missing_*',
      'SORT missing',
      'SORT string',
      'SORT_RO list',
      'SORT_RO zset BY w_* GET w_*',
    ])
  })

  test('in the order that it has, with LIMIT', async (t) => {
    await differential(t, [
      ...data,
      'SORT list BY nosort',
      'SORT list BY nosort DESC',
      'SORT zset BY nosort',
      'SORT zset BY nosort DESC',
      'SORT intset BY nosort',
      'SORT zset BY nosort DESC LIMIT 1 1',
      'SORT list BY nosort DESC LIMIT 1 2',
      ...['0 0', '0 1', '1 2', '-1 2', '2 -1', '4 10', '5 1', '100 1', '2 9223372036854775807'].map(
        (limit) => `SORT list LIMIT ${limit}`,
      ),
      'SORT list LIMIT x 1',
      'SORT list LIMIT 1 x',
      'SORT list LIMIT 1',
      'SORT missing LIMIT 1 1',
    ])
  })

  test('GET', async (t) => {
    await differential(t, [
      ...data,
      'SORT list GET name_*',
      'SORT list GET # GET name_* GET h_*->f GET missing_* GET constant',
      'SORT list BY nosort GET h_*->',
      'SORT list GET string->x',
      'SORT list GET h_*',
      'SORT list GET',
      'SORT list BY',
      'SORT list NOPE',
      'SORT_RO list STORE other',
    ])
  })

  test('STORE', async (t) => {
    await differential(t, [
      ...data,
      'SORT list STORE result',
      'LRANGE result 0 -1',
      'SORT list BY w_* GET # GET name_* GET missing_* STORE result',
      'SORT list STORE result',
      'LRANGE result 0 -1',
      'OBJECT ENCODING result',
      'PEXPIREAT list 9999999999999',
      'SORT list DESC STORE list',
      'LRANGE list 0 -1',
      'PTTL list',
      'SORT set BY nosort STORE sorted',
      'LRANGE sorted 0 -1',
      'SORT words ALPHA STORE string',
      'TYPE string',
      'SORT missing STORE string',
      'EXISTS string',
      'SORT missing STORE missing',
      'SORT list LIMIT 10 10 STORE result',
      'EXISTS result',
      'SORT words STORE result',
    ])
  })
})
