import type { GraphEdge, GraphNode, PlaybookGraph } from './graph.ts';

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Positions of everything in a picture of the graph, in rows from the alert down to the ends. */
export interface GraphDrawing {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly (Rectangle & { readonly kind: GraphNode['kind']; readonly lines: readonly string[] })[];
  readonly ways: readonly {
    /** Indexes into `boxes`. */
    readonly from: number;
    readonly to: number;
    /** SVG path data. */
    readonly path: string;
    /** The text on it, which overlaps no other label; null if there is only one way. */
    readonly label: (Rectangle & { readonly lines: readonly string[] }) | null;
  }[];
}

const box = { width: 190, line: 16, pad: 10, apart: 30, letters: 26, lines: 10 };
/** Where a line passes a row: its width, and the space left free next to it. */
const lane = { width: 8, apart: 16 };
/** `letter`: width of a wide letter, so that a label never takes more room than it is given. `clear`: the space left free around it. */
const label = { letter: 6.8, line: 16, clear: 5 };
const rows = { apart: 60, clear: 20 };
const border = 30;

/** An element of a row: a box, or a line that passes the row on its way to a later one. */
interface Slot {
  readonly row: number;
  readonly width: number;
  readonly apart: number;
  readonly node?: GraphNode;
  readonly lines: readonly string[];
  readonly height: number;
  /** Its horizontal middle. */
  x: number;
}

/** A line, by the slots it passes from row to row. */
interface Course {
  readonly edge: GraphEdge;
  readonly slots: readonly [Slot, Slot, ...Slot[]];
}

type Link = readonly [upper: Slot, lower: Slot];
type Row = readonly Slot[];

export function drawingOf({ nodes, edges }: PlaybookGraph): GraphDrawing {
  const boxes = boxesOf(nodes, edges);
  const courses = edges.flatMap((edge) => courseOf(edge, boxes) ?? []);
  const links = courses.flatMap(({ slots }) => slots.slice(1).map((lower, at): Link => [slots[at] ?? lower, lower]));
  const all = [...new Set([...boxes.values(), ...courses.flatMap(({ slots }) => slots)])];
  const placed = spread(sorted(inRows(all), links), links);

  const labels = new Map<Course, Label>();
  const tops: number[] = [];
  const bottoms: number[] = [];
  let top = border;
  for (const [row, slots] of placed.entries()) {
    const bottom = top + Math.max(...slots.map(({ height }) => height));
    tops.push(top);
    bottoms.push(bottom);
    const { gap, found } = labelled(courses.filter(({ edge, slots: [first] }) => first.row === row && edge.label !== ''));
    for (const [course, one] of found) labels.set(course, { ...one, y: one.y + bottom });
    top = bottom + gap;
  }
  const found = [...labels.values()];
  const left = Math.min(...all.map((slot) => slot.x - slot.width / 2), ...found.map(({ x }) => x)) - border;
  const right = Math.max(...all.map((slot) => slot.x + slot.width / 2), ...found.map(({ x, width }) => x + width)) + border;
  const moved = <Placed extends Rectangle>(one: Placed): Placed => ({
    ...one,
    x: Math.round(one.x - left),
    y: Math.round(one.y),
    width: Math.round(one.width),
  });
  const ids = nodes.map(({ id }) => id);
  return {
    width: Math.round(right - left),
    height: Math.max(...bottoms) + border,
    boxes: [...boxes.values()].flatMap(({ node, row, x, width, height, lines }) =>
      node ? [moved({ kind: node.kind, x: x - width / 2, y: tops[row] ?? 0, width, height, lines })] : [],
    ),
    ways: courses.map((course) => {
      const one = labels.get(course);
      return {
        from: ids.indexOf(course.edge.from),
        to: ids.indexOf(course.edge.to),
        path: pathOf(course.slots, { left, tops, bottoms }),
        label: one ? moved(one) : null,
      };
    }),
  };
}

/** Places each box below all boxes that lead to it. */
function boxesOf(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): ReadonlyMap<string, Slot> {
  const known = new Map<string, number>();
  const rowOf = (id: string): number => {
    const row = known.get(id) ?? Math.max(0, ...edges.filter(({ to }) => to === id).map(({ from }) => rowOf(from) + 1));
    known.set(id, row);
    return row;
  };
  return new Map(
    nodes.map((node) => {
      const lines = wrapped(node.text);
      const height = lines.length * box.line + 2 * box.pad;
      return [node.id, { row: rowOf(node.id), width: box.width, apart: box.apart, node, lines, height, x: 0 }];
    }),
  );
}

function courseOf(edge: GraphEdge, boxes: ReadonlyMap<string, Slot>): Course | undefined {
  const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
  if (!from || !to) return undefined;
  const lanes = Array.from({ length: to.row - from.row - 1 }, (_, nth): Slot => {
    return { row: from.row + 1 + nth, width: lane.width, apart: lane.apart, lines: [], height: 0, x: 0 };
  });
  const [first = to, ...others] = [...lanes, to];
  return { edge, slots: [from, first, ...others] };
}

function inRows(slots: Row): readonly Row[] {
  const found: Slot[][] = [];
  for (const slot of slots) {
    const row = found[slot.row] ?? [];
    found[slot.row] = row;
    row.push(slot);
  }
  return found;
}

type Side = 'above' | 'below';

/** The slots each one is linked to in the row above or below. */
function neighbours(links: readonly Link[]): Readonly<Record<Side, (slot: Slot) => Row>> {
  const [above, below] = [Map.groupBy(links, ([, lower]) => lower), Map.groupBy(links, ([upper]) => upper)];
  return {
    above: (slot) => (above.get(slot) ?? []).map(([upper]) => upper),
    below: (slot) => (below.get(slot) ?? []).map(([, lower]) => lower),
  };
}

const sweeps: readonly Side[] = ['above', 'below', 'above', 'below', 'above', 'below', 'above'];

/** Reduces crossings in some sweeps down and up: each slot goes as near as possible to the middle of those it is linked to. */
function sorted(given: readonly Row[], links: readonly Link[]): readonly Row[] {
  const near = neighbours(links);
  let [best, fewest, now] = [given, crossings(given, links), given];
  for (const side of sweeps) {
    if (fewest === 0) break;
    const place = placesIn(now);
    for (const row of side === 'above' ? now : now.toReversed()) {
      const wanted = new Map(row.map((slot) => [slot, middleOf(near[side](slot).map((one) => place.get(one) ?? 0))]));
      const by = (slot: Slot): number => wanted.get(slot) ?? place.get(slot) ?? 0;
      for (const [at, slot] of row.toSorted((a, b) => by(a) - by(b)).entries()) place.set(slot, at);
    }
    now = now.map((row) => row.toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0)));
    const count = crossings(now, links);
    if (count < fewest) [best, fewest] = [now, count];
  }
  return best;
}

function placesIn(all: readonly Row[]): Map<Slot, number> {
  return new Map(all.flatMap((row) => row.map((slot, at) => [slot, at] as const)));
}

function middleOf(places: readonly number[]): number | undefined {
  return places.length === 0 ? undefined : places.reduce((sum, one) => sum + one, 0) / places.length;
}

function crossings(all: readonly Row[], links: readonly Link[]): number {
  const place = placesIn(all);
  const at = (slot: Slot): number => place.get(slot) ?? 0;
  let count = 0;
  for (const between of Map.groupBy(links, ([upper]) => upper.row).values())
    for (const [nth, [a, b]] of between.entries())
      for (const [c, d] of between.slice(nth + 1)) if ((at(a) - at(c)) * (at(b) - at(d)) < 0) count += 1;
  return count;
}

/** Moves each slot as near to the middle of its linked slots as its row allows, above and below in turns. */
function spread(all: readonly Row[], links: readonly Link[]): readonly Row[] {
  const near = neighbours(links);
  for (const row of all) settle(row, () => 0);
  for (const side of sweeps)
    for (const row of side === 'above' ? all : all.toReversed())
      settle(row, (slot) => middleOf(near[side](slot).map(({ x }) => x)) ?? slot.x);
  return all;
}

/** Keeps the order and the minimum distances, and stays as close in total as possible to the wanted positions. */
function settle(row: Row, wanted: (slot: Slot) => number): void {
  // Slots that would come too close to each other move as one block.
  const blocks: { readonly slots: readonly (readonly [Slot, number])[]; readonly sum: number }[] = [];
  let offset = 0;
  for (const [at, slot] of row.entries()) {
    const before = row[at - 1];
    if (before) offset += (before.width + slot.width) / 2 + Math.max(before.apart, slot.apart);
    let block = { slots: [[slot, offset] as const], sum: wanted(slot) - offset };
    for (let last = blocks.at(-1); last && last.sum / last.slots.length > block.sum / block.slots.length; last = blocks.at(-1)) {
      block = { slots: [...last.slots, ...block.slots], sum: last.sum + block.sum };
      blocks.pop();
    }
    blocks.push(block);
  }
  for (const { slots, sum } of blocks) for (const [slot, from] of slots) slot.x = sum / slots.length + from;
}

type Label = Rectangle & { readonly lines: readonly string[] };

/** Places the labels of the lines that begin in one row, each on its own line without overlapping another label; the gap to the next row grows as needed. */
function labelled(courses: readonly Course[]): { readonly gap: number; readonly found: ReadonlyMap<Course, Label> } {
  for (let lines = 1; ; lines += 1) {
    // Three equal parts in whole pixels: on such a curve `acrossAt` is exact.
    const gap = 3 * Math.ceil(Math.max(rows.apart, lines * label.line + 2 * rows.clear) / 3);
    const found = labelledWithin(courses, lines, gap);
    if (found) return { gap, found };
  }
}

function labelledWithin(courses: readonly Course[], room: number, gap: number): ReadonlyMap<Course, Label> | undefined {
  const found = new Map<Course, Label>();
  for (const course of courses) {
    const lines = wrapped(course.edge.label);
    const [width, height] = [Math.max(...lines.map(({ length }) => length)) * label.letter, lines.length * label.line];
    // The lowest first: there the lines are farthest apart.
    for (let line = room - lines.length; line >= 0; line -= 1) {
      const y = gap / 2 + (line - room / 2) * label.line;
      const one = { x: acrossAt((y + height / 2) / gap, course.slots) - width / 2, y, width, height, lines };
      if ([...found.values()].some((other) => areClose(one, other))) continue;
      found.set(course, one);
      break;
    }
    if (!found.has(course)) return undefined;
  }
  return found;
}

function areClose(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width + label.clear && b.x < a.x + a.width + label.clear && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Horizontal position of a line at this fraction of the gap: on the curve that `pathOf` draws. */
function acrossAt(part: number, [{ x: from }, { x: to }]: Course['slots']): number {
  return from + (to - from) * (3 * part ** 2 - 2 * part ** 3);
}

/** Straight down next to boxes, and sideways only between rows, so that no line crosses a box. */
function pathOf(
  slots: Course['slots'],
  { left, tops, bottoms }: { readonly left: number; readonly tops: readonly number[]; readonly bottoms: readonly number[] },
): string {
  const across = ({ x }: Slot): number => Math.round(x - left);
  const [first] = slots;
  const parts = [`M${across(first)} ${(tops[first.row] ?? 0) + first.height}`];
  for (const [at, slot] of slots.entries()) {
    const next = slots[at + 1];
    if (!next) break;
    const [from, to] = [bottoms[slot.row] ?? 0, tops[next.row] ?? 0];
    const third = (to - from) / 3;
    parts.push(`V${from}C${across(slot)} ${from + third} ${across(next)} ${to - third} ${across(next)} ${to}`);
  }
  return parts.join('');
}

/** Truncated to what fits into a box; line breaks of the text are kept. */
function wrapped(text: string): readonly string[] {
  const lines = text.split('\n').flatMap(wrappedLine);
  return lines.length <= box.lines ? lines : [...lines.slice(0, box.lines - 1), '…'];
}

/** Splits a word that is longer than a line. */
const piece = new RegExp(`.{1,${box.letters}}`, 'gu');

function wrappedLine(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((one) => one.match(piece) ?? [])) {
    if (line !== '' && line.length + word.length + 1 > box.letters) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}
