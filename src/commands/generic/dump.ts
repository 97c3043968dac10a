/** DUMP and RESTORE: one value as RDB bytes with a version and a checksum. redis 7.0.15 cluster.c dumpCommand, restoreCommand */
import { hashBytes } from '../../bytes/siphash.ts'
import { formatInteger, NOTIFY_GENERIC } from '../../config/units.ts'
import type { Argument as Bytes } from '../../effects/effects.ts'
import { dumpValue, type RestoredValue, restoreValue, storeRestored } from '../../rdb/dump-payload.ts'
import { RdbError } from '../../rdb/format.ts'
import { clockOfFrequency, clockOfIdle } from '../../store/access-clock.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { isAlreadyExpired, keyAdded, removeKey } from './lookup.ts'

const UNSET = -1
const INT64_LIMIT = 2 ** 63

function runDump(call: Call): void {
  const ref = call.lookupRead(1)
  if (ref === 0) {
    call.reply.nullBulk()
    return
  }
  call.reply.bulkReference(dumpValue(call.store, ref, call.host.config.get('rdbcompression')))
}

interface RestoreOptions {
  replaces: boolean
  isAbsolute: boolean
  /** Seconds, or UNSET. */
  idle: number
  /** LFU counter, or UNSET. */
  frequency: number
}

function restoreOptions(call: Call): RestoreOptions | undefined {
  const { args } = call
  const options: RestoreOptions = { replaces: false, isAbsolute: false, idle: UNSET, frequency: UNSET }
  for (let i = 4; i < args.argc; i++) {
    const hasValue = i + 1 < args.argc
    if (args.is(i, 'REPLACE')) {
      options.replaces = true
    } else if (args.is(i, 'ABSTTL')) {
      options.isAbsolute = true
    } else if (args.is(i, 'IDLETIME') && hasValue && options.frequency === UNSET) {
      const idle = call.integer(++i)
      if (idle === undefined) return undefined
      if (idle < 0) {
        call.error('ERR Invalid IDLETIME value, must be >= 0')
        return undefined
      }
      options.idle = idle
    } else if (args.is(i, 'FREQ') && hasValue && options.idle === UNSET) {
      const frequency = call.integer(++i)
      if (frequency === undefined) return undefined
      if (frequency < 0 || frequency > 255) {
        call.error('ERR Invalid FREQ value, must be >= 0 and <= 255')
        return undefined
      }
      options.frequency = frequency
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** The payload's value; undefined after the error. */
function parsePayload(call: Call): RestoredValue | undefined {
  try {
    const value = restoreValue(call.args.view(3), call.host.debug.skipChecksums)
    if (value === undefined) call.error('ERR DUMP payload version or checksum are wrong')
    return value
  } catch (error) {
    if (!(error instanceof RdbError)) throw error
    call.host.log('warning', `RESTORE: ${error.message}`)
    call.error('ERR Bad data format')
    return undefined
  }
}

export function runRestore(call: Call): void {
  const { args, db, reply } = call
  const options = restoreOptions(call)
  if (options === undefined) return
  if (!options.replaces && call.lookupWrite(1) !== 0) {
    call.error(errors.busyKey)
    return
  }
  const ttl = call.integer(2)
  if (ttl === undefined) return
  if (ttl < 0) {
    call.error('ERR Invalid TTL value, must be >= 0')
    return
  }
  const value = parsePayload(call)
  if (value === undefined) return
  const hash = hashBytes(args.buf, args.start(1), args.end(1))
  const old = options.replaces ? db.find(hash, args.buf, args.start(1), args.end(1)) : 0
  if (old !== 0) removeKey(call, db, hash, old, 1)
  const relative = ttl + call.now
  // Beyond 64 bits the sum is negative, so in the past.
  const expireAt = ttl === 0 ? NO_EXPIRE : options.isAbsolute ? ttl : relative >= INT64_LIMIT ? -1 : relative
  if (ttl !== 0 && isAlreadyExpired(call, expireAt)) {
    if (old !== 0) {
      call.propagateAs('DEL', args.view(1))
      call.changed(1, NOTIFY_GENERIC, 'del')
    }
    reply.ok()
    return
  }
  const ref = storeRestored(db, hash, args.view(1), value, expireAt)
  setAccess(call, ref, options)
  keyAdded(call, db, 1)
  if (ttl !== 0 && !options.isAbsolute) propagateAbsolute(call, expireAt)
  call.changed(1, NOTIFY_GENERIC, 'restore')
  reply.ok()
}

/** redis 7.0.15 object.c objectSetLRUOrLFU */
function setAccess(call: Call, ref: number, options: RestoreOptions): void {
  if (options.idle === UNSET && options.frequency === UNSET) return
  if (call.host.config.get('maxmemory-policy').endsWith('-lfu')) {
    if (options.frequency !== UNSET) call.store.setClock(ref, clockOfFrequency(options.frequency, call.now))
  } else if (options.idle !== UNSET) {
    call.store.setClock(ref, clockOfIdle(options.idle, call.now))
  }
}

function propagateAbsolute(call: Call, expireAt: number): void {
  const parts: Bytes[] = call.args.toArguments()
  parts[2] = formatInteger(expireAt)
  parts.push('ABSTTL')
  call.propagateAs(...parts)
}

export const dump = command({
  name: 'dump',
  arity: 2,
  since: '2.6.0',
  summary: 'Return a serialized version of the value stored at the specified key.',
  complexity:
    'O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis ' +
    'objects composing the value and M their average size. For small string values the time complexity ' +
    'is thus O(1)+O(1*M) where M is small, so simply O(1).',
  flags: ['readonly'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: runDump,
})

export const restore = command({
  name: 'restore',
  arity: -4,
  since: '2.6.0',
  summary: 'Create a key using the provided serialized value, previously obtained using DUMP.',
  complexity:
    'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is ' +
    'the number of Redis objects composing the value and M their average size. For small string values ' +
    'the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set ' +
    'values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).',
  history: [
    ['3.0.0', 'Added the `REPLACE` modifier.'],
    ['5.0.0', 'Added the `ABSTTL` modifier.'],
    ['5.0.0', 'Added the `IDLETIME` and `FREQ` options.'],
  ],
  flags: ['write', 'denyoom'],
  acl: ['keyspace', 'dangerous'],
  keys: [key(1, 'OW', 'UPDATE')],
  args: [
    arg.key(),
    arg.integer('ttl'),
    arg.string('serialized-value'),
    arg.token('REPLACE', { since: '3.0.0', optional: true }),
    arg.token('ABSTTL', { since: '5.0.0', optional: true }),
    arg.integer('seconds', { token: 'IDLETIME', since: '5.0.0', optional: true }),
    arg.integer('frequency', { token: 'FREQ', since: '5.0.0', optional: true }),
  ],
  run: runRestore,
})
