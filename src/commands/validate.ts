/**
 * What a declaration may not be: an unknown field or value, a contradiction, a reference to nothing. Found when the table is
 * built, so that a mistake stops the program at its start and not a client later.
 */
import {
  type Argument,
  CATEGORIES,
  type CommandDeclaration,
  FLAG_BITS,
  type GroupName,
  KEY_FLAG_BITS,
  type KeySpec,
} from './define.ts'

/** Checked by the type to name every field of a declaration. */
const COMMAND_FIELDS: Record<keyof CommandDeclaration, true> = {
  name: true,
  arity: true,
  since: true,
  summary: true,
  complexity: true,
  flags: true,
  keys: true,
  args: true,
  acl: true,
  history: true,
  hints: true,
  docFlags: true,
  deprecatedSince: true,
  replacedBy: true,
  channels: true,
  getKeys: true,
  differs: true,
  run: true,
  subcommands: true,
}

const ARGUMENT_FIELDS: Record<keyof Argument, true> = {
  name: true,
  type: true,
  optional: true,
  multiple: true,
  multipleToken: true,
  token: true,
  since: true,
  deprecatedSince: true,
  keySpec: true,
  summary: true,
  arguments: true,
}

const KEY_SPEC_FIELDS: Record<keyof KeySpec, true> = { begin: true, find: true, flags: true, notes: true }

const GROUPS: Record<GroupName, true> = {
  generic: true,
  string: true,
  list: true,
  set: true,
  'sorted-set': true,
  hash: true,
  pubsub: true,
  transactions: true,
  connection: true,
  server: true,
  scripting: true,
  hyperloglog: true,
  cluster: true,
  geo: true,
  stream: true,
  bitmap: true,
}

export function validateGroup(name: GroupName): void {
  if (!Object.hasOwn(GROUPS, name)) throw new Error(`unknown command group '${name}'`)
}

export function validateDeclaration(declaration: CommandDeclaration, parent?: string): void {
  const label = parent === undefined ? declaration.name : `${parent}|${declaration.name}`
  const fail = (problem: string): never => {
    throw new Error(`declaration of command '${label}': ${problem}`)
  }
  checkFields(declaration, COMMAND_FIELDS, fail)
  if (!/^[a-z0-9_-]+$/.test(declaration.name)) fail('its name is not lower case')
  if (!Number.isInteger(declaration.arity) || declaration.arity === 0) fail('arity must be an integer other than 0')
  if (parent !== undefined && Math.abs(declaration.arity) < 2) fail('arity counts the container as well')
  if (declaration.since === '' || declaration.summary === '') fail('since or summary is empty')
  for (const flag of declaration.flags ?? []) if (!Object.hasOwn(FLAG_BITS, flag)) fail(`unknown flag '${flag}'`)
  for (const name of declaration.acl ?? []) if (!CATEGORIES.includes(name)) fail(`unknown ACL category '${name}'`)
  if (declaration.flags?.includes('write') && declaration.flags.includes('readonly')) fail('both write and readonly')
  for (const spec of declaration.keys ?? []) validateKeySpec(spec, fail)
  validateArguments(declaration.args ?? [], declaration.keys?.length ?? 0, fail)
  if (parent !== undefined && declaration.subcommands !== undefined) fail('a subcommand has no subcommands')
}

function validateKeySpec(spec: KeySpec, fail: (problem: string) => never): void {
  checkFields(spec, KEY_SPEC_FIELDS, fail)
  for (const flag of spec.flags) if (!Object.hasOwn(KEY_FLAG_BITS, flag)) fail(`unknown key flag '${flag}'`)
  const { begin, find } = spec
  if (begin !== 'unknown' && 'index' in begin && begin.index < 1) fail('a key cannot begin before argument 1')
  if (find === 'unknown' || !('range' in find)) return
  if (find.range.step < 1) fail('the step of a key range is below 1')
  if (find.range.limit !== 0 && find.range.last !== -1) fail('a key range with a limit goes to the last argument')
}

function validateArguments(args: readonly Argument[], keySpecs: number, fail: (problem: string) => never): void {
  for (const argument of args) {
    checkFields(argument, ARGUMENT_FIELDS, fail)
    const { name, type, keySpec } = argument
    if (keySpec !== undefined && (keySpec < 0 || keySpec >= keySpecs)) {
      fail(`argument '${name}' refers to key specification ${keySpec} of ${keySpecs}`)
    }
    if (argument.multipleToken && !argument.multiple) fail(`argument '${name}' has multipleToken but not multiple`)
    const nested = type === 'oneof' || type === 'block'
    if (nested !== (argument.arguments !== undefined)) fail(`argument '${name}' of type ${type}: wrong inner arguments`)
    validateArguments(argument.arguments ?? [], keySpecs, fail)
  }
}

function checkFields(value: object, known: object, fail: (problem: string) => never): void {
  for (const field of Object.keys(value)) if (!Object.hasOwn(known, field)) fail(`unknown field '${field}'`)
}
