/**
 * LOLWUT: computer art, and the version. VERSION 5 draws Georg Nees's "Schotter" in Braille dots, VERSION 6 a skyline in
 * four grays; without a version there is only the line of text. redis 7.0.15 lolwut.c, lolwut5.c, lolwut6.c
 */
import { REDIS_VERSION } from '../../config/redis-conf.ts'
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'

class Canvas {
  readonly width: number
  readonly height: number
  #pixels: Uint8Array

  constructor(width: number, height: number, color: number) {
    this.width = width
    this.height = height
    this.#pixels = new Uint8Array(width * height).fill(color)
  }

  set(x: number, y: number, color: number): void {
    if (x >= 0 && x < this.width && y >= 0 && y < this.height) this.#pixels[y * this.width + x] = color
  }

  get(x: number, y: number): number {
    return x >= 0 && x < this.width && y >= 0 && y < this.height ? this.#pixels[y * this.width + x]! : 0
  }

  /** Bresenham's. */
  line(fromX: number, fromY: number, toX: number, toY: number): void {
    const dx = Math.abs(toX - fromX)
    const dy = Math.abs(toY - fromY)
    const stepX = Math.sign(toX - fromX)
    const stepY = Math.sign(toY - fromY)
    let error = dx - dy
    let x = fromX
    let y = fromY
    this.set(x, y, 1)
    while (x !== toX || y !== toY) {
      const twice = error * 2
      if (twice > -dy) {
        error -= dy
        x += stepX
      }
      if (twice < dx) {
        error += dx
        y += stepY
      }
      this.set(x, y, 1)
    }
  }
}

function square(canvas: Canvas, x: number, y: number, side: number, angle: number): void {
  const radius = Math.round(side / Math.SQRT2)
  const corners = [0, 1, 2, 3].map((corner) => {
    const at = Math.PI / 4 + angle + (corner * Math.PI) / 2
    return [Math.round(Math.sin(at) * radius + x), Math.round(Math.cos(at) * radius + y)] as const
  })
  for (let i = 0; i < 4; i++) {
    const [fromX, fromY] = corners[i]!
    const [toX, toY] = corners[(i + 1) % 4]!
    canvas.line(fromX, fromY, toX, toY)
  }
}

/** Squares in rows, the lower the more out of order. */
function schotter(columns: number, perRow: number, perColumn: number): Canvas {
  const width = columns * 2
  const padding = width > 4 ? 2 : 0
  const side = (width - padding * 2) / perRow
  const canvas = new Canvas(width, Math.floor(side * perColumn) + padding * 2, 0)
  for (let row = 0; row < perColumn; row++) {
    const disorder = row > 1 ? row / perColumn : 0
    const shake = () => (Math.random() * 2 - 1) * disorder
    for (let column = 0; column < perRow; column++) {
      const x = Math.floor(column * side + side / 2 + padding + (shake() * side) / 3)
      const y = Math.floor(row * side + side / 2 + padding + (shake() * side) / 3)
      square(canvas, x, y, side, shake())
    }
  }
  return canvas
}

/** Which bit of a Braille character each of its 2 x 4 dots is. */
const BRAILLE_DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const
const BRAILLE = 0x2800

function renderBraille(canvas: Canvas): string {
  let text = ''
  for (let y = 0; y < canvas.height; y += 4) {
    for (let x = 0; x < canvas.width; x += 2) {
      let dots = 0
      for (let row = 0; row < 4; row++) {
        if (canvas.get(x, y + row) !== 0) dots |= BRAILLE_DOTS[row]![0]
        if (canvas.get(x + 1, y + row) !== 0) dots |= BRAILLE_DOTS[row]![1]
      }
      text += String.fromCharCode(BRAILLE + dots)
    }
    text += '\n'
  }
  return text
}

interface Skyscraper {
  x: number
  width: number
  height: number
  color: number
  windows: boolean
}

function random(below: number): number {
  return Math.floor(Math.random() * below)
}

function skyscraper(canvas: Canvas, { x: left, width, height, color, windows }: Skyscraper): void {
  const bottom = canvas.height - 1
  const top = bottom - height + 1
  for (let y = bottom; y >= top; y--) {
    for (let x = left; x < left + width; x++) {
      const inRoofCorner = y === top && (x <= left + 1 || x >= left + width - 2)
      if (inRoofCorner) continue
      const inside = x > left + 1 && x < left + width - 2 && y > top + 1 && y < bottom - 1
      const windowX = x - left - 1
      const isWindow = windows && inside && Math.floor(windowX / 2) % 2 === 1 && (y - top - 1) % 2 === 1
      // A window is two pixels wide and lit as one.
      const light = windowX % 2 === 1 ? canvas.get(x - 1, y) : 1 + random(2)
      canvas.set(x, y, isWindow ? light : color)
    }
  }
}

/** Two rows of gray towers far away, one of black towers with windows in front. */
function skyline(columns: number, rows: number): Canvas {
  const canvas = new Canvas(columns, rows, 3)
  for (const color of [2, 1]) {
    for (let x = -10; x < columns; ) {
      x += random(8)
      const width = 10 + random(9)
      const height = Math.floor(rows / 2) + Math.floor(random(rows) / (color === 2 ? 2 : 3))
      skyscraper(canvas, { x, width, height, color, windows: false })
      x += color === 2 ? Math.floor(width / 2) : width + 1
    }
  }
  for (let x = -10; x < columns; ) {
    x += random(8)
    let width = 5 + random(14)
    if (width % 4 !== 0) width += width % 3
    skyscraper(canvas, {
      x,
      width,
      height: Math.floor(rows / 3) + Math.floor(random(rows) / 2),
      color: 0,
      windows: true,
    })
    x += width + 5
  }
  return canvas
}

const GRAYS = ['0;30;40m', '0;90;100m', '0;37;47m', '0;97;107m']

function renderGrays(canvas: Canvas): string {
  let text = ''
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) text += `\x1b[${GRAYS[canvas.get(x, y)]} \x1b[0m`
    if (y !== canvas.height - 1) text += '\n'
  }
  return text
}

/** The sizes behind the version, `defaults` where none is given, each in 1..limit; undefined after an error reply. */
function sizes(call: Call, from: number, defaults: readonly number[], limits: readonly number[]): number[] | undefined {
  const result: number[] = []
  for (let i = 0; i < defaults.length; i++) {
    const value = from + i < call.args.argc ? call.integer(from + i) : defaults[i]!
    if (value === undefined) return undefined
    result.push(Math.min(Math.max(value, 1), limits[i]!))
  }
  return result
}

function runLolwut(call: Call): void {
  const { args, reply } = call
  const versioned = args.argc >= 3 && args.is(1, 'VERSION')
  const version = versioned ? call.integer(2) : 7
  if (version === undefined) return
  if (version === 5) {
    const given = sizes(call, 3, [66, 8, 12], [1000, 200, 200])
    if (given === undefined) return
    const [columns, perRow, perColumn] = given as [number, number, number]
    const art = renderBraille(schotter(columns, perRow, perColumn))
    reply.verbatim(`${art}\nGeorg Nees - schotter, plotter on paper, 1968. Redis ver. ${REDIS_VERSION}\n`)
  } else if (version === 6) {
    const given = sizes(call, 3, [80, 20], [1000, 1000])
    if (given === undefined) return
    const [columns, rows] = given as [number, number]
    const art = renderGrays(skyline(columns, rows))
    reply.verbatim(
      `${art}\nDedicated to the 8 bit game developers of past and present.\n` +
        `Original 8 bit image from Plaguemon by hikikomori. Redis ver. ${REDIS_VERSION}\n`,
    )
  } else {
    reply.verbatim(`Redis ver. ${REDIS_VERSION}\n`)
  }
}

export const lolwut = command({
  name: 'lolwut',
  arity: -1,
  since: '5.0.0',
  summary: 'Display some computer art and the Redis version',
  flags: ['readonly', 'fast'],
  args: [arg.integer('version', { token: 'VERSION', optional: true })],
  run: runLolwut,
})
