/**
 * The file of users (aclfile): a line a user, `user <name> <rule> ...`. Reading takes all lines or none, and tells
 * everything that is wrong; writing replaces the file at once. Follows redis 7.0.15 acl.c ACLLoadFromFile, ACLSaveToFile.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import type { Log } from '../commands/host.ts'
import { strerror } from '../config/strerror.ts'
import { hasSpaces, mergeSelectors, RULE_ERRORS, type Rules } from './rules.ts'
import type { User } from './user.ts'

const FILE_MODE = 0o644
const NOTHING_CHANGED = 'WARNING: ACL errors detected, no change to the previously active ACL rules was performed'

/** The users by name, or what is wrong in one line. `shown` is the path as configured. */
export function readUsers(path: string, shown: string, rules: Rules): Map<string, User> | string {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    return `Error loading ACLs, opening file '${shown}': ${strerror(error)}`
  }
  const users = new Map<string, User>()
  let errors = ''
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) errors += readLine(lines[i]!, `${shown}:${i + 1}`, i + 1, users, rules)
  return errors === '' ? users : errors + NOTHING_CHANGED
}

/** Adds the user to `users`; the line's errors, each with a blank behind it. */
function readLine(raw: string, where: string, line: number, users: Map<string, User>, rules: Rules): string {
  const text = trim(raw, ' \t\r\n')
  if (text === '') return ''
  const [keyword, name, ...given] = text.split(' ')
  if (keyword !== 'user' || name === undefined) {
    return `${where} should start with user keyword followed by the username. `
  }
  if (hasSpaces(name)) return `'${where}: username '${name}' contains invalid characters. `
  if (users.has(name)) return `WARNING: Duplicate user '${name}' found on line ${line}. `
  const user = rules.newUser(name)
  users.set(name, user)
  const merged = mergeSelectors(given)
  if ('unmatched' in merged) return `${where}: Unmatched parenthesis in selector definition.`
  let errors = ''
  let toldSyntax = false
  for (const one of merged.rules) {
    const rule = trim(one, '\t\r\n')
    const error = rules.apply(user, rule)
    if (error === null) continue
    if (error === 'unknownCommand') {
      errors += `${where}: Error in applying operation '${rule}': ${RULE_ERRORS[error]}. `
    } else if (!toldSyntax) {
      // The rule itself is not shown: it could be a password.
      errors += `${where}: ${RULE_ERRORS[error]}. `
      toldSyntax = true
    }
  }
  return errors
}

function trim(text: string, characters: string): string {
  let start = 0
  let end = text.length
  while (start < end && characters.includes(text[start]!)) start++
  while (end > start && characters.includes(text[end - 1]!)) end--
  return text.slice(start, end)
}

/** False, with the reason in the server's log, when the file is as it was. */
export function writeUsers(path: string, users: Iterable<User>, log: Log, unixMs: number): boolean {
  let text = ''
  for (const user of users) text += `user ${user.name} ${user.description}\n`
  const temporary = `${path}.tmp-${process.pid}-${unixMs}`
  let step = 'Opening temp'
  let fd = -1
  try {
    fd = openSync(temporary, 'w', FILE_MODE)
    step = 'Writing'
    writeAll(fd, Buffer.from(text, 'latin1'))
    fsyncSync(fd)
    closeSync(fd)
    fd = -1
    step = 'Renaming'
    renameSync(temporary, path)
    return true
  } catch (error) {
    log('warning', `${step} ACL file for ACL SAVE: ${strerror(error)}`)
    if (fd >= 0) closeSync(fd)
    if (step !== 'Opening temp') unlinkSync(temporary)
    return false
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}
