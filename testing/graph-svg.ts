import type { GraphNode, PlaybookGraph } from './graph.ts';
import { drawingOf, type GraphDrawing } from './graph-layout.ts';

/** From the upper edge of a box or a label to the baseline of its first line, and from line to line. */
const foot = { box: 22, label: 12, line: 16 };

/** Renders the picture as one self-contained SVG document. */
export function svgOf(graph: PlaybookGraph, title: string): string {
  const { width, height, boxes, ways } = drawingOf(graph);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${xml(title)}</title>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...ways.map(({ path }) => `<path d="${path}" fill="none" stroke="#555" marker-end="url(#tip)"/>`),
    ...boxes.map(drawBox),
    ...ways.map(drawLabel),
    '</svg>',
  ].join('\n');
}

const looks: Readonly<Record<GraphNode['kind'], string>> = {
  alert: 'fill="#eee" stroke="#555" rx="16"',
  step: 'fill="#e8f1fb" stroke="#2b6cb0" rx="3"',
  destructive: 'fill="#fdecea" stroke="#b00020" stroke-width="2" rx="3"',
  question: 'fill="#fff8e1" stroke="#a66b00" rx="12"',
  end: 'fill="#eee" stroke="#555" rx="16"',
};

function drawBox({ kind, lines, width, height, x, y }: GraphDrawing['boxes'][number]): string {
  const texts = linesAt(lines, x + width / 2, y + foot.box, '');
  return `<g><rect x="${x}" y="${y}" width="${width}" height="${height}" ${looks[kind]}/>${texts}</g>`;
}

/** Stays readable if a line passes behind it. */
function drawLabel({ label }: GraphDrawing['ways'][number]): string {
  if (label === null) return '';
  const { x, y, width, lines } = label;
  return linesAt(lines, x + width / 2, y + foot.label, ' fill="#333" stroke="#fff" stroke-width="3" paint-order="stroke"');
}

function linesAt(lines: readonly string[], middle: number, first: number, look: string): string {
  return lines
    .map((line, at) => `<text x="${middle}" y="${first + at * foot.line}" text-anchor="middle"${look}>${xml(line)}</text>`)
    .join('');
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
