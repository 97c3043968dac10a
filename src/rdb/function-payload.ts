/**
 * What FUNCTION DUMP answers and FUNCTION RESTORE takes: the code of all libraries, as an RDB file has it, with the footer
 * of DUMP. redis 7.0.15 functions.c functionDumpCommand, rdb.c rdbSaveFunctions
 *
 *   ( [245][code] )* [version u16le] [crc64le]
 */
import { FOOTER_BYTES, verifyPayload } from './dump-payload.ts'
import { OPCODE_FUNCTION_PRE_GA, OPCODE_FUNCTION2, RDB_VERSION } from './format.ts'
import { RdbInput } from './input.ts'
import { RdbOutput } from './output.ts'

export function dumpLibraries(codes: Iterable<Buffer>, compress: boolean): Buffer {
  const chunks: Buffer[] = []
  const output = new RdbOutput((chunk) => chunks.push(chunk), compress, true)
  for (const code of codes) {
    output.byte(OPCODE_FUNCTION2)
    output.string(code, 0, code.length)
  }
  output.byte(RDB_VERSION & 0xff)
  output.byte(RDB_VERSION >> 8)
  output.checksum()
  output.flush()
  return Buffer.concat(chunks)
}

/**
 * A library's code behind its opcode; undefined when there are not enough bytes yet. Release candidates of Redis 7.0 wrote its
 * name and engine apart: they become the first line. redis 7.0.15 rdb.c rdbFunctionLoad
 */
export function readLibrary(input: RdbInput, opcode: number): Buffer | undefined {
  if (opcode === OPCODE_FUNCTION2) return input.string()
  const name = input.string()
  if (name === undefined) return undefined
  const engine = input.string()
  if (engine === undefined) return undefined
  const isDescribed = input.length()
  if (isDescribed < 0 || (isDescribed > 0 && input.string() === undefined)) return undefined
  const body = input.string()
  if (body === undefined) return undefined
  const head = `#!${engine.latin1Slice()} name=${name.latin1Slice()}\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

/** The code of each library; or an error text. */
export function readLibraries(payload: Buffer, skipsChecksum: boolean): Buffer[] | string {
  if (!verifyPayload(payload, skipsChecksum)) return 'DUMP payload version or checksum are wrong'
  const input = new RdbInput()
  input.set(payload.subarray(0, payload.length - FOOTER_BYTES), 0)
  const codes: Buffer[] = []
  for (;;) {
    const opcode = input.byte()
    if (opcode < 0) return codes
    if (opcode !== OPCODE_FUNCTION2 && opcode !== OPCODE_FUNCTION_PRE_GA) return 'given type is not a function'
    let code: Buffer | undefined
    try {
      code = readLibrary(input, opcode)
    } catch {
      code = undefined
    }
    if (code === undefined) return 'Failed loading library payload'
    codes.push(Buffer.from(code))
  }
}
