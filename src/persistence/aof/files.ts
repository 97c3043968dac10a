/** The directory of an append-only file: its manifest, its parts, and what became of a file of before there were parts. */
import { close, constants, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../commands/host.ts'
import type { Config } from '../../config/config.ts'
import { strerror } from '../../config/strerror.ts'
import { Manifest } from './manifest.ts'

export interface FilesEngine {
  readonly config: Config
  readonly log: Log
}

const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants

export class AofFiles {
  manifest: Manifest
  #engine: FilesEngine

  constructor(engine: FilesEngine) {
    this.#engine = engine
    this.manifest = new Manifest(this.#name)
  }

  get #name(): string {
    return this.#engine.config.get('appendfilename')
  }

  get directory(): string {
    const { config } = this.#engine
    return config.resolvePath(config.get('appenddirname'))
  }

  get temporaryIncrement(): string {
    return `temp-${this.#name}.incr`
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** Throws a ManifestError if there is one that cannot be used. redis 7.0.15 aof.c aofLoadManifestFromDisk */
  readManifest(): void {
    const { log } = this.#engine
    const manifest = Manifest.read(this.directory, this.#name, log)
    if (manifest === undefined) log('debug', `The AOF manifest file ${this.#name}.manifest doesn't exist`)
    this.manifest = manifest ?? new Manifest(this.#name)
  }

  /** False, and a line in the log, when it is not there and cannot be made. */
  makeDirectory(): boolean {
    const { config, log } = this.#engine
    try {
      mkdirSync(this.directory, 0o755)
      return true
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && statSync(this.directory).isDirectory()
      if (isThere) return true
      log('warning', `Can't open or create append-only dir ${config.get('appenddirname')}: ${strerror(error)}`)
      return false
    }
  }

  /** -1, and a line in the log, when it fails. */
  openPart(name: string, empty: boolean): number {
    try {
      return openSync(this.path(name), O_WRONLY | O_CREAT | O_APPEND | (empty ? O_TRUNC : 0), 0o644)
    } catch (error) {
      this.#engine.log('warning', `Can't open the append-only file ${name}: ${strerror(error)}`)
      return -1
    }
  }

  closePart(fd: number): void {
    close(fd)
  }

  size(name: string): number {
    try {
      return statSync(this.path(name)).size
    } catch (error) {
      this.#engine.log('warning', `Unable to obtain the AOF file ${name} length. stat: ${strerror(error)}`)
      return 0
    }
  }

  save(manifest: Manifest): boolean {
    return manifest.save(this.directory, this.#engine.log)
  }

  /** Saves this manifest and takes it in the place of the one so far; that one stays when it cannot be saved. */
  replace(manifest: Manifest): boolean {
    if (!this.save(manifest)) return false
    this.manifest = manifest
    return true
  }

  /** redis 7.0.15 aof.c aofDelHistoryFiles */
  removeHistory(): void {
    const { config, log } = this.#engine
    const { manifest } = this
    if (config.get('aof-disable-auto-gc') || manifest.history.length === 0) return
    for (const { name } of manifest.history) {
      log('notice', `Removing the history file ${name} in the background`)
      this.#removeSoon(name)
    }
    manifest.dropHistory()
    this.save(manifest)
  }

  removeTemporaryIncrement(): void {
    const name = this.temporaryIncrement
    this.#engine.log('notice', `Removing the temp incr aof file ${name} in the background`)
    this.#removeSoon(name)
  }

  /**
   * The name goes at once, so that another file may have it; the bytes, which can take long, when the file that is held
   * open until then is closed in the thread pool. redis 7.0.15 util.c bg_unlink
   */
  #removeSoon(name: string): void {
    let fd = -1
    try {
      fd = openSync(this.path(name), 'r')
    } catch {
      // It is not there.
      return
    }
    rmSync(this.path(name), { force: true })
    close(fd)
  }

  /**
   * A file of before there were parts, in the server's directory, becomes the base. False, and a line in the log, when
   * that fails; it is tried again at the next start then. redis 7.0.15 aof.c loadAppendOnlyFiles, aofUpgradePrepare
   */
  upgrade(): boolean {
    const { config, log } = this.#engine
    const { manifest } = this
    const name = this.#name
    const old = config.resolvePath(name)
    if (!existsSync(old)) return true
    const onlyBase = manifest.base !== null && manifest.increments.length === 0
    const interrupted = onlyBase && manifest.base!.name === name && !existsSync(this.path(name))
    if (existsSync(this.directory) && !manifest.isEmpty && !interrupted) return true
    if (!this.makeDirectory()) return false
    manifest.adoptBase()
    if (!this.save(manifest)) return false
    const directory = config.get('appenddirname')
    try {
      renameSync(old, this.path(name))
    } catch (error) {
      log('warning', `Error trying to move the old AOF file ${name} into dir ${directory}: ${strerror(error)}`)
      return false
    }
    log('notice', `Successfully migrated an old-style AOF file (${name}) into the AOF directory (${directory}).`)
    return true
  }
}
