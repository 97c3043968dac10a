/**
 * A series of values as a small picture of text: one column a value, taller for larger ones, its label written downwards
 * below it. redis 7.0.15 sparkline.c sparklineRender with SPARKLINE_FILL
 */
export interface Sample {
  readonly value: number
  readonly label: string
}

/** From the foot of a row to its top; a column that goes on above the row is a line. */
const LEVELS = '_o#'
const COLUMN = '|'
const LABEL_MARGIN = 1

export function sparkline(samples: readonly Sample[], columns: number, rows: number): string {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (const { value } of samples) {
    min = Math.min(min, value)
    max = Math.max(max, value)
  }
  const parts: string[] = []
  for (let from = 0; from < samples.length; from += columns) {
    parts.push(render(samples.slice(from, from + columns), min, max - min || 1, rows))
  }
  return parts.join('\n')
}

function render(samples: readonly Sample[], min: number, span: number, rows: number): string {
  const steps = LEVELS.length * rows
  const heights = samples.map(({ value }) => Math.min(Math.trunc(((value - min) * steps) / span), steps - 1))
  let text = ''
  for (let row = 0; row < rows; row++) {
    const foot = (rows - row - 1) * LEVELS.length
    text += `${heights.map((height) => cell(height - foot)).join('')}\n`
  }
  text += `${' '.repeat(samples.length)}\n`.repeat(LABEL_MARGIN)
  const longest = Math.max(0, ...samples.map(({ label }) => label.length))
  for (let at = 0; at < longest; at++) text += `${samples.map(({ label }) => label[at] ?? ' ').join('')}\n`
  return text
}

function cell(level: number): string {
  if (level < 0) return ' '
  return LEVELS[level] ?? COLUMN
}
