/** Random writes of `eu:…` and `us:…` keys of all types, many of which move data from one side of a filter to the other. */
import type { Argument } from './wire.ts'

export type Pick = <T>(of: readonly T[]) => T

/** Picks by this seed, always the same. */
export function picker(seed: number): Pick {
  let state = seed
  return (of) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return of[(state >>> 8) % of.length]!
  }
}

/** Some of them fail, which changes nothing anywhere. They also select one of these databases. */
export function crossingWrites(pick: Pick, databases: readonly number[]): (() => Argument[])[] {
  const any = (kind: string) => `${pick(['eu', 'us'])}:${kind}${pick([1, 2, 3])}`
  const some = () => any(pick(['k', 'l', 's', 'z', 'h']))
  return [
    () => ['SET', any('k'), pick(['a', 'b', 'c'])],
    () => ['SET', some(), pick(['a', 'b'])],
    () => ['SET', some(), pick(['d', 'e']), pick(['XX', 'NX', 'KEEPTTL'])],
    () => ['MSET', any('k'), '1', some(), '2', any('k'), '3'],
    () => ['MSETNX', any('k'), '1', any('k'), '2'],
    () => ['DEL', any('k'), any('l'), any('s')],
    () => ['UNLINK', any('z'), any('s')],
    () => ['RENAME', some(), some()],
    () => ['RENAMENX', some(), some()],
    () => ['COPY', some(), some(), 'REPLACE'],
    () => ['COPY', some(), some(), 'DB', pick([1, 2]), 'REPLACE'],
    () => ['MOVE', some(), pick([0, 1, 2])],
    () => ['SELECT', pick(databases)],
    () => ['RPUSH', any('l'), pick(['x', 'y']), 'z'],
    () => ['LMOVE', any('l'), any('l'), pick(['LEFT', 'RIGHT']), 'RIGHT'],
    () => ['LPOP', any('l')],
    () => ['SADD', any('s'), pick([1, 2, 3, 4]), pick(['m', 'n'])],
    () => ['SMOVE', any('s'), any('s'), pick([1, 2, 3, 4])],
    () => ['SPOP', any('s'), pick([1, 2])],
    () => ['SUNIONSTORE', any('s'), any('s'), any('s')],
    () => ['SDIFFSTORE', some(), any('s'), any('s')],
    () => ['ZADD', any('z'), pick([1, 2, 3]), pick(['a', 'b', 'c'])],
    () => ['ZUNIONSTORE', any('z'), 2, any(pick(['z', 's'])), any('z')],
    () => ['ZRANGESTORE', some(), any('z'), 0, -1],
    () => ['ZPOPMIN', any('z')],
    () => ['HSET', any('h'), pick(['f', 'g']), pick([1, 2])],
    () => ['HINCRBYFLOAT', any('h'), 'f', 1.5],
    () => ['SORT', any(pick(['l', 's'])), 'ALPHA', 'STORE', some()],
    () => ['APPEND', any('k'), 'x'],
    () => ['PEXPIRE', some(), 10_000_000],
    () => ['PERSIST', some()],
    () => ['BITOP', 'OR', some(), any('k'), any('k')],
    () => ['GETDEL', some()],
    () => ['EVAL', "redis.call('RENAME', KEYS[1], KEYS[2]) return redis.call('INCR', KEYS[1])", 2, some(), some()],
  ]
}
