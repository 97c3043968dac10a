/**
 * OBJECT. Encodings are told in Redis's words: a list is a quicklist whatever its size, and a string is int, embstr or raw
 * by its bytes. Reference counts do not exist here; small integers are said to be shared where Redis shares them, which
 * clients and tests look at. redis 7.0.15 object.c objectCommand
 */
import { parseInt64 } from '../../bytes/integers.ts'
import { frequency, idleSeconds } from '../../store/access-clock.ts'
import {
  ENCODING_LISTPACK,
  ENCODING_NAMES,
  ENCODING_RAW,
  ENCODING_TEXT,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
} from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { replyHelp } from '../help.ts'
import { lookupUnnoticed } from './lookup.ts'

const EMBSTR_MAX_BYTES = 44
const INTEGER_MAX_BYTES = 20
const SHARED_INTEGERS = 10_000
/** INT_MAX, which no reference changes. */
const SHARED_REFCOUNT = 0x7fffffff

const HELP = [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
]

const ADJUST =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.'

/** What OBJECT ENCODING and DEBUG OBJECT say of a record. */
export function encodingName(call: Call, ref: number): string {
  const { store } = call
  const type = store.type(ref)
  if (type === TYPE_LIST) return 'quicklist'
  const encoding = store.encoding(ref)
  // 7.0 has no packed sets of strings; here they are packed all the same.
  if (type === TYPE_SET && encoding === ENCODING_LISTPACK) return 'hashtable'
  if (type !== TYPE_STRING || encoding === ENCODING_RAW) return ENCODING_NAMES[encoding]!
  store.read(ref)
  const length = store.end - store.start
  if (
    encoding !== ENCODING_TEXT &&
    length <= INTEGER_MAX_BYTES &&
    parseInt64(store.bytes, store.start, store.end) !== undefined
  )
    return 'int'
  return length <= EMBSTR_MAX_BYTES ? 'embstr' : 'raw'
}

/** 1, or what Redis says of an integer that it shares among all keys. redis 7.0.15 object.c tryObjectEncoding */
export function referenceCount(call: Call, ref: number): number {
  const { config } = call.host
  if (call.store.type(ref) !== TYPE_STRING || encodingName(call, ref) !== 'int') return 1
  if (config.get('maxmemory') !== 0 && /-(lru|lfu)$/.test(config.get('maxmemory-policy'))) return 1
  const value = Number(parseInt64(call.store.bytes, call.store.start, call.store.end))
  return value >= 0 && value < SHARED_INTEGERS ? SHARED_REFCOUNT : 1
}

/** The record of argument 2; 0 after having replied that there is none. */
function lookup(call: Call): number {
  const ref = lookupUnnoticed(call, 2)
  if (ref === 0) call.reply.nullBulk()
  return ref
}

function isLfu(call: Call): boolean {
  return call.host.config.get('maxmemory-policy').endsWith('-lfu')
}

function runEncoding(call: Call): void {
  const ref = lookup(call)
  if (ref !== 0) call.reply.bulkString(encodingName(call, ref))
}

function runFreq(call: Call): void {
  const ref = lookup(call)
  if (ref === 0) return
  if (!isLfu(call)) {
    call.error(`ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${ADJUST}`)
    return
  }
  call.reply.integer(frequency(call.store.clock(ref), call.now, call.host.config.get('lfu-decay-time')))
}

function runIdletime(call: Call): void {
  const ref = lookup(call)
  if (ref === 0) return
  if (isLfu(call)) {
    call.error(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${ADJUST}`)
    return
  }
  call.reply.integer(idleSeconds(call.store.clock(ref), call.now))
}

function runRefcount(call: Call): void {
  const ref = lookup(call)
  if (ref !== 0) call.reply.integer(referenceCount(call, ref))
}

export const object = command({
  name: 'object',
  arity: -2,
  since: '2.2.3',
  summary: 'A container for object introspection commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'encoding',
      arity: 3,
      since: '2.2.3',
      summary: 'Inspect the internal encoding of a Redis object',
      complexity: 'O(1)',
      flags: ['readonly'],
      hints: ['nondeterministic_output'],
      keys: [key(2, 'RO')],
      args: [arg.key()],
      run: runEncoding,
    },
    {
      name: 'freq',
      arity: 3,
      since: '4.0.0',
      summary: 'Get the logarithmic access frequency counter of a Redis object',
      complexity: 'O(1)',
      flags: ['readonly'],
      hints: ['nondeterministic_output'],
      keys: [key(2, 'RO')],
      args: [arg.key()],
      run: runFreq,
    },
    {
      name: 'help',
      arity: 2,
      since: '6.2.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'idletime',
      arity: 3,
      since: '2.2.3',
      summary: 'Get the time since a Redis object was last accessed',
      complexity: 'O(1)',
      flags: ['readonly'],
      hints: ['nondeterministic_output'],
      keys: [key(2, 'RO')],
      args: [arg.key()],
      run: runIdletime,
    },
    {
      name: 'refcount',
      arity: 3,
      since: '2.2.3',
      summary: 'Get the number of references to the value of the key',
      complexity: 'O(1)',
      flags: ['readonly'],
      hints: ['nondeterministic_output'],
      keys: [key(2, 'RO')],
      args: [arg.key()],
      run: runRefcount,
    },
  ],
})
