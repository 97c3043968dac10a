/** cjson of scripts against redis-server: chosen values and errors, generated ones, and its settings. */
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { differential } from '../support/differential.ts'
import { bare, body, bytes, called, number, SPECIAL_NUMBERS, samples, value } from './library-calls.ts'

suite('cjson', () => {
  test('encode: chosen values', async (t) => {
    const expressions = [
      ...SPECIAL_NUMBERS,
      "''",
      "'/\\\\\"\\b\\f\\n\\r\\t\\0\\127\\128\\255'",
      '{}',
      '{{}}',
      '{1, 2, nil, 4}',
      '{nil, nil, 3}',
      '{[1]=1, [3]=3}',
      '{[0]=1}',
      '{[1.5]=1}',
      '{[-1]=1}',
      '{[10]=1}',
      '{[11]=1}',
      '{[1]=1, [12]=1}',
      '{[1]=1, [2]=1, [3]=1, [4]=1, [5]=1, [6]=1, [12]=1}',
      '{[1e10]=1}',
      '{[2^31]=1}',
      '{[math.huge]=1}',
      '{[true]=1}',
      '{[{}]=1}',
      '{1, 2, x=3}',
      '{x={y={z={}}}}',
      '{pairs}',
      'math.huge',
      '-math.huge',
      '0/0',
      'pairs',
      'coroutine.create(pairs)',
      'setmetatable({1}, {__index = {2, 3, 4}})',
      '{[cjson.null]=1}',
      'cjson.null',
      'nil',
      '1, 2',
    ]
    await differential(t, [
      ...expressions.map((expression) => called('cjson.encode', expression)),
      ...expressions.map((expression) => body(`return cjson.encode(${expression})`)),
      called('cjson.encode', ''),
      bare('return cjson.encode()'),
      bare('return cjson.encode(pairs)'),
      bare('local t = {} t[1] = t return cjson.encode(t)'),
      body('local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)'),
      body('local t = {} for i = 1, 1000 do t = {t} end return #cjson.encode(t)'),
      body('local t = {} for i = 1, 1000 do t[i] = i .. "" end return cjson.encode(t)'),
      body('local t = {} for i = 1, 1000 do t["key" .. i] = i / 8 end return cjson.encode(t)'),
      body('return cjson.encode(string.rep("\\1", 100000))'),
    ])
  })

  test('decode: chosen texts', async (t) => {
    const texts = [
      ...['', ' ', '{', '}', '[', ']', '[]', '{}', '[1', '[1,', '[1,]', '[,1]', '[1 2]', '{"a"', '{"a":', '{"a":1'],
      ...[
        '{"a":1,',
        '{"a":1,}',
        '{a:1}',
        '{1:1}',
        '{"a" 1}',
        '[1]x',
        '[1] ',
        '[1]]',
        '1 2',
        '"',
        '"abc',
        '"\\',
        '"\\x"',
      ],
      ...[
        '"\\u12"',
        '"\\u00e9"',
        '"\\u20ac"',
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"\\ude00"',
        '"\\ud83d\\u0041"',
        '"\\uD83Dx"',
      ],
      ...[
        '"\\u0000"',
        '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
        '"a\u0001b"',
        '"é€"',
        'true',
        'false',
        'null',
        'True',
        'tru',
        'nul',
        'nope',
      ],
      ...[
        '0',
        '-0',
        '1.',
        '.5',
        '-.5',
        '-',
        '--1',
        '+1',
        '+',
        '1e5',
        '1e',
        '1E+2',
        '1e-400',
        '1e400',
        '-1e400',
        '0123',
        '0x1F',
      ],
      ...[
        '0x',
        '0x1p4',
        '-0x.8p1',
        'inf',
        '-inf',
        'Infinity',
        'infin',
        'nan',
        'NaN',
        '-nan',
        'nan(12)',
        '1.5.5',
        '1-2',
        '1a',
      ],
      ...['9007199254740993', '123456789012345678901234567890', '3.141592653589793238', '4.35', '0.1', '1e22', '1e23'],
      ...[
        '[1,[2,{"a":[]}],{"b":{}}]',
        '{"a":1,"a":2}',
        '[null,null]',
        '{"a":null}',
        ' \t\r\n[ \t1 , 2 ] ',
        '\u000b1',
        "'a'",
      ],
      ...['[1]\0x', '"a\0b"', '1\0', '\0', 'a\0', '[\0', '\0\0', '{"__proto__":1,"constructor":2,"":3}'],
    ]
    await differential(t, [
      ...texts.map((json) => called('cjson.decode', 'ARGV[1]', json)),
      ...texts.map((json) => bare(`return cjson.decode(ARGV[1])`, json)),
      ...texts.map((json) =>
        body('local c = cjson.new() c.decode_invalid_numbers(false) return c.decode(ARGV[1])', json),
      ),
      ...['1', 'true', 'nil', '{}', '', "'1', 2", 'cjson.null', '12.5'].map((args) => called('cjson.decode', args)),
      ...[999, 1000, 1001, 3000].map((depth) =>
        body(
          `local d = cjson.decode(ARGV[1]) local n = 0 while d[1] do d = d[1] n = n + 1 end return n`,
          '['.repeat(depth) + ']'.repeat(depth),
        ),
      ),
      called('cjson.decode', 'ARGV[1]', '{"a":'.repeat(1001)),
      ...[1, 2, 3, 5, 9].map((n) =>
        body(
          'local d = cjson.decode(ARGV[1]) d[#d] = nil return #d, d',
          JSON.stringify(Array.from({ length: n }, (_, i) => i)),
        ),
      ),
    ])
  })

  test('encode and decode: generated', async (t) => {
    const punctuation = fc.constantFrom(...'{}[],:"\\ue+-.0x1nNiItf \n\0é/'.split(''))
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.nat(2), fc.array(punctuation, { maxLength: 3 }))
      .map(([json, at, cut, put]) => {
        const from = at % (json.length + 1)
        return json.slice(0, from) + put.join('') + json.slice(from + cut)
      })
    const numberText = fc.stringMatching(/^-?[0-9]{0,18}(\.[0-9]{0,18})?([eE][+-]?[0-9]{0,3})?$/)
    await differential(t, [
      ...samples(value, 400).map((expression) => called('cjson.encode', expression)),
      ...samples(number, 300).map((expression) => called('cjson.encode', expression)),
      ...samples(fc.json(), 300).map((json) => called('cjson.decode', 'ARGV[1]', json)),
      ...samples(fc.json(), 200).map((json) => body('return cjson.encode(cjson.decode(ARGV[1]))', json)),
      ...samples(broken, 800).map((json) => called('cjson.decode', 'ARGV[1]', json)),
      ...samples(numberText, 300).map((json) => called('cjson.decode', 'ARGV[1]', json)),
      ...samples(bytes, 100).map((raw) => called('cjson.decode', 'ARGV[1]', Buffer.from(raw))),
    ])
  })

  test('its configuration', async (t) => {
    const settings = [
      'encode_sparse_array',
      'encode_max_depth',
      'decode_max_depth',
      'encode_number_precision',
      'encode_keep_buffer',
      'encode_invalid_numbers',
      'decode_invalid_numbers',
    ]
    const args = [
      ...[
        '',
        'nil',
        '0',
        '1',
        '3',
        '14',
        '15',
        '-1',
        '2^31',
        '2^32+3',
        '1.9',
        "'2'",
        "'on'",
        "'off'",
        "'null'",
        "'x'",
        'true',
      ],
      ...[
        'false',
        '{}',
        '1, 2',
        '1, 2, 3',
        '1, 2, 3, 4',
        "'on\\0x'",
        'nil, 5',
        'true, -1',
        'false, 2, -1',
        "'off', 'x'",
        '0/0',
      ],
    ]
    const change = (setting: string, lua: string) => body(`local c = cjson.new() c.${setting} ${lua}`)
    await differential(t, [
      ...settings.flatMap((setting) => args.map((arg) => change(`${setting}(${arg})`, `return c.${setting}()`))),
      ...settings.flatMap((setting) => args.map((arg) => body(`local c = cjson.new() return c.${setting}(${arg})`))),
      ...settings.map((setting) => called(`cjson.${setting}`, "'bad'")),
      ...settings.map((setting) => bare(`return cjson.${setting}('bad')`)),
      change('encode_sparse_array(true)', 'return c.encode({[1]=1, [100]=2})'),
      change('encode_sparse_array(true, 2, 3)', 'return c.encode({[1]=1, [4]=2}), c.encode({[3]=1})'),
      change('encode_sparse_array(false, 0)', 'return c.encode({[100]=2})'),
      change('encode_sparse_array(false, 1, 0)', 'return c.encode({1, nil, 3})'),
      change('encode_max_depth(2)', 'return c.encode({{1}}), pcall(c.encode, {{{}}})'),
      change('decode_max_depth(2)', "return c.decode('[[1]]'), pcall(c.decode, '[ [ [')"),
      change('decode_max_depth(100000)', "return pcall(c.decode, string.rep('[', 9000))"),
      change('encode_max_depth(100000)', 'local t = {} t[1] = t return pcall(c.encode, t)'),
      ...Array.from({ length: 14 }, (_, i) =>
        change(
          `encode_number_precision(${i + 1})`,
          'return c.encode({1/3, 2.5, 12345.678, 1e20, 0.05, 99.95, -0.00015})',
        ),
      ),
      change(
        'encode_invalid_numbers(true)',
        'return c.encode({0/0, math.huge, -math.huge}), c.encode({[math.huge]=1})',
      ),
      change("encode_invalid_numbers('null')", 'return c.encode({0/0, math.huge, -math.huge})'),
      change('encode_keep_buffer(false)', "return c.encode({1, 'a'}), pcall(c.encode, pairs), c.encode(2)"),
      body('cjson.encode_max_depth(1) return pcall(cjson.encode, {{}})'),
      body('return cjson.encode_max_depth(), pcall(cjson.encode, {{}}), cjson.encode_max_depth(1000)'),
      body("return cjson.new().new().encode({1, '2'})"),
    ])
  })
})
