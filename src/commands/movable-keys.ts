/**
 * The getKeys of the commands whose keys, or what happens to them, depend on options: each is named in its command's
 * declaration. The command's name is argument `from` of the request; keys are found by the rules of redis 7.0.15 db.c
 * *GetKeys, which read only as much of the syntax as they need and leave errors to the command.
 */
import type { Request } from '../resp/request.ts'
import { KEY_FLAG_BITS } from './define.ts'
import type { FoundKeys } from './keys.ts'

const { RO, RW, OW, ACCESS, UPDATE, DELETE } = KEY_FLAG_BITS

/** SET reads the key only with GET. redis 7.0.15 db.c setGetKeys */
export function setKeys(request: Request, from: number, found: FoundKeys): void {
  for (let i = from + 3; i < request.argc; i++) {
    if (request.is(i, 'GET')) {
      found.add(from + 1, RW | ACCESS | UPDATE)
      return
    }
  }
  found.add(from + 1, OW | UPDATE)
}

/** BITFIELD with GETs only does not write. redis 7.0.15 db.c bitfieldGetKeys */
export function bitfieldKeys(request: Request, from: number, found: FoundKeys): void {
  const argc = request.argc
  let i = from + 2
  while (i < argc) {
    const left = argc - i - 1
    if (request.is(i, 'GET') && left >= 2) i += 3
    else if (request.is(i, 'OVERFLOW') && left >= 1) i += 2
    else break
  }
  found.add(from + 1, i >= argc ? RO | ACCESS : RW | ACCESS | UPDATE)
}

/** The keys of BY and GET patterns are not told. redis 7.0.15 db.c sortROGetKeys */
export function sortRoKeys(_request: Request, from: number, found: FoundKeys): void {
  found.add(from + 1, RO | ACCESS)
}

/** The last STORE counts, as in SORT itself. redis 7.0.15 db.c sortGetKeys */
export function sortKeys(request: Request, from: number, found: FoundKeys): void {
  found.add(from + 1, RO | ACCESS)
  let store = 0
  for (let i = from + 2; i < request.argc; i++) {
    if (request.is(i, 'LIMIT')) i += 2
    else if (request.is(i, 'GET') || request.is(i, 'BY')) i += 1
    else if (request.is(i, 'STORE') && i + 1 < request.argc) store = i + 1
  }
  if (store > 0) found.add(store, OW | UPDATE)
}

/** One key, or those behind KEYS if the key is empty. redis 7.0.15 db.c migrateGetKeys */
export function migrateKeys(request: Request, from: number, found: FoundKeys): void {
  const flags = RW | ACCESS | DELETE
  for (let i = from + 6; i < request.argc; i++) {
    if (request.is(i, 'KEYS')) {
      if (request.length(from + 3) > 0) return
      for (let k = i + 1; k < request.argc; k++) found.add(k, flags)
      return
    }
    if (request.is(i, 'AUTH')) i += 1
    else if (request.is(i, 'AUTH2')) i += 2
  }
  found.add(from + 3, flags)
}

/** The last of STORE and STOREDIST that has a key behind it counts. redis 7.0.15 db.c georadiusGetKeys */
export function georadiusKeys(request: Request, from: number, found: FoundKeys): void {
  found.add(from + 1, 0)
  let store = 0
  for (let i = from + 5; i + 1 < request.argc; i++) {
    if (request.is(i, 'STORE') || request.is(i, 'STOREDIST')) store = ++i
  }
  if (store > 0) found.add(store, 0)
}
