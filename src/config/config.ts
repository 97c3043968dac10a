/**
 * The current value of every option, and the ways in which it changes: a file, the environment, the command line,
 * CONFIG SET, and what the server itself works out. Follows redis 7.0.15 config.c; the rows are in options.ts, the
 * syntax in redis-conf.ts, CONFIG REWRITE in rewrite.ts.
 *
 * Who uses an option reads it with get(), or, where it counts per command, keeps it in a field of its own through
 * watch(): an object of this many properties is a hash table. Who must do something about a change, and may fail,
 * registers with onApply(); CONFIG SET then takes all of its changes or none.
 *
 * `dir` is a value and not the directory of the process, so that several servers can live in one: resolvePath() does
 * what chdir() would.
 */
import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { globMatch } from '../bytes/glob.ts'
import { ApplyHooks, type Change, type Failed, type Hook } from './apply.ts'
import { type Environment, environmentText, parseCommandLine } from './arguments.ts'
import { formatValue, parseValue } from './codec.ts'
import { type FileDirective, loadText } from './load.ts'
import { type Option, type OptionValue, takesSeveral } from './option.ts'
import { defaultValues, findOption, NAMED_OPTIONS, type NamedOption, type OptionName, type Values } from './options.ts'
import { fatalConfigError, readConfigFiles } from './redis-conf.ts'
import { strerror } from './strerror.ts'

/** What CONFIG SET has to know of its caller. */
export interface SetContext {
  /** A dump is being loaded. */
  readonly loading?: boolean
  /** The client is on this machine (enable-protected-configs local). */
  readonly local?: boolean
}

export interface ArgumentSources {
  readonly env?: Environment
  /** The text of standard input, for the argument `-`. */
  readonly stdin?: () => string
}

type Listener<N extends OptionName> = (value: Values[N], old: Values[N]) => void
type AnyListener = (value: OptionValue, old: OptionValue) => void
type Outcome = string | undefined

interface Assignment {
  readonly named: NamedOption
  readonly args: readonly string[]
}

export class Config {
  readonly values: Values
  readonly #explicit = new Set<string>()
  readonly #listeners = new Map<string, AnyListener[]>()
  readonly #hooks = new ApplyHooks()
  readonly #fileDirectives = new Map<string, FileDirective[]>()
  readonly #directiveHandlers = new Map<string, (args: readonly string[]) => Outcome>()
  readonly #lineSources = new Map<string, () => Iterable<string>>()
  #file = ''
  #savePointsLoaded = false
  #setting: Promise<Outcome> | undefined

  constructor() {
    this.values = { ...defaultValues(), dir: process.cwd() }
  }

  /** `name` is the option's own name, not an alias. */
  get<N extends OptionName>(name: N): Values[N] {
    return this.values[name]
  }

  /** The value as CONFIG GET prints it. */
  format(name: OptionName): string {
    return this.#format(findOption(name)!.option)
  }

  /** The absolute path of the configuration file; empty without one. */
  get file(): string {
    return this.#file
  }

  /** A relative path begins in `dir`. */
  resolvePath(path: string): string {
    return resolve(this.values.dir, path)
  }

  /** Whether a file, the environment, the command line or CONFIG SET gave the option its value. */
  isExplicit(name: OptionName): boolean {
    return this.#explicit.has(name)
  }

  /** Whether arguments of CONFIG SET for this name are kept out of logs. */
  isSensitive(name: string): boolean {
    return findOption(name)?.option.sensitive === true
  }

  /** Called after a change, however it came about. Returns a function that ends it. */
  on<N extends OptionName>(name: N, listener: Listener<N>): () => void {
    const listeners = this.#listeners.get(name) ?? []
    const added = listener as unknown as AnyListener
    listeners.push(added)
    this.#listeners.set(name, listeners)
    return () => {
      const index = listeners.indexOf(added)
      if (index >= 0) listeners.splice(index, 1)
    }
  }

  /** As on(), and called at once with the value of now. */
  watch<N extends OptionName>(name: N, listener: (value: Values[N]) => void): () => void {
    listener(this.values[name])
    return this.on(name, listener)
  }

  /**
   * Called by CONFIG SET when the option has its new value; a text that it returns is the reason why that cannot be,
   * and all options of the command go back, with another call (old value first) for what was applied. It may need
   * time (a port to listen on). For several names it is called once a command, and takes no values.
   */
  onApply<N extends OptionName>(name: N, apply: (value: Values[N], old: Values[N]) => Outcome | Promise<Outcome>): void
  onApply(names: readonly OptionName[], apply: () => Outcome | Promise<Outcome>): void
  onApply(names: OptionName | readonly OptionName[], apply: (...args: never[]) => Outcome | Promise<Outcome>): void {
    for (const name of typeof names === 'string' ? [names] : names) this.#hooks.add(name, apply as unknown as Hook)
  }

  /** A value that the server works out; the option stays as good as never set. */
  setDerived<N extends OptionName>(name: N, value: Values[N]): void {
    this.#assign(findOption(name)!.option, value)
  }

  /** Back to the default, unless the option was set. */
  resetDerived(name: OptionName): void {
    if (!this.#explicit.has(name)) this.setDerived(name, defaultValues()[name])
  }

  /** Handles lines that are no options while they are loaded; a text that it returns is an error of that line. */
  onDirective(name: FileDirective['name'], handler: (args: readonly string[]) => Outcome): void {
    this.#directiveHandlers.set(name, handler)
  }

  /** Lines of a file that are no options, in order: their arguments after the name. */
  directives(name: FileDirective['name']): readonly FileDirective[] {
    return this.#fileDirectives.get(name) ?? []
  }

  /** CONFIG REWRITE replaces the lines of this directive by these (without its name); else they stay as they are. */
  onRewrite(name: FileDirective['name'], lines: () => Iterable<string>): void {
    this.#lineSources.set(name, lines)
  }

  get lineSources(): ReadonlyMap<string, () => Iterable<string>> {
    return this.#lineSources
  }

  /** Throws a ConfigError. Without a text, reads the file. */
  loadFile(path: string, text?: string): void {
    const absolute = resolve(path.trim())
    this.#load(text ?? readConfigFiles(absolute, this.values.dir))
    this.#file = absolute
  }

  /** Throws a ConfigError. Directives as in a file, for example "port 7777\nsave 60 1". */
  loadText(text: string): void {
    this.#load(text)
  }

  loadEnvironment(env: Environment): void {
    const text = environmentText(env)
    if (text !== '') this.#load(text)
  }

  /**
   * The arguments of the program, without its own name. Where sources differ, the last one counts: file, standard
   * input, environment, options. Throws a ConfigError.
   */
  loadArguments(args: readonly string[], sources: ArgumentSources = {}): void {
    const { file, readStdin, text } = parseCommandLine(args)
    const path = file === undefined ? '' : resolve(file.trim())
    // One text, so that errors count lines as Redis does.
    let all = path === '' ? '' : readConfigFiles(path, this.values.dir)
    if (readStdin) all += sources.stdin?.() ?? ''
    const environment = environmentText(sources.env ?? {})
    if (environment !== '') all += `\n${environment}`
    if (args.length > 0) all += `\n${text}`
    this.#file = path
    this.#load(all)
    // Who brings a redis.conf means what it says to Redis, also by leaving this out (protected-mode then guards it).
    if (path !== '' && !this.isExplicit('bind')) this.setDerived('bind', ['*', '-::*'])
  }

  /** CONFIG GET: each name once, an alias beside its option, hidden options for their exact name only. */
  getMatching(patterns: readonly string[]): [string, string][] {
    const found = new Map<string, [string, string]>()
    for (const pattern of patterns) {
      if (!/[[*?]/.test(pattern)) {
        const key = pattern.toLowerCase()
        const named = findOption(key)
        if (named !== undefined && !found.has(key)) found.set(key, [pattern, this.#format(named.option)])
        continue
      }
      const bytes = Buffer.from(pattern, 'utf8')
      for (const { name, option } of NAMED_OPTIONS) {
        if (option.hidden === true || found.has(name)) continue
        const text = Buffer.from(name, 'utf8')
        if (globMatch(bytes, text, 0, text.length, true)) found.set(name, [name, this.#format(option)])
      }
    }
    return [...found.values()]
  }

  /**
   * CONFIG SET: the error text, or undefined when all of it is done. An option whose onApply() needs time is taken at
   * once and goes back should that fail; who wants to know uses setAndWait().
   */
  set(pairs: readonly (readonly [string, string])[], context: SetContext = {}): string | undefined {
    const outcome = this.setAndWait(pairs, context)
    return outcome instanceof Promise ? undefined : outcome
  }

  /** As set(), with a promise if something needs time, or if the command has to wait for another that does. */
  setAndWait(pairs: readonly (readonly [string, string])[], context: SetContext = {}): Outcome | Promise<Outcome> {
    if (this.#setting !== undefined) return this.#setting.then(() => this.setAndWait(pairs, context))
    const chosen = this.#choose(pairs, context)
    if (typeof chosen === 'string') return chosen
    const before = new Map<Option, OptionValue>()
    for (const { named } of chosen) before.set(named.option, this.#value(named.option))
    const changes = new Map<Option, Change>()
    for (const { named, args } of chosen) {
      const { option, name } = named
      const old = this.#value(option)
      const parsed = parseValue(option, args, { current: old, dir: this.values.dir, append: false })
      if ('error' in parsed) {
        this.#restore(before)
        return failed(name, parsed.error)
      }
      this.#store(option, parsed.value)
      const same = formatValue(option, old) === formatValue(option, parsed.value)
      const earlier = changes.get(option)
      // An option and its alias may both be there.
      if (earlier !== undefined) changes.set(option, { ...earlier, value: parsed.value })
      else if (!same || option.volatile === true) changes.set(option, { name, option, value: parsed.value, old })
    }
    const failure = this.#hooks.apply(changes.values(), () => this.#restore(before))
    if (!(failure instanceof Promise)) return this.#settle(chosen, changes, failure)
    const setting = failure
      .then((reason) => this.#settle(chosen, changes, reason))
      .finally(() => {
        this.#setting = undefined
      })
    this.#setting = setting
    return setting
  }

  // redis 7.0.15 config.c configSetCommand, up to the point where values are set.
  #choose(pairs: readonly (readonly [string, string])[], context: SetContext): Assignment[] | string {
    const chosen: Assignment[] = []
    for (const [given, text] of pairs) {
      const named = findOption(given)
      if (named === undefined) return `ERR Unknown option or number of arguments for CONFIG SET - '${given}'`
      const { option } = named
      if (option.immutable === true) return failed(given, "can't set immutable config")
      if (option.protected === true && !this.#allowsProtected(context))
        return failed(given, "can't set protected config")
      if (option.denyLoading === true && context.loading === true)
        return 'LOADING Redis is loading the dataset in memory'
      if (chosen.some((other) => other.named === named)) return failed(given, 'duplicate parameter')
      const args = takesSeveral(option) ? (text === '' ? [] : text.split(' ')) : [text]
      chosen.push({ named, args })
    }
    return chosen
  }

  #allowsProtected(context: SetContext): boolean {
    const who = this.values['enable-protected-configs']
    return who === 'yes' || (who === 'local' && context.local === true)
  }

  #settle(chosen: readonly Assignment[], changes: ReadonlyMap<Option, Change>, failure: Failed | undefined): Outcome {
    if (failure !== undefined) return failed(failure.name, failure.reason)
    for (const { named } of chosen) this.#explicit.add(named.option.name)
    for (const { option, value, old } of changes.values()) this.#tell(option, value, old)
    return undefined
  }

  #load(text: string): void {
    loadText(text, {
      assign: (named, args) => this.#loadOption(named, args),
      directive: (directive) => this.#loadDirective(directive),
      readFile: (path) => readConfigFiles(path, this.values.dir),
      finish: () => this.#checkLoaded(),
    })
  }

  #loadOption({ option }: NamedOption, args: readonly string[]): Outcome {
    // The first save line replaces the default, those after it add to it.
    const append = option.kind === 'save' && this.#savePointsLoaded
    const parsed = parseValue(option, args, { current: this.#value(option), dir: this.values.dir, append })
    if ('error' in parsed) return parsed.error
    if (option.kind === 'save') this.#savePointsLoaded = true
    this.#explicit.add(option.name)
    this.#assign(option, parsed.value)
    return undefined
  }

  #loadDirective(directive: FileDirective): Outcome {
    const sameName = this.#fileDirectives.get(directive.name) ?? []
    sameName.push(directive)
    this.#fileDirectives.set(directive.name, sameName)
    return this.#directiveHandlers.get(directive.name)?.(directive.args)
  }

  /** What redis 7.0.15 config.c loadServerConfigFromString checks after the last line. */
  #checkLoaded(): void {
    const { logfile, replicaof } = this.values
    if (logfile !== '') {
      try {
        closeSync(openSync(this.resolvePath(logfile), 'a'))
      } catch (error) {
        throw fatalConfigError(`Can't open the log file: ${strerror(error)}`)
      }
    }
    if (this.values['cluster-enabled'] && replicaof !== '')
      throw fatalConfigError('replicaof directive not allowed in cluster mode')
  }

  #value(option: Option): OptionValue {
    return this.values[option.name as OptionName]
  }

  #format(option: Option): string {
    return formatValue(option, this.#value(option))
  }

  #store(option: Option, value: OptionValue): void {
    const values = this.values as Record<string, OptionValue>
    values[option.name] = value
  }

  #restore(values: ReadonlyMap<Option, OptionValue>): void {
    for (const [option, value] of values) this.#store(option, value)
  }

  #assign(option: Option, value: OptionValue): void {
    const old = this.#value(option)
    this.#store(option, value)
    if (formatValue(option, old) !== formatValue(option, value)) this.#tell(option, value, old)
  }

  #tell(option: Option, value: OptionValue, old: OptionValue): void {
    const listeners = this.#listeners.get(option.name)
    if (listeners === undefined) return
    for (const listener of [...listeners]) listener(value, old)
  }
}

function failed(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
}
