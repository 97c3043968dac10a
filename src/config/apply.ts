/**
 * What has to happen outside when options change (listen on another port, resize the backlog), and how it is undone:
 * hooks run in the order of the command's arguments, each once; when one refuses, the old values come back and the
 * hooks that ran run again, that one included. redis 7.0.15 config.c configSetCommand and restoreBackupConfig.
 */
import type { Option, OptionValue } from './option.ts'

export interface Change {
  /** As the command named the option: it may be the alias. */
  readonly name: string
  readonly option: Option
  readonly value: OptionValue
  readonly old: OptionValue
}

export interface Failed {
  readonly name: string
  readonly reason: string
}

/** Returns the reason why the value cannot be. */
export type Hook = (value: OptionValue, old: OptionValue) => string | undefined | Promise<string | undefined>

interface Run {
  readonly hook: Hook
  readonly change: Change
}

export class ApplyHooks {
  readonly #hooks = new Map<string, Hook[]>()

  add(name: string, hook: Hook): void {
    const hooks = this.#hooks.get(name) ?? []
    hooks.push(hook)
    this.#hooks.set(name, hooks)
  }

  /** A promise only if a hook returned one. `restore` puts the old values back before hooks are undone. */
  apply(changes: Iterable<Change>, restore: () => void): Failed | undefined | Promise<Failed | undefined> {
    const runs: Run[] = []
    for (const change of changes) {
      for (const hook of this.#hooks.get(change.option.name) ?? []) {
        if (!runs.some((run) => run.hook === hook)) runs.push({ hook, change })
      }
    }
    return this.#runFrom(runs, 0, restore)
  }

  #runFrom(runs: readonly Run[], first: number, restore: () => void): Failed | undefined | Promise<Failed | undefined> {
    for (let i = first; i < runs.length; i++) {
      const { hook, change } = runs[i]!
      const outcome = call(hook, change.value, change.old)
      if (outcome instanceof Promise) {
        return outcome.then((reason) =>
          reason === undefined ? this.#runFrom(runs, i + 1, restore) : undo(runs, i, reason, restore),
        )
      }
      if (outcome !== undefined) return undo(runs, i, outcome, restore)
    }
    return undefined
  }
}

/** A hook that throws has refused. */
function call(hook: Hook, value: OptionValue, old: OptionValue): string | undefined | Promise<string | undefined> {
  try {
    const outcome = hook(value, old)
    return outcome instanceof Promise ? outcome.catch(reasonOf) : outcome
  } catch (error) {
    return reasonOf(error)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What the hooks say now is not heard: there is nothing left to go back to. */
function undo(runs: readonly Run[], last: number, reason: string, restore: () => void): Failed | Promise<Failed> {
  restore()
  const failure = { name: runs[last]!.change.name, reason }
  const pending: Promise<unknown>[] = []
  for (let i = 0; i <= last; i++) {
    const { hook, change } = runs[i]!
    const outcome = call(hook, change.old, change.value)
    if (outcome instanceof Promise) pending.push(outcome)
  }
  return pending.length === 0 ? failure : Promise.all(pending).then(() => failure)
}
