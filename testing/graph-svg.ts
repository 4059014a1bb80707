import type { GraphEdge, GraphNode, PlaybookGraph } from './graph.ts';

const box = { width: 190, line: 16, pad: 10, gapX: 30, gapY: 60 };
const lettersALine = 26;
const mostLines = 10;

interface Placed {
  readonly node: GraphNode;
  readonly lines: readonly string[];
  readonly height: number;
  x: number;
  y: number;
}

/** Where everything stands in a picture of the graph, in layers from the alert down to the ends. */
interface GraphDrawing {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly {
    readonly kind: GraphNode['kind'];
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly lines: readonly string[];
  }[];
  /** `path` as SVG has it; `at` is the middle of the label's line. */
  readonly ways: readonly { readonly path: string; readonly label: string; readonly at: readonly [number, number] }[];
}

const lineHeight = box.line;
/** From a box's upper edge to the foot of its first line. */
const firstLine = box.pad + 12;

export function drawingOf({ nodes, edges }: PlaybookGraph): GraphDrawing {
  const placed = place(nodes, edges);
  const all = [...placed.values()];
  return {
    width: Math.max(...all.map(({ x }) => x + box.width)) + box.gapX,
    height: Math.max(...all.map(({ y, height: tall }) => y + tall)) + box.gapX,
    boxes: all.map(({ node, lines, height, x, y }) => ({ kind: node.kind, x, y, width: box.width, height, lines })),
    ways: edges.flatMap((edge) => wayOf(edge, edges.filter(({ from }) => from === edge.from).indexOf(edge), placed) ?? []),
  };
}

/** The picture as one SVG document, that needs nothing else. */
export function svgOf(graph: PlaybookGraph, title: string): string {
  const { width, height, boxes, ways } = drawingOf(graph);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${xml(title)}</title>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...ways.map(({ path }) => `<path d="${path}" fill="none" stroke="#555" marker-end="url(#tip)"/>`),
    ...boxes.map(drawBox),
    // Labels are drawn last: no box hides them.
    ...ways.map(drawLabel),
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

/** What stands in a box, cut to its width; a line of the text begins a line of the box. */
function wrapped(text: string): readonly string[] {
  const lines = text.split('\n').flatMap(wrappedLine);
  return lines.length <= mostLines ? lines : [...lines.slice(0, mostLines - 1), '…'];
}

function wrappedLine(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((one) => one.match(new RegExp(`.{1,${lettersALine}}`, 'g')) ?? [])) {
    if (line !== '' && line.length + word.length + 1 > lettersALine) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

const looks: Readonly<Record<GraphNode['kind'], string>> = {
  alert: 'fill="#eee" stroke="#555" rx="16"',
  step: 'fill="#e8f1fb" stroke="#2b6cb0" rx="3"',
  destructive: 'fill="#fdecea" stroke="#b00020" stroke-width="2" rx="3"',
  question: 'fill="#fff8e1" stroke="#a66b00" rx="12"',
  end: 'fill="#eee" stroke="#555" rx="16"',
};

function drawBox({ kind, lines, width, height, x, y }: GraphDrawing['boxes'][number]): string {
  const texts = lines.map(
    (line, index) =>
      `<text x="${x + width / 2}" y="${y + firstLine + index * lineHeight}" text-anchor="middle">${xml(line)}</text>`,
  );
  return `<g><rect x="${x}" y="${y}" width="${width}" height="${height}" ${looks[kind]}/>${texts.join('')}</g>`;
}

function drawLabel({ label, at: [x, y] }: GraphDrawing['ways'][number]): string {
  if (label === '') return '';
  return `<text x="${x}" y="${y}" text-anchor="middle" fill="#333" stroke="#fff" stroke-width="3" paint-order="stroke">${xml(label)}</text>`;
}

function wayOf(
  { from, to, label }: GraphEdge,
  nth: number,
  placed: ReadonlyMap<string, Placed>,
): GraphDrawing['ways'][number] | undefined {
  const [start, end] = [placed.get(from), placed.get(to)];
  if (!start || !end) return undefined;
  const [x1, y1] = [start.x + box.width / 2, start.y + start.height];
  const [x2, y2] = [end.x + box.width / 2, end.y];
  // What passes other boxes goes round them.
  const passes = [...placed.values()].some((one) => one.y > y1 && one.y + one.height < y2 && one.x === start.x);
  const aside = passes ? box.width * 0.9 : 0;
  const path = `M${x1} ${y1}C${x1 + aside} ${y1 + box.gapY / 2} ${x2 + aside} ${y2 - box.gapY / 2} ${x2} ${y2}`;
  // Labels of ways from one box stand one below the other.
  const at = passes
    ? ([(x1 + x2) / 2 + aside * 0.7, (y1 + y2) / 2] as const)
    : ([x1 + (x2 - x1) * 0.45, y1 + 18 + (nth % 3) * 13] as const);
  return { path, label, at };
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
