/** DEBUG PROTOCOL: a reply of each type, for the tests of client libraries. redis 7.0.15 debug.c debugCommand */
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Call } from '../call.ts'

function integers(reply: ReplyWriter): void {
  for (let i = 0; i < 3; i++) reply.integer(i)
}

const TYPES: Readonly<Record<string, (reply: ReplyWriter) => void>> = {
  string: (reply) => reply.bulkString('Hello World'),
  integer: (reply) => reply.integer(12345),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: Redis's number
  double: (reply) => reply.double(3.141),
  bignum: (reply) => reply.bigNumber('1234567999999999999999999999999999999'),
  null: (reply) => reply.nullBulk(),
  array: (reply) => {
    reply.array(3)
    integers(reply)
  },
  set: (reply) => {
    reply.set(3)
    integers(reply)
  },
  map: (reply) => {
    reply.map(3)
    for (let i = 0; i < 3; i++) {
      reply.integer(i)
      reply.boolean(i === 1)
    }
  },
  // Attributes and pushes are no replies by themselves: a real one follows.
  attrib: (reply) => {
    if (reply.resp === 3) {
      reply.attribute(1)
      reply.bulkString('key-popularity')
      reply.array(2)
      reply.bulkString('key:123')
      reply.integer(90)
    }
    reply.bulkString('Some real reply following the attribute')
  },
  push: (reply) => {
    if (reply.resp === 2) {
      reply.error('ERR RESP2 is not supported by this command')
      return
    }
    reply.push(2)
    reply.bulkString('server-cpu-usage')
    reply.integer(42)
    reply.bulkString('Some real reply following the push reply')
  },
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
  verbatim: (reply) => reply.verbatim('This is a verbatim\nstring'),
}

export function runProtocol(call: Call): void {
  const { args, reply } = call
  const name = args.lower(2)
  if (Object.hasOwn(TYPES, name)) TYPES[name]!(reply)
  else {
    reply.error(
      'ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false',
    )
  }
}
