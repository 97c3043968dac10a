/** A directory on a disk of its own that can be filled to the last byte and emptied again. Needs root, as mounts do. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'

export interface SmallDisk {
  readonly dir: string
  fill(): void
  empty(): void
}

export function smallDisk(t: Cleanup, megabytes: number): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), 'tandem-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir])
  t.after(async () => {
    execFileSync('umount', ['-l', dir])
    rmdirSync(dir)
  })
  const filler = join(dir, 'filler')
  return {
    dir,
    fill() {
      const fd = openSync(filler, 'w')
      try {
        for (let bytes = 1024 * 1024; bytes >= 1; ) {
          // A write that finds some room takes it, and fails when there is none.
          if (!writes(fd, bytes)) bytes = Math.floor(bytes / 16)
        }
      } finally {
        closeSync(fd)
      }
    },
    empty: () => rmSync(filler, { force: true }),
  }
}

function writes(fd: number, bytes: number): boolean {
  try {
    return writeSync(fd, Buffer.alloc(bytes)) > 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}
