/**
 * A selector as rules that make it again: what ACL LIST, GETUSER, SAVE and CONFIG REWRITE show. Only which commands are
 * allowed is known, not the rules that led there, so they are found anew: from +@all or -@all the categories that fit
 * best are applied one after the other, and the commands that still differ follow by name.
 * Follows redis 7.0.15 acl.c ACLDescribeSelectorCommandRules; Redis names single commands in the order of its hash table.
 */
import { categoryBit } from '../commands/categories.ts'
import type { Command } from '../commands/command.ts'
import { CATEGORIES, type Category } from '../commands/define.ts'
import type { AclSelectorView } from '../commands/host.ts'
import type { CommandTable } from '../commands/table.ts'
import { ANY_KEY, type KeyPattern, READ_KEY, Selector } from './selector.ts'

export type SelectorView = AclSelectorView

export function viewOfSelector(selector: Selector, table: CommandTable): SelectorView {
  return {
    commands: describeCommands(selector, table),
    keys: selector.allKeys ? '~*' : selector.keys.map(keyRule).join(' '),
    channels: selector.allChannels ? '&*' : selector.channels.map(({ text }) => `&${text}`).join(' '),
  }
}

/** redis 7.0.15 acl.c ACLDescribeSelector */
export function describeSelector(selector: Selector, table: CommandTable): string {
  const keys = selector.allKeys ? ['~*'] : selector.keys.map(keyRule)
  const channels = selector.allChannels ? ['&*'] : ['resetchannels', ...selector.channels.map(({ text }) => `&${text}`)]
  return [...keys, ...channels, describeCommands(selector, table)].join(' ')
}

function keyRule({ permissions, text }: KeyPattern): string {
  if (permissions === ANY_KEY) return `~${text}`
  return `${permissions === READ_KEY ? '%R~' : '%W~'}${text}`
}

export function describeCommands(selector: Selector, table: CommandTable): string {
  const rules: string[] = []
  const adds = !selector.futureCommands
  /** What the rules so far allow. */
  const built = new Selector(table.all.length, { isRoot: false, allChannels: false })
  /** The selector without what categories have told already. */
  const rest = selector.copy()
  if (adds) {
    rules.push('-@all')
  } else {
    rules.push('+@all')
    built.allowAll()
  }
  const left = new Set<Category>(CATEGORIES)
  for (let best = bestCategory(left, rest, adds, table); best !== null; best = bestCategory(left, rest, adds, table)) {
    rules.push(`${adds ? '+' : '-'}@${best}`)
    changeCategory(built, table, categoryBit(best), adds)
    changeCategory(rest, table, categoryBit(best), !adds)
    left.delete(best)
  }
  addSingleCommands(rules, selector, built, table)
  return rules.join(' ')
}

/** Parents come before their subcommands, so that `-config|set` still counts after `+config`. */
export function changeCategory(selector: Selector, table: CommandTable, bit: number, allow: boolean): void {
  for (const command of table.all) if ((command.categories & bit) !== 0) selector.change(command, allow)
}

/**
 * The category with more commands that the selector has (or, counting down from +@all, has not) than others: of those
 * the one with the fewest others, and then the largest. Null if there is none.
 */
function bestCategory(
  candidates: ReadonlySet<Category>,
  rest: Selector,
  adds: boolean,
  table: CommandTable,
): Category | null {
  let best: Category | null = null
  let leastDifferent = Number.POSITIVE_INFINITY
  let mostSame = 0
  for (const category of candidates) {
    const bit = categoryBit(category)
    let on = 0
    let off = 0
    for (const command of table.all) {
      if ((command.categories & bit) === 0) continue
      if (rest.allowed[command.id] === 1) on++
      else off++
    }
    const different = adds ? off : on
    const same = adds ? on : off
    if (same <= different) continue
    if (different < leastDifferent || (different === leastDifferent && same > mostSame)) {
      best = category
      leastDifferent = different
      mostSame = same
    }
  }
  return best
}

function addSingleCommands(rules: string[], selector: Selector, built: Selector, table: CommandTable): void {
  const addFirstArguments = (command: Command) => {
    if (selector.allowed[command.id] === 1) return
    for (const { text } of selector.firstArguments(command)) rules.push(`+${command.fullName}|${text}`)
  }
  for (const command of table.all) {
    const allowed = selector.allowed[command.id] === 1
    if (allowed !== (built.allowed[command.id] === 1)) {
      rules.push(`${allowed ? '+' : '-'}${command.fullName}`)
      built.change(command, allowed)
    }
    addFirstArguments(command)
  }
}
