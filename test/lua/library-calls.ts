/**
 * Scripts that call cjson, cmsgpack, struct and bit, for two servers that must answer alike. A script shows all that a
 * call returned: numbers with 17 digits, tables in the order of pairs(), which has to be Redis's too. Generated cases
 * are the same for a seed; SEED=… gives others.
 */
import fc from 'fast-check'
import type { Argument, Command } from '../support/wire.ts'

const seed = Number(process.env.SEED ?? 20240501)

const SHOW = `
local function show(v)
  local kind = type(v)
  if kind == 'table' then
    local parts = {}
    for key, value in pairs(v) do parts[#parts + 1] = show(key) .. '=' .. show(value) end
    return '{' .. table.concat(parts, ',') .. '}'
  elseif kind == 'number' then
    return v ~= v and 'nan' or string.format('%.17g', v)
  elseif kind == 'string' then
    return #v .. ':' .. v
  elseif kind == 'userdata' then
    return v == cjson.null and 'null' or 'userdata'
  elseif kind == 'boolean' then
    return tostring(v)
  end
  return kind
end
local function all(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...))) end
  return table.concat(parts, ';')
end
`

/** What pcall(called, arguments...) returns; the arguments are Lua text, ARGV among them. */
export function called(name: string, args: string, ...argv: Argument[]): Command {
  return ['EVAL', `${SHOW}return all(pcall(${args === '' ? name : `${name}, ${args}`}))`, 0, ...argv]
}

/** What the body returns, with the function's name and the line in an error. */
export function body(lua: string, ...argv: Argument[]): Command {
  return ['EVAL', `${SHOW}return all(pcall(function() ${lua} end))`, 0, ...argv]
}

/** An error that reaches the client. */
export function bare(lua: string, ...argv: Argument[]): Command {
  return ['EVAL', lua, 0, ...argv]
}

export function samples<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { numRuns: count, seed })
}

function quoted(bytes: Iterable<number>): string {
  return `'${[...bytes].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}'`
}

export const SPECIAL_NUMBERS = [
  '0 -0 1 -1 0.1 -0.5 1/3 2^31-1 2^31 -2^31 -2^31-1 2^32-1 2^32 2^51+0.5 2^52+1 2^53 -2^53-2 2^62',
  '2^63-1024 2^63 -2^63 -2^63-2048 2^64-2048 2^64 1e100 -1e100 1e-100 5e-324 1e14 99999999999999',
  '99999999999999.5 123456789012345 1234567890123.25 0.0001 0.00001 127 128 -32 -33 -128 -129 255 256',
  '-32768 -32769 65535 65536',
].flatMap((line) => line.split(' '))

export const number = fc.oneof(
  fc.constantFrom(...SPECIAL_NUMBERS),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => String(x)),
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((x) => String(x / 64)),
)
export const bytes = fc.uint8Array({ maxLength: 40 })
export const text = fc.oneof(
  bytes.map(quoted),
  fc.string({ maxLength: 12 }).map((s) => quoted(Buffer.from(s))),
)

/** A Lua expression for a value that cjson and cmsgpack may be given. */
export const value = fc.letrec<{ tree: string; table: string; leaf: string }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('table')),
  leaf: fc.oneof(number, text, fc.constantFrom('true', 'false', 'nil', 'cjson.null')),
  table: fc.oneof(
    fc.array(tie('tree'), { maxLength: 20 }).map((items) => `{${items.join(',')}}`),
    fc
      .array(fc.tuple(fc.oneof(text, text, number, fc.constantFrom('1', '2', '3', '12', 'true')), tie('tree')), {
        maxLength: 12,
      })
      .map((pairs) => `{${pairs.map(([key, item]) => `[${key}]=${item}`).join(',')}}`),
  ),
})).tree
