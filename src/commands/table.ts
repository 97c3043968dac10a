/**
 * All commands of a server: built from the groups' declarations, checked, numbered, and found by name in a request's bytes.
 * Only what has a handler is in it: a declaration without `run`, or a container none of whose subcommands runs, is left out.
 */
import { Command } from './command.ts'
import type { CommandDeclaration, Group, GroupName } from './define.ts'
import { NameIndex } from './name-index.ts'
import { validateDeclaration, validateGroup } from './validate.ts'

export type { Command } from './command.ts'

export class CommandTable {
  /** Every command and subcommand; a command's id is its place. */
  readonly all: readonly Command[]
  #all: Command[] = []
  #names = new NameIndex()
  /** As declared, whatever rename() did. */
  #originals = new Map<string, Command>()
  /** Of containers, by the container's id. */
  #subcommands: (NameIndex | undefined)[] = []

  constructor(groups: readonly Group[]) {
    this.all = this.#all
    const seen = new Set<string>()
    for (const group of groups) {
      validateGroup(group.name)
      for (const declaration of group.commands) {
        validateDeclaration(declaration)
        for (const sub of declaration.subcommands ?? []) validateDeclaration(sub, declaration.name)
        if (seen.has(declaration.name)) throw new Error(`command '${declaration.name}' is declared twice`)
        seen.add(declaration.name)
        this.#add(group.name, declaration)
      }
    }
  }

  /** The command whose name these bytes are, in any case. */
  lookup(buf: Uint8Array, start: number, end: number): Command | undefined {
    return this.#names.lookup(buf, start, end)
  }

  /** The container's subcommand of this name, in any case. */
  lookupSub(container: Command, buf: Uint8Array, start: number, end: number): Command | undefined {
    return this.#subcommands[container.id]?.lookup(buf, start, end)
  }

  /** By lower case name as clients call it, or by full name 'config|get'. redis 7.0.15 server.c lookupCommandBySdsLogic */
  byName(fullName: string): Command | undefined {
    const bar = fullName.indexOf('|')
    if (bar < 0) return this.#names.get(fullName)
    const container = this.#names.get(fullName.slice(0, bar))
    return container === undefined ? undefined : this.#subcommands[container.id]?.get(fullName.slice(bar + 1))
  }

  /** By the name that was declared, for the server's own calls. */
  original(name: string): Command | undefined {
    return this.#originals.get(name)
  }

  /** The option rename-command: an empty new name removes the command. False if there is none, or the name is taken. */
  rename(oldName: string, newName: string): boolean {
    const command = this.#names.get(oldName.toLowerCase())
    const name = newName.toLowerCase()
    if (command === undefined || (name !== '' && this.#names.get(name) !== undefined)) return false
    this.#names.delete(oldName.toLowerCase())
    if (name !== '') this.#names.add(name, command)
    return true
  }

  /** Number of commands, without subcommands. */
  get size(): number {
    return this.#names.size
  }

  /** Commands without subcommands, in the order of declaration. */
  commands(): Iterable<Command> {
    return this.#names.values()
  }

  resetStatistics(): void {
    for (const command of this.#all) command.resetStatistics()
  }

  #add(group: GroupName, declaration: CommandDeclaration): void {
    const subcommands = declaration.subcommands?.filter((sub) => sub.run !== undefined)
    if (declaration.run === undefined && (subcommands === undefined || subcommands.length === 0)) return
    const command = this.#create(group, declaration)
    this.#names.add(command.name, command)
    this.#originals.set(command.name, command)
    if (subcommands === undefined || command.subcommands === undefined) return
    const index = new NameIndex()
    this.#subcommands[command.id] = index
    for (const sub of subcommands) {
      const child = this.#create(group, sub, command)
      index.add(child.name, child)
      command.subcommands.set(child.name, child)
    }
  }

  #create(group: GroupName, declaration: CommandDeclaration, parent?: Command): Command {
    const command = new Command(this.#all.length, group, declaration, parent)
    this.#all.push(command)
    this.#subcommands.push(undefined)
    return command
  }
}
