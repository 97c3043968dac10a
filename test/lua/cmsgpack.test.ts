/** cmsgpack of scripts against redis-server: chosen values and streams, and generated ones. */
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { differential } from '../support/differential.ts'
import { bare, body, called, number, SPECIAL_NUMBERS, samples, value } from './library-calls.ts'

suite('cmsgpack', () => {
  test('pack: chosen values', async (t) => {
    const expressions = [
      ...SPECIAL_NUMBERS,
      'math.huge',
      '-math.huge',
      '0/0',
      '0.5',
      '3.4028235e38',
      '3.5e38',
      '1e-45',
      "''",
      "'a\\0b'",
      ...[31, 32, 255, 256, 65535, 65536].map((length) => `string.rep('x', ${length})`),
      '{}',
      '{1, 2, 3}',
      '{1, nil, 3}',
      '{nil, 2}',
      '{[1]=1, [2]=2, [3]=3}',
      '{[1.5]=1}',
      '{[0]=1}',
      '{[2^31]=1}',
      '{x=1}',
      '{1, x=1}',
      '{[true]=false}',
      '{[{1}]={2}}',
      'true',
      'false',
      'nil',
      'nil, nil',
      '1, {2}, "3"',
      'pairs',
      '{pairs}',
      'cjson.null',
      'setmetatable({1}, {__index = {2, 3, 4}})',
    ]
    await differential(t, [
      ...expressions.map((expression) => called('cmsgpack.pack', expression)),
      called('cmsgpack.pack', ''),
      bare('return cmsgpack.pack()'),
      ...[15, 16, 17, 65535, 65536].flatMap((count) => [
        body(`local t = {} for i = 1, ${count} do t[i] = i % 2 end return cmsgpack.pack(t):sub(1, 64)`),
        body(`local t = {} for i = 1, ${count} do t['k' .. i] = 0 end return cmsgpack.pack(t):sub(1, 64)`),
      ]),
      ...[14, 15, 16, 17, 40].map((depth) =>
        body(`local t = {} for i = 1, ${depth} do t = {t} end return cmsgpack.pack(t)`),
      ),
      body('local t = {} t.t = t return cmsgpack.pack(t)'),
      ...[100, 3900, 4100, 7000].map((count) =>
        body(`local t = {} for i = 1, ${count} do t[i] = i end return #cmsgpack.pack(unpack(t))`),
      ),
    ])
  })

  test('unpack: chosen streams', async (t) => {
    const streams = [
      ...[
        '',
        '00',
        '7f',
        'e0',
        'ff',
        'c0',
        'c1',
        'c2',
        'c3',
        'c4',
        'c7',
        'd4',
        'd8',
        'cc',
        'ccff',
        'd080',
        'cdffff',
        'd18000',
      ],
      ...[
        'ceffffffff',
        'd280000000',
        'cfffffffffffffffff',
        'cf7fffffffffffffff',
        'cf0020000000000001',
        'd38000000000000000',
      ],
      ...[
        'd3ffffffffffffffff',
        'ca3fc00000',
        'ca7f800000',
        'ca7fc00000',
        'cb3ff8000000000000',
        'cb7ff0000000000000',
        'cb00',
      ],
      ...['a0', 'a161', 'a2ff', 'd900', 'd90161', 'd9ff', 'da000161', 'da', 'db0000000161', 'dbffffffff61', 'db'],
      ...['90', '9101', '9201', '93c00102', '9301c003', '9301c0c0', 'dc000101', 'dc00', 'ddffffffff01', 'dd00000001c3'],
      ...[
        '80',
        '81a16101',
        '8101',
        '82a16101a16202',
        '81c001',
        '81cb7ff800000000000001',
        '8190c2',
        '8180c3',
        'de0001a16101',
      ],
      ...['df00000001a16101', 'dfffffffff', '010203', '01c1', '0192', '9391019102c3', '82a161c0a16201', '81c301'],
    ]
    const raws = streams.map((hex) => Buffer.from(hex, 'hex'))
    const length = 'local r = cmsgpack.unpack(ARGV[1]) return #r, r'
    await differential(t, [
      ...raws.map((raw) => called('cmsgpack.unpack', 'ARGV[1]', raw)),
      ...raws.map((raw) => called('cmsgpack.unpack_one', 'ARGV[1]', raw)),
      ...raws.map((raw) => called('cmsgpack.unpack_limit', 'ARGV[1], 2', raw)),
      ...['9301c003', '93c0c001', '95c001c002c0', '9401c0c0c0', '9501020304c0'].map((hex) =>
        body(length, Buffer.from(hex, 'hex')),
      ),
      ...[1, 2, 3, 4, 5, 8, 9].map((n) =>
        body(
          'local r = cmsgpack.unpack(ARGV[1]) r[#r] = nil return #r, r',
          Buffer.from([0x90 | n, ...Array(n).fill(1)]),
        ),
      ),
      ...['', '1', 'nil', '{}', "'\\1\\2', 5"].map((args) => called('cmsgpack.unpack', args)),
      ...['0', '1', '2', '3', '4', '-1', '2^31', '2^32', '1.5', "'1'", "'x'", 'nil', '{}'].flatMap((offset) => [
        called('cmsgpack.unpack_one', `'\\1\\2\\3', ${offset}`),
        called('cmsgpack.unpack_limit', `'\\1\\2\\3', 1, ${offset}`),
        called('cmsgpack.unpack_limit', `'\\1\\2\\3', ${offset}`),
        called('cmsgpack.unpack_limit', `'\\1\\2\\3', ${offset}, 1`),
        called('cmsgpack.unpack_limit', `'\\1\\2\\3', 0, ${offset}`),
      ]),
      called('cmsgpack.unpack_one', ''),
      called('cmsgpack.unpack_limit', ''),
      called('cmsgpack.unpack_limit', "'\\1'"),
      bare("return cmsgpack.unpack('\\145')"),
      bare("return cmsgpack.unpack('\\193')"),
      bare('return cmsgpack.unpack({})'),
      ...[7000, 7990, 8000, 20000].map((count) =>
        body("return select('#', cmsgpack.unpack(ARGV[1]))", Buffer.alloc(count, 1)),
      ),
      ...[100, 3980, 4100, 100000].flatMap((depth) => [
        body('return type(cmsgpack.unpack(ARGV[1]))', Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([1])])),
        body(
          'return type(cmsgpack.unpack(ARGV[1]))',
          Buffer.concat([Buffer.alloc(depth, Buffer.from([0x81, 1])), Buffer.from([1])]),
        ),
      ]),
    ])
  })

  test('generated', async (t) => {
    const first = fc.constantFrom(
      0x01,
      0x7f,
      0x80,
      0x81,
      0x83,
      0x90,
      0x92,
      0xa1,
      0xa3,
      0xc0,
      0xc2,
      0xc3,
      0xca,
      0xcb,
      0xcc,
      0xcd,
    )
    const wide = fc.constantFrom(
      0xce,
      0xcf,
      0xd0,
      0xd1,
      0xd2,
      0xd3,
      0xd9,
      0xda,
      0xdb,
      0xdc,
      0xdd,
      0xde,
      0xdf,
      0xe0,
      0xff,
    )
    const stream = fc.array(fc.oneof(first, first, wide, fc.nat(255), fc.constant(0), fc.constant(1)), {
      maxLength: 24,
    })
    const unpackAgain = 'local s = cmsgpack.pack(%) return s, cmsgpack.unpack(s)'
    await differential(t, [
      ...samples(value, 500).map((expression) => body(unpackAgain.replace('%', () => expression))),
      ...samples(number, 300).map((expression) => body(unpackAgain.replace('%', () => expression))),
      ...samples(stream, 800).map((raw) => called('cmsgpack.unpack', 'ARGV[1]', Buffer.from(raw))),
      ...samples(fc.tuple(stream, fc.integer({ min: -1, max: 5 }), fc.integer({ min: -1, max: 12 })), 300).map(
        ([raw, limit, offset]) => called('cmsgpack.unpack_limit', `ARGV[1], ${limit}, ${offset}`, Buffer.from(raw)),
      ),
    ])
  })
})
