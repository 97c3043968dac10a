/**
 * The tables of the script libraries, struct and bit against redis-server: chosen values and errors, and generated
 * ones.
 */
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { differential } from '../support/differential.ts'
import { bare, body, called, number, SPECIAL_NUMBERS, samples, text } from './library-calls.ts'

suite('the tables of the libraries', () => {
  test('names, in order', async (t) => {
    await differential(t, [
      ...['cjson', 'cmsgpack', 'struct', 'bit', 'cjson.new()'].map((name) =>
        body(`local r = {} for k, v in pairs(${name}) do r[#r + 1] = k .. '=' .. show(v) end return unpack(r)`),
      ),
      body('return cjson.new() == cjson, tostring(cjson.null) == tostring(cjson.new().null), type(cjson.null)'),
      body('cjson.encode = nil'),
      body('bit.x = 1'),
      body("local c = cjson.new() c.x = 1 c.encode = nil return c.x, c.encode, c.decode('[1]')"),
    ])
  })
})

suite('struct', () => {
  const formats = [
    ...[
      '',
      ' ',
      '<',
      '>',
      '!',
      '!0',
      '!1',
      '!2',
      '!3',
      '!4',
      '!16',
      '!2147483648',
      'b',
      'B',
      'h',
      'H',
      'l',
      'L',
      'T',
      'i',
      'I',
      'f',
    ],
    ...[
      'd',
      'x',
      's',
      'c',
      'c0',
      'c3',
      'c9',
      'c2147483647',
      'c2147483648',
      'i0',
      'i1',
      'i2',
      'i3',
      'i4',
      'i5',
      'i7',
      'i8',
      'i9',
      'i16',
    ],
    ...[
      'i32',
      'i33',
      'I0',
      'I3',
      'I5',
      'I8',
      'I9',
      'I32',
      '>i3',
      '>I5',
      '>i8',
      '<d',
      '>d',
      '>f',
      'q',
      '?',
      'A',
      '\\128',
      '\\255',
    ],
    ...[
      'b!4i',
      '!4bhi',
      '!8bd',
      '!bd',
      '!bxs',
      '!4bi3',
      '!2bi8',
      '!16bi16',
      'bc0',
      'Bc0',
      'Bc0Bc0',
      'sc0',
      'c1c0',
      'c0',
      'ic0',
      'bsb',
    ],
    ...['> i2 < i2', 'xxx', '!4xixi', 'i4s', 'b\\0i', '5', 'i-1', 'bbq'],
  ]

  test('pack and size: chosen', async (t) => {
    const args = [
      '',
      '1',
      '1, 2, 3',
      '-1, -2',
      "'abc', 'de', 'f'",
      "'12', '3'",
      '1.9, -1.9',
      'nil',
      '{}',
      "1, 'ab\\0c', 'd', 4",
    ]
    await differential(t, [
      ...formats.map((format) => called('struct.size', `'${format}'`)),
      ...formats.flatMap((format) =>
        args.map((arg) => called('struct.pack', arg === '' ? `'${format}'` : `'${format}', ${arg}`)),
      ),
      ...['b', 'B', 'h', 'i', 'l', 'L', 'i3', 'I16', '>i8', '>I7', 'f', 'd', '>f', '>d'].flatMap((format) =>
        [...SPECIAL_NUMBERS, 'math.huge', '-math.huge', '0/0'].map((x) => called('struct.pack', `'${format}', ${x}`)),
      ),
      ...['', 'nil', '{}', '1', '12, 3'].flatMap((arg) => [called('struct.pack', arg), called('struct.size', arg)]),
      body(
        "return struct.pack('s', string.rep('x', 20000)):len(), struct.pack('c9999', string.rep('y', 10000)):sub(-3)",
      ),
      body("return struct.pack('c10000ii', string.rep('x', 10000), 1)"),
      body("return struct.pack('c100000000', 'x')"),
      body(`return struct.size(string.rep('c2147483647', 100))`),
      bare("return struct.pack('q')"),
      bare("return struct.pack('i33', 1)"),
      bare("return struct.pack('!3', 1)"),
      bare("return struct.size('s')"),
      bare("return struct.pack('i', 'x')"),
    ])
  })

  test('unpack: chosen', async (t) => {
    const data = [
      '',
      '\\1',
      '\\255\\254\\253\\252\\251\\250\\249\\248',
      'abc\\0def\\0',
      '\\3abcdefghijklmnopqrstuvwxyz0123456789\\0',
    ]
    await differential(t, [
      ...formats.flatMap((format) => data.map((raw) => called('struct.unpack', `'${format}', '${raw}'`))),
      ...[
        '0',
        '1',
        '2',
        '4',
        '5',
        '9',
        '10',
        '-1',
        '1.9',
        '0.5',
        'nil',
        "'2'",
        "'x'",
        '{}',
        '2^31',
        '2^32',
        '2^53',
        '2^63',
      ].flatMap((pos) =>
        ['', 'b', 'i', '!4i', 's', ' ', 'c0'].map((format) =>
          called('struct.unpack', `'${format}', 'abcd\\0efgh', ${pos}`),
        ),
      ),
      ...['', 'nil', '{}', "'i'", "'i', nil", "'i', {}", '1, 2', "'i', 12345"].map((args) =>
        called('struct.unpack', args),
      ),
      ...[7000, 7990, 8000].map((count) =>
        body("return select('#', struct.unpack(string.rep('b', ARGV[1]), string.rep('a', ARGV[1])))", count),
      ),
      ...[
        "'bc0', '\\254abc'",
        "'dc0', struct.pack('d', 1.9) .. 'abc'",
        "'dc0', struct.pack('d', 0/0) .. 'abc'",
        "'sc0b', '2\\0abc'",
      ].map((args) => called('struct.unpack', args)),
      bare("return struct.unpack('i', 'abc')"),
      bare("return struct.unpack('c0', 'abc')"),
      bare("return struct.unpack('s', 'abc')"),
    ])
  })

  test('generated', async (t) => {
    const option = fc.constantFrom(
      ...'bBhHlLTfdx<> ![si'.split(''),
      'i1',
      'i2',
      'i3',
      'I5',
      'i6',
      'I8',
      'i12',
      'c0',
      'c1',
      'c4',
      '!2',
      '!4',
      '!8',
      '!16',
    )
    const format = fc.array(option, { maxLength: 8 }).map((options) => options.join(''))
    const args = fc.array(fc.oneof(number, number, text), { maxLength: 8 })
    await differential(t, [
      ...samples(fc.tuple(format, args), 800).map(([f, a]) => called('struct.pack', [`'${f}'`, ...a].join(', '))),
      ...samples(fc.tuple(format, fc.uint8Array({ maxLength: 48 }), fc.integer({ min: -1, max: 12 })), 800).map(
        ([f, raw, pos]) => called('struct.unpack', `'${f}', ARGV[1], ${pos}`, Buffer.from(raw)),
      ),
      ...samples(format, 200).map((f) => called('struct.size', `'${f}'`)),
    ])
  })
})

suite('bit', () => {
  const names = ['tobit', 'bnot', 'bswap', 'tohex', 'band', 'bor', 'bxor', 'lshift', 'rshift', 'arshift', 'rol', 'ror']

  test('chosen', async (t) => {
    const numbers = [
      ...SPECIAL_NUMBERS,
      '0.5',
      '1.5',
      '2.5',
      '-0.5',
      '-1.5',
      '0xdeadbeef',
      '2^51',
      '-2^51-1',
      'math.huge',
      '0/0',
      "'12'",
      "'0x10'",
    ]
    const bad = ['', 'nil', "'x'", '{}', 'true', '1, nil', "1, 'x'", '1, {}', "'x', 'y'", '1, 2, nil, {}', '1, 2, 3, 4']
    await differential(t, [
      ...names.flatMap((name) => numbers.map((x) => called(`bit.${name}`, `${x}, 5`))),
      ...names.flatMap((name) => bad.map((args) => called(`bit.${name}`, args))),
      ...names.map((name) => bare(`return bit.${name}({})`)),
      ...['0', '1', '-1', '8', '-8', '9', '-9', '31', '32', '33', '-31', '4.5', '5.5', '2^31', 'nil']
        .flatMap((n) => names.map((name) => called(`bit.${name}`, `0x87654321, ${n}`)))
        .filter((command) => !String(command[1]).includes('tohex, 0x87654321, 2^31')),
    ])
  })

  test('generated', async (t) => {
    const call = fc.tuple(fc.constantFrom(...names), fc.array(number, { minLength: 1, maxLength: 4 }))
    await differential(
      t,
      samples(call, 1500)
        // The most negative number of digits overflows in C.
        .filter(([name]) => name !== 'tohex')
        .map(([name, args]) => called(`bit.${name}`, args.join(', '))),
    )
  })
})
