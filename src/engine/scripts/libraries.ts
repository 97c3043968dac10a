/**
 * Function libraries and the functions in them: which there are, under which names. Names of functions are unique in any
 * case of letters over all libraries. redis 7.0.15 functions.c
 */
import { splitLine } from '../../resp/inline.ts'

export interface LibraryFunction {
  readonly name: string
  readonly description: string | null
  /** SCRIPT_* of script-flags.ts. */
  readonly flags: number
  /** In the interpreter's registry; another after the interpreter was made anew. */
  ref: number
  readonly library: Library
}

export class Library {
  readonly name: string
  /** With its first line. */
  readonly code: Buffer
  readonly functions = new Map<string, LibraryFunction>()

  constructor(name: string, code: Buffer) {
    this.name = name
    this.code = code
  }
}

const FUNCTION_BYTES = 120
const LIBRARY_BYTES = 200
export const BAD_NAME =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long'

export function isValidName(name: string): boolean {
  return /^[a-zA-Z0-9_]+$/.test(name)
}

/** All libraries that functions can be called of, or those that are about to be. */
export class LibrarySet {
  readonly libraries = new Map<string, Library>()
  readonly #functions = new Map<string, LibraryFunction>()

  get functionCount(): number {
    return this.#functions.size
  }

  get bytes(): number {
    let bytes = this.#functions.size * FUNCTION_BYTES
    for (const { code } of this.libraries.values()) bytes += LIBRARY_BYTES + code.length
    return bytes
  }

  function(name: string): LibraryFunction | undefined {
    return this.#functions.get(name.toLowerCase())
  }

  link(library: Library): void {
    this.libraries.set(library.name, library)
    for (const fn of library.functions.values()) this.#functions.set(fn.name.toLowerCase(), fn)
  }

  unlink(library: Library): void {
    this.libraries.delete(library.name)
    for (const name of library.functions.keys()) this.#functions.delete(name.toLowerCase())
  }

  /** The function of this library that another one has as well. */
  collision(library: Library): string | undefined {
    for (const name of library.functions.keys()) if (this.function(name) !== undefined) return name
    return undefined
  }

  /**
   * Takes over all libraries of another set; one that it has already is replaced if `replaces`. All or nothing: an error
   * text, or the libraries that had to go. redis 7.0.15 functions.c libraryJoin
   */
  join(other: LibrarySet, replaces: boolean): string | Library[] {
    const replaced: Library[] = []
    const undo = (error: string) => {
      for (const library of replaced) this.link(library)
      return error
    }
    for (const name of other.libraries.keys()) {
      const old = this.libraries.get(name)
      if (old === undefined) continue
      if (!replaces) return undo(`Library ${name} already exists`)
      this.unlink(old)
      replaced.push(old)
    }
    for (const library of other.libraries.values()) {
      const name = this.collision(library)
      if (name !== undefined) return undo(`Function ${name} already exists`)
    }
    for (const library of other.libraries.values()) this.link(library)
    return replaced
  }
}

export interface LibraryHead {
  engine: string
  name: string
  /** Where the code begins, at the end of the first line. */
  bodyStart: number
}

/** The first line, `#!lua name=mylib`; or an error text. redis 7.0.15 functions.c functionExtractLibMetaData */
export function readLibraryHead(code: Buffer): LibraryHead | string {
  if (code[0] !== 0x23 || code[1] !== 0x21) return 'Missing library metadata'
  const bodyStart = code.indexOf(0x0a)
  if (bodyStart < 0) return 'Invalid library metadata'
  const parts = splitLine(code.subarray(0, bodyStart))?.map((part) => part.toString('latin1'))
  if (parts === undefined || parts.length === 0) return 'Invalid library metadata'
  let name: string | undefined
  for (const part of parts.slice(1)) {
    if (!part.toLowerCase().startsWith('name=')) return `Invalid metadata value given: ${part}`
    if (name !== undefined) return 'Invalid metadata value, name argument was given multiple times'
    name = part.slice('name='.length)
  }
  if (name === undefined) return 'Library name was not given'
  return { engine: parts[0]!.slice(2), name, bodyStart }
}
