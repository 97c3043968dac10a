/**
 * Sequences on which Tandem once differed from redis-server 7.0.15, as the generated test prints them, made small. They are
 * played before anything is generated.
 */
import { PAYLOADS } from './payloads.ts'

export interface Regression {
  name: string
  protocol: 2 | 3
  steps: string[][]
}

export const REGRESSIONS: readonly Regression[] = [
  {
    name: 'a subcommand called like one that is never queued',
    protocol: 2,
    steps: [['MULTI'], ['SLOWLOG', 'RESET'], ['CLUSTER', 'RESET'], ['DISCARD']],
  },
  {
    name: 'a NUL byte in an unknown option of EXPIRE',
    protocol: 2,
    steps: [['PEXPIRE', 'a', 'a', 'k\0']],
  },
  {
    name: 'a NUL byte in the cursor of SSCAN, and in an unknown option of FUNCTION LOAD',
    protocol: 3,
    steps: [
      ['SSCAN', 'a', '\0'],
      ['FUNCTION', 'LOAD', 'b\0c', 'a'],
    ],
  },
  {
    name: 'the result of BITOP is no number and not embedded',
    protocol: 2,
    steps: [
      ['APPEND', 'n1', '2'],
      ['BITOP', 'AND', 'n1', 'n1'],
      ['OBJECT', 'ENCODING', 'n1'],
    ],
  },
  {
    name: 'SORT unpacks a sorted set, whose scores then have a sign of zero',
    protocol: 3,
    steps: [
      ['ZADD', 'z1', '1', 'a'],
      ['SORT_RO', 'z1'],
      ['OBJECT', 'ENCODING', 'z1'],
      ['ZADD', 'z1', '-0', 'b'],
      ['ZRANGE', 'z1', '0', '-1', 'WITHSCORES'],
    ],
  },
  {
    name: 'SORT ALPHA compares up to a NUL byte',
    protocol: 2,
    steps: [
      ['RPUSH', 'l3', '\0', '', 'a\0b', 'a'],
      ['SORT', 'l3', 'ALPHA'],
      ['SORT', 'l3', 'ALPHA', 'DESC'],
      ['SORT', 'l3', 'ALPHA', 'STORE', 'l4'],
    ],
  },
  {
    name: 'LIMIT of a range of ranks',
    protocol: 2,
    steps: [
      ['ZADD', 'z', '1', 'a', '2', 'b'],
      ['ZRANGE', 'z', '0', '1', 'LIMIT', '1', '-1'],
      ['ZRANGESTORE', 'd', 'z', '0', '1', 'LIMIT', '2', '-1'],
    ],
  },
  {
    name: 'a NUL byte in an unknown argument of FUNCTION LIST',
    protocol: 2,
    steps: [['FUNCTION', 'LIST', 'a\0b']],
  },
  {
    name: 'a time to live beyond 64 bits in RESTORE',
    protocol: 2,
    steps: [
      ['RESTORE', 'k', '9223372036854775807', Buffer.from(PAYLOADS[0]!, 'base64').toString('latin1')],
      ['EXISTS', 'k'],
    ],
  },
  {
    name: 'a number of keys beyond 32 bits',
    protocol: 2,
    steps: [
      ['COMMAND', 'GETKEYSANDFLAGS', 'FCALL', '', '9007199254740993', 'a'],
      ['COMMAND', 'GETKEYS', 'EVAL', '', '4294967297', 'a', 'b'],
      ['COMMAND', 'GETKEYS', 'EVAL', '', '4294967295', 'a', 'b'],
      ['COMMAND', 'GETKEYS', 'ZUNION', '4294967298', 'a', 'b'],
      ['EVAL', 'return 1', '4294967297', 'a'],
      ['ZUNION', '4294967298', 'a', 'b'],
    ],
  },
]
