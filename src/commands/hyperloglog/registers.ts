/** The registers of several HyperLogLogs at once, of a byte each, for PFCOUNT of several keys and PFMERGE. */
import { mergeDense } from '../../store/encodings/hyperloglog-dense.ts'
import { HLL_HEADER, HLL_REGISTERS, isDense } from '../../store/encodings/hyperloglog-format.ts'
import { mergeSparse } from '../../store/encodings/hyperloglog-sparse.ts'
import type { Store } from '../../store/store.ts'

/** One for all calls: filled with zeros by who begins. */
export const registers = new Uint8Array(HLL_REGISTERS)

/** Adds the one that the store points at; false if it is corrupted. redis 7.0.15 hyperloglog.c hllMerge */
export function mergeRegisters(store: Store): boolean {
  const { bytes, start, end } = store
  if (!isDense(bytes, start)) return mergeSparse(bytes, start + HLL_HEADER, end, registers)
  mergeDense(bytes, start + HLL_HEADER, registers)
  return true
}
