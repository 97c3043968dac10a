/** The code's own rules: imports point down the layers, there are no cycles, files stay short, nothing is left undone. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))
const LAYERS = [
  'bytes',
  'config',
  'tls',
  'resp',
  'store',
  'rdb',
  'effects',
  'lua',
  'commands',
  'acl',
  'engine',
  'persistence',
  'replication',
  'proxy',
  'embedded',
  'migrate',
  'server',
  'metrics',
]
const LINES_MAX = 520
/** Longer files, each with its reason. */
const LONG: Record<string, string> = {
  'config/config.ts': 'get, set, load and rewrite share the table of values',
}

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return files(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

const sources = files(SRC).map((path) => {
  const text = readFileSync(path, 'utf8')
  const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map((found) =>
    relative(SRC, resolve(dirname(path), found[1]!)),
  )
  const typeOnly = new Set(
    [...text.matchAll(/(?:im|ex)port type [^;]*? from '(\.[^']+)'/g)].map((found) =>
      relative(SRC, resolve(dirname(path), found[1]!)),
    ),
  )
  return { name: relative(SRC, path), text, imports, typeOnly }
})

function layer(name: string): number {
  const folder = name.split('/')[0]!
  return name.includes('/') ? LAYERS.indexOf(folder) : LAYERS.length
}

describe('the code', () => {
  it('has every folder in the list of layers', () => {
    for (const { name } of sources) assert.notEqual(layer(name), -1, `${name} is in no layer`)
  })

  it('imports downwards only', () => {
    for (const { name, imports } of sources) {
      for (const target of imports) {
        assert.ok(layer(target) <= layer(name), `${name} imports ${target}, which is above it`)
      }
    }
  })

  it('has no cycle of imports at run time', () => {
    const edges = new Map(sources.map(({ name, imports, typeOnly }) => [name, imports.filter((i) => !typeOnly.has(i))]))
    const done = new Set<string>()
    const visit = (name: string, path: string[]): void => {
      if (done.has(name)) return
      assert.ok(!path.includes(name), `a cycle: ${[...path, name].join(' → ')}`)
      for (const target of edges.get(name) ?? []) visit(target, [...path, name])
      done.add(name)
    }
    for (const { name } of sources) visit(name, [])
  })

  it('has files that fit into a head', () => {
    for (const { name, text } of sources) {
      const lines = text.split('\n').length
      assert.ok(lines <= LINES_MAX || LONG[name] !== undefined, `${name} has ${lines} lines`)
    }
  })

  it('leaves nothing undone, and says at the top of each file what it is for', () => {
    for (const { name, text } of sources) {
      assert.doesNotMatch(text, /\b(TODO|FIXME|XXX)\b/, name)
      assert.match(text, /^(#!.*\n)?\/\*\*/, `${name} does not begin with a comment`)
    }
  })
})
