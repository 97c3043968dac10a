/**
 * The part of the WebAssembly interface that the interpreter needs: it is a global of Node, but the types that come with
 * the compiler are those of browsers (lib.dom), which are not wanted for the sake of this.
 */
declare namespace WebAssembly {
  type ImportValue = (...args: number[]) => unknown
  type Imports = Record<string, Record<string, ImportValue>>

  class Module {
    constructor(bytes: Uint8Array)
  }

  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Record<string, unknown>
  }

  interface Memory {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }

  interface Table {
    readonly length: number
    get(index: number): (...args: number[]) => number
    grow(by: number, value: unknown): number
  }
}
