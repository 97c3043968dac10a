/**
 * The child process that stands for a background save. Snapshots need no fork, but operators, scripts and tests of Redis
 * know the child: it has a pid that the log names, `ps` shows what it is for, killing it ends the save and nothing else,
 * and it ends with its parent. So each save is attended by a `cat` that reads from a pipe on which nothing is ever sent.
 * Where there is no such program, and when this process is large, saves go on unattended: Node starts processes with
 * fork(), which holds everybody up while the page tables are copied (3 ms at 60 MB, 75 ms at 2 GB).
 * redis 7.0.15 server.c redisFork, checkChildrenDone
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'

const LARGE_BYTES = 512 * 1024 * 1024

export class Attendant {
  #child: ChildProcess | null = null

  /**
   * @param parent is told the pid of the child
   * @param title what `ps` shows, as `tandem-rdb-bgsave`
   * @param onKilled somebody ended the child: the number of the signal; not called after release()
   */
  constructor(parent: { onChild?: (pid: number) => void }, title: string, onKilled: (signal: number) => void) {
    if (process.memoryUsage.rss() > LARGE_BYTES) return
    const child = spawn('cat', { argv0: title, stdio: ['pipe', 'ignore', 'ignore'], env: {} })
    this.#child = child
    child.on('error', () => {
      this.#child = null
    })
    child.stdin.on('error', () => {})
    child.on('exit', (_, signal) => {
      if (this.#child === null) return
      this.#child = null
      if (signal !== null) onKilled(constants.signals[signal])
    })
    child.unref()
    if (child.pid !== undefined) parent.onChild?.(child.pid)
  }

  /** Of the child; of this process when there is none. */
  get pid(): number {
    return this.#child?.pid ?? process.pid
  }

  /** The save has ended. */
  release(): void {
    const child = this.#child
    this.#child = null
    child?.stdin?.destroy()
    child?.kill('SIGKILL')
  }
}
