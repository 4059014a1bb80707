/** An animated picture (SVG) of what a terminal showed, from an asciinema recording (asciicast v2). */

interface Shown {
  /** Seconds since the beginning of the picture. */
  readonly at: number;
  readonly line: string;
}

const rows = 26;
const lineHeight = 18;
const letter = 7.8;
const edge = 16;
/** Longer pauses are shortened to this, since nobody waits in a picture. Seconds. */
const longestPause = 1.2;
/** Lines that came at once are shown one by one, so that they can be read. Seconds. */
const betweenLines = 0.25;
const heldAtEnd = 6;

/** Lines in order, each with the time at which it was complete. */
function linesOf(cast: string): { readonly columns: number; readonly lines: readonly Shown[] } {
  const [head = '{}', ...events] = cast.trim().split('\n');
  const { width: columns = 100 }: { readonly width?: number } = JSON.parse(head);
  const lines: Shown[] = [];
  let [open, at, before] = ['', 0, 0];
  for (const event of events) {
    const [time, , text]: [number, string, string] = JSON.parse(event);
    at += Math.min(time - before, longestPause);
    before = time;
    const [first = '', ...more] = text.replaceAll('\r\n', '\n').split('\n');
    open += first;
    for (const next of more) {
      if (open !== '') at += betweenLines;
      lines.push(...folded(open, columns).map((line) => ({ at, line })));
      open = next;
    }
  }
  if (open !== '') lines.push(...folded(open, columns).map((line) => ({ at, line })));
  return { columns, lines };
}

/** Folds a line that is too long, as a terminal does. */
function folded(line: string, columns: number): readonly string[] {
  const letters = [...line];
  const count = Math.max(1, Math.ceil(letters.length / columns));
  return Array.from({ length: count }, (_, index) => letters.slice(index * columns, (index + 1) * columns).join(''));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export function terminalPicture(cast: string, title: string): string {
  const { columns, lines } = linesOf(cast);
  const width = Math.ceil(columns * letter + 2 * edge);
  const height = rows * lineHeight + 2 * edge + 24;
  const length = (lines.at(-1)?.at ?? 0) + heldAtEnd;
  const percent = (at: number): string => ((100 * at) / length).toFixed(2);
  // The parts of a folded line come at once: the last one determines how far the picture scrolls.
  const heights = new Map(
    lines.flatMap(({ at }, index) => (index < rows ? [] : [[percent(at), (rows - 1 - index) * lineHeight] as const])),
  );
  const moves = [...heights].map(([at, y]) => `${at}%{transform:translateY(${y}px)}`);
  const last = Math.min(0, (rows - lines.length) * lineHeight);
  const shows = [...new Set(lines.map(({ at }) => at))].map((at, index) => ({ at, name: `s${index}` }));
  const nameAt = new Map(shows.map(({ at, name }) => [at, name]));
  const texts = lines.map(
    ({ at, line }, index) =>
      `<text class="${nameAt.get(at)}" y="${index * lineHeight + 13}"${line.startsWith('$') ? ' font-weight="bold"' : ''}>${escaped(line)}</text>`,
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img"><title>${escaped(title)}</title>`,
    '<style>text{font:13px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d6deeb;white-space:pre}',
    ...shows.map(
      ({ at, name }) =>
        `@keyframes ${name}{0%{opacity:0}${percent(at)}%{opacity:1}100%{opacity:1}}.${name}{animation:${name} ${length.toFixed(1)}s step-end infinite}`,
    ),
    `@keyframes up{0%{transform:translateY(0)}${moves.join('')}100%{transform:translateY(${last}px)}}`,
    `.up{animation:up ${length.toFixed(1)}s step-end infinite}`,
    // Viewers who prefer reduced motion see the final state.
    `@media(prefers-reduced-motion:reduce){text,.up{animation:none!important}.up{transform:translateY(${last}px)}}`,
    '</style>',
    `<rect width="${width}" height="${height}" rx="8" fill="#011627"/>`,
    ...['#ff5f56', '#ffbd2e', '#27c93f'].map(
      (colour, index) => `<circle cx="${edge + 6 + index * 18}" cy="16" r="6" fill="${colour}"/>`,
    ),
    `<svg x="${edge}" y="${edge + 20}" width="${width - 2 * edge}" height="${rows * lineHeight + 4}"><g class="up">`,
    ...texts,
    '</g></svg></svg>',
  ].join('\n')}\n`;
}
