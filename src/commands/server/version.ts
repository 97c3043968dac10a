/** The program's own version, as package.json has it; INFO tells it beside the version of Redis whose behaviour is kept. */
import { readFileSync } from 'node:fs'

interface Package {
  readonly version: string
}

const MANIFEST = new URL('../../../package.json', import.meta.url)

export const TANDEM_VERSION = (JSON.parse(readFileSync(MANIFEST, 'utf8')) as Package).version
