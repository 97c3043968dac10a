/** The libraries that Redis gives its scripts besides Lua's own: the globals cjson, struct, cmsgpack and bit. */
import type { Lua } from '../api.ts'
import { openBit } from './bit.ts'
import { openJson } from './json.ts'
import { openMessagePack } from './msgpack.ts'
import { openStruct } from './struct.ts'

/** Sets them in the order of redis 7.0.15 script_lua.c luaLoadLibraries. */
export function openLibraries(lua: Lua): void {
  openJson(lua)
  openStruct(lua)
  openMessagePack(lua)
  openBit(lua)
}
