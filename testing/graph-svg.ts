import type { GraphEdge, GraphNode, PlaybookGraph } from './graph.ts';

const box = { width: 190, line: 16, pad: 10, gapX: 30, gapY: 60 };
const lettersALine = 26;
const mostLines = 6;

interface Placed {
  readonly node: GraphNode;
  readonly lines: readonly string[];
  readonly height: number;
  x: number;
  y: number;
}

/** A picture of the graph, in layers from the alert down to the ends: one SVG document, that needs nothing else. */
export function svgOf({ nodes, edges }: PlaybookGraph, title: string): string {
  const placed = place(nodes, edges);
  const all = [...placed.values()];
  const width = Math.max(...all.map(({ x }) => x + box.width)) + box.gapX;
  const height = Math.max(...all.map(({ y, height: tall }) => y + tall)) + box.gapX;
  const ways = edges.map((edge) => drawEdge(edge, edges.filter(({ from }) => from === edge.from).indexOf(edge), placed));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${xml(title)}</title>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...ways.map(({ line }) => line),
    ...all.map(drawNode),
    ...ways.map(({ label }) => label),
    '</svg>',
  ].join('\n');
}

/** Each node below all that lead to it. */
function place(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): ReadonlyMap<string, Placed> {
  const layers = new Map<string, number>();
  const layerOf = (id: string): number => {
    const known = layers.get(id);
    if (known !== undefined) return known;
    const before = edges.filter(({ to }) => to === id).map(({ from }) => layerOf(from) + 1);
    const layer = Math.max(0, ...before);
    layers.set(id, layer);
    return layer;
  };
  const rows: Placed[][] = [];
  for (const node of nodes) {
    const lines = wrapped(node.text);
    const row = layerOf(node.id);
    rows[row] = [...(rows[row] ?? []), { node, lines, height: lines.length * box.line + 2 * box.pad, x: 0, y: 0 }];
  }
  const widest = Math.max(...rows.map((row) => row.length));
  let y = box.gapX;
  for (const row of rows) {
    const left = ((widest - row.length) * (box.width + box.gapX)) / 2 + box.gapX;
    for (const [index, one] of row.entries()) {
      one.x = left + index * (box.width + box.gapX);
      one.y = y;
    }
    y += Math.max(...row.map(({ height }) => height)) + box.gapY;
  }
  return new Map(rows.flat().map((one) => [one.node.id, one]));
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((one) => one.match(new RegExp(`.{1,${lettersALine}}`, 'g')) ?? [])) {
    if (line !== '' && line.length + word.length + 1 > lettersALine) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines.length <= mostLines ? lines : [...lines.slice(0, mostLines - 1), '…'];
}

const looks: Readonly<Record<GraphNode['kind'], string>> = {
  alert: 'fill="#eee" stroke="#555" rx="16"',
  step: 'fill="#e8f1fb" stroke="#2b6cb0" rx="3"',
  destructive: 'fill="#fdecea" stroke="#b00020" stroke-width="2" rx="3"',
  question: 'fill="#fff8e1" stroke="#a66b00" rx="12"',
  end: 'fill="#eee" stroke="#555" rx="16"',
};

function drawNode({ node, lines, height, x, y }: Placed): string {
  const texts = lines.map(
    (line, index) =>
      `<text x="${x + box.width / 2}" y="${y + box.pad + 12 + index * box.line}" text-anchor="middle">${xml(line)}</text>`,
  );
  return `<g><rect x="${x}" y="${y}" width="${box.width}" height="${height}" ${looks[node.kind]}/>${texts.join('')}</g>`;
}

/** Its label is drawn last: no box hides it. */
interface Way {
  readonly line: string;
  readonly label: string;
}

function drawEdge({ from, to, label }: GraphEdge, nth: number, placed: ReadonlyMap<string, Placed>): Way {
  const [start, end] = [placed.get(from), placed.get(to)];
  if (!start || !end) return { line: '', label: '' };
  const [x1, y1] = [start.x + box.width / 2, start.y + start.height];
  const [x2, y2] = [end.x + box.width / 2, end.y];
  // What passes other boxes goes round them.
  const passes = [...placed.values()].some((one) => one.y > y1 && one.y + one.height < y2 && one.x === start.x);
  const aside = passes ? box.width * 0.9 : 0;
  const line = `<path d="M${x1} ${y1}C${x1 + aside} ${y1 + box.gapY / 2} ${x2 + aside} ${y2 - box.gapY / 2} ${x2} ${y2}" fill="none" stroke="#555" marker-end="url(#tip)"/>`;
  if (label === '') return { line, label };
  // Labels of ways from one box stand one below the other.
  const [x, y] = passes ? [(x1 + x2) / 2 + aside * 0.7, (y1 + y2) / 2] : [x1 + (x2 - x1) * 0.45, y1 + 18 + (nth % 3) * 13];
  const text = `<text x="${x}" y="${y}" text-anchor="middle" fill="#333" stroke="#fff" stroke-width="3" paint-order="stroke">${xml(label)}</text>`;
  return { line, label: text };
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
