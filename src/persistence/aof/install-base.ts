/**
 * A new base that is complete gets its name, and the manifest names it: from that moment on the data set is this base and
 * what was written since its instant, and all before is history. redis 7.0.15 aof.c backgroundRewriteDoneHandler
 */
import { renameSync, rmSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { strerror } from '../../config/strerror.ts'
import type { Engine } from '../../engine/engine.ts'
import type { AppendFile } from './append-file.ts'
import type { BaseJob } from './base-job.ts'
import type { AofFiles } from './files.ts'
import type { Places } from './places.ts'

/** `isFirst`: what was written since is in a temporary increment. False, and a line in the log, when it fails. */
export function installBase(
  engine: Engine,
  files: AofFiles,
  { file, places }: { file: AppendFile; places: Places },
  job: BaseJob,
  isFirst: boolean,
): boolean {
  const next = files.manifest.copy()
  const base = next.newBase(job.format)
  const temporary = job.path.slice(job.path.lastIndexOf('/') + 1)
  if (!rename(engine, files, 'base', { path: job.path, shown: temporary, name: base })) return false
  let increment: string | null = null
  if (isFirst) {
    // Nothing of it may be missing once it has its name.
    file.flush(true)
    increment = next.newIncrement()
    const shown = files.temporaryIncrement
    if (!rename(engine, files, 'incr', { path: files.path(shown), shown, name: increment })) {
      rmSync(files.path(base), { force: true })
      return false
    }
  }
  next.retireIncrements(file.isOpen)
  if (!files.replace(next)) {
    rmSync(files.path(base), { force: true })
    if (increment !== null) rmSync(files.path(increment), { force: true })
    return false
  }
  if (file.isOpen) {
    file.currentSize = files.size(base) + file.partSize
    places.installed(next.lastIncrement())
  }
  files.removeHistory()
  return true
}

interface Rename {
  path: string
  /** As the log names it. */
  shown: string
  name: string
}

function rename(engine: Engine, files: AofFiles, kind: 'base' | 'incr', { path, shown, name }: Rename): boolean {
  const { log } = engine
  const target = files.path(name)
  const started = performance.now()
  try {
    renameSync(path, target)
  } catch (error) {
    const from = kind === 'base' ? shown : path
    log('warning', `Error trying to rename the temporary AOF ${kind} file ${from} into ${target}: ${strerror(error)}`)
    return false
  }
  engine.addLatency('aof-rename', performance.now() - started)
  log('notice', `Successfully renamed the temporary AOF ${kind} file ${shown} into ${name}`)
  return true
}
