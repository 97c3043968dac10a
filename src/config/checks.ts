/** What a string option must look like; each returns the reason why not, as redis 7.0.15 config.c isValid* has it. */

const HOST_NAME_MAX = 256

function isBaseName(name: string): boolean {
  return !/[/\\]/.test(name)
}

export function checkDbFilename(value: string): string | undefined {
  return isBaseName(value) ? undefined : "dbfilename can't be a path, just a filename"
}

export function checkAppendFilename(value: string): string | undefined {
  if (value === '') return "appendfilename can't be empty"
  return isBaseName(value) ? undefined : "appendfilename can't be a path, just a filename"
}

export function checkAppendDirname(value: string): string | undefined {
  if (value === '') return "appenddirname can't be empty"
  return isBaseName(value) ? undefined : "appenddirname can't be a path, just a dirname"
}

export function checkHostname(value: string): string | undefined {
  if (Buffer.byteLength(value) >= HOST_NAME_MAX) return `Hostnames must be less than ${HOST_NAME_MAX} characters`
  if (/^[A-Za-z0-9.-]*$/.test(value)) return undefined
  return 'Hostnames may only contain alphanumeric characters, hyphens or dots'
}

export function checkConsistency(value: string): string | undefined {
  if (/^(eventual|session|linearizable|bounded \d{1,9}( fail)?)$/i.test(value)) return undefined
  return 'must be eventual, session, bounded <milliseconds> [fail] or linearizable'
}

export function checkFilterDatabases(value: string): string | undefined {
  return /^(\d{1,9}( +\d{1,9})*)?$/.test(value.trim()) ? undefined : 'must be numbers of databases, with spaces between'
}

export const FILTER_TYPES = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const

export function checkFilterTypes(value: string): string | undefined {
  const isType = (word: string) => word === '' || (FILTER_TYPES as readonly string[]).includes(word)
  return value.split(' ').every(isType) ? undefined : `must be some of: ${FILTER_TYPES.join(', ')}`
}

export const SYNC_REPLICAS_MAX = 64

export function checkSyncReplicas(value: string): string | undefined {
  if (/^\d{1,2}$/.test(value) && Number(value) <= SYNC_REPLICAS_MAX) return undefined
  return value === 'quorum' ? undefined : `must be a number from 0 to ${SYNC_REPLICAS_MAX}, or quorum`
}

/** The variables of proc-title-template; false: it may be empty, so it is no title on its own. */
const TITLE_VARIABLES = new Map([
  ['title', false],
  ['listen-addr', true],
  ['server-mode', false],
  ['config-file', true],
  ['port', true],
  ['tls-port', true],
  ['unixsocket', false],
])

/** redis 7.0.15 server.c validateProcTitleTemplate over sds.c sdstemplate; `{{` is a brace. */
export function checkProcTitleTemplate(value: string): string | undefined {
  const problem = 'template format is invalid or contains unknown variables'
  let shown = false
  let rest = value
  while (rest !== '') {
    const open = rest.indexOf('{')
    const literal = open < 0 ? rest : rest.slice(0, open)
    if (/[^ ]/.test(literal)) shown = true
    if (open < 0) break
    rest = rest.slice(open + 1)
    if (rest.startsWith('{')) {
      shown = true
      rest = rest.slice(1)
      continue
    }
    const close = rest.indexOf('}')
    const variable = close < 0 ? undefined : TITLE_VARIABLES.get(rest.slice(0, close))
    if (variable === undefined) return problem
    shown ||= variable
    rest = rest.slice(close + 1)
  }
  return shown ? undefined : problem
}
