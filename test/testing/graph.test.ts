import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { snapshotPodState } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { containDroppedBinary, playbooks } from '../../playbooks/index.ts';
import { LocalSimulations } from '../../service/simulation/simulations.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { exampleAlert } from '../../testing/example-alert.ts';
import { graphOf, mermaidOf, type PlaybookGraph } from '../../testing/graph.ts';
import { drawingOf, type GraphDrawing } from '../../testing/graph-layout.ts';
import { svgOf } from '../../testing/graph-svg.ts';
import { graphForPeople } from '../../testing/graph-words.ts';
import { alertOf } from './alert-of.ts';

test('paths that continue alike are merged, and answers with the same result share a line', async () => {
  const { paths } = await everyAnswer(containDroppedBinary, alertOf());
  const { nodes, edges } = graphOf({ label: '', paths });
  expect(nodes[0]).toMatchObject({ kind: 'alert' });
  const ends = nodes.filter(({ kind }) => kind === 'end').map(({ text }) => text);
  expect(ends.sort()).toEqual(['benign', 'done', 'nobody has answered; quarantinePod stays in force', 'true positive']);
  const labels = edges.map(({ label }) => label).filter((label) => label !== '');
  expect(labels.sort()).toEqual([
    'keep or nobody answers',
    'nobody answers',
    'nothing found',
    'otherwise',
    'release',
    'remove',
    'rotate',
    'watch',
  ]);
});

test('people see titles of actions, names of undo steps, and what is still in force', async () => {
  const { paths } = await everyAnswer(containDroppedBinary, alertOf());
  const texts = graphForPeople(containDroppedBinary, graphOf({ label: '', paths })).nodes.map(({ text }) => text);
  expect(texts).toEqual(
    expect.arrayContaining([
      'Quarantine the pod\nKeep the pod’s state as evidence\nOpen a ticket',
      'Release pod',
      'harmless',
      'nobody has answered\nstill quarantined',
    ]),
  );
});

test('a playbook that may contain has two ways, with one beginning and one set of ends', async () => {
  const { drawn } = await new LocalSimulations(playbooks).graph({ id: 'ask-about-shell' });
  const { nodes = [], edges = [] } = drawn?.graph ?? {};
  const [alert, ...others] = nodes.filter(({ kind }) => kind === 'alert');
  expect(others).toEqual([]);
  expect(edges.filter(({ from }) => from === alert?.id).map(({ label }) => label)).toEqual([
    'not contained at once',
    'contained at once',
  ]);
  expect(edges.map(({ label }) => label)).toEqual(expect.arrayContaining(['expected', 'quarantine', 'release', 'remove']));
  expect(nodes.filter(({ text }) => text === 'harmless')).toHaveLength(1);
  expect(faultsIn(drawingOf({ nodes, edges }))).toEqual([]);
});

test('an author’s text cannot break out of either format', async () => {
  const playbook = definePlaybook(
    {
      id: 'odd',
      title: 'Odd <b>"title"',
      on: { match: { rule: alertOf().rule }, minSeverity: 'low', requires: ['pod'] },
      uses: { snapshotPodState },
    },
    async ({ alert, steps, ask }) => {
      await steps.snapshotPodState({ pod: alert.pod });
      await ask({ question: 'Is "it" <script>`]}} ours?', choices: { yes: 'Yes' }, onSilence: 'Nothing.' });
    },
  );
  const graph = graphOf({ label: '', ...(await everyAnswer(playbook, alertOf())) });
  expect(mermaidOf(graph)).toContain('{{"Is #34;it#34; #60;script#62;#96;]}} ours?"}}');
  const svg = svgOf(graph, playbook.title);
  expect(svg).toContain('<title>Odd &#60;b&#62;&#34;title&#34;</title>');
  expect(svg).not.toContain('<script>');
});

type Rectangle = Pick<GraphDrawing['boxes'][number], 'x' | 'y' | 'width' | 'height'>;

const overlap = (a: Rectangle, b: Rectangle): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Points along a path, close to one another. */
function pointsOn(path: string): readonly { readonly x: number; readonly y: number }[] {
  let [x, y] = [0, 0];
  const parts = [...path.matchAll(/([MVC])([\d ]+)/g)].map(([, kind, numbers = '']) => ({
    kind,
    to: numbers.split(' ').map(Number),
  }));
  return parts.flatMap(({ kind, to }) => {
    const from = { x, y };
    if (kind === 'V') [y] = to as [number];
    else [x, y] = to.slice(-2) as [number, number];
    if (kind === 'M') return [];
    const steps = Array.from({ length: 201 }, (_, step) => step / 200);
    if (kind === 'V') return steps.map((t) => ({ x, y: from.y + (y - from.y) * t }));
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = to;
    const at = (t: number, ...[a, b, c, d]: [number, number, number, number]): number =>
      a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t ** 2 * (1 - t) + d * t ** 3;
    return steps.map((t) => ({ x: at(t, from.x, x1, x2, x), y: at(t, from.y, y1, y2, y) }));
  });
}

/** Finds elements of a drawing that overlap but must not. */
function faultsIn({ boxes, ways, width, height }: GraphDrawing): readonly string[] {
  const labels = ways.flatMap(({ label }) => label ?? []);
  const all = [...boxes, ...labels].map((one) => ({ ...one, name: one.lines.join(' ') }));
  const onAnother = all.flatMap((one, at) =>
    all.slice(at + 1).flatMap((other) => (overlap(one, other) ? [`“${one.name}” lies on “${other.name}”`] : [])),
  );
  const outside = all.flatMap(({ name, x, y, width: wide, height: tall }) =>
    x < 0 || y < 0 || x + wide > width || y + tall > height ? [`“${name}” lies outside`] : [],
  );
  const astray = ways.flatMap(({ path, label }) => {
    const points = pointsOn(path);
    const isIn = (one: Rectangle) => (point: { x: number; y: number }) =>
      point.x > one.x + 1 && point.x < one.x + one.width - 1 && point.y > one.y + 1 && point.y < one.y + one.height - 1;
    return [
      ...boxes.filter((one) => points.some(isIn(one))).map(({ lines }) => `a way goes through “${lines.join(' ')}”`),
      ...(label && !points.some(isIn(label)) ? [`“${label.lines.join(' ')}” is beside its way`] : []),
    ];
  });
  return [...onAnother, ...outside, ...astray];
}

interface Picture {
  readonly alert: string;
  readonly graph: PlaybookGraph;
}
const pictures: Readonly<Record<string, readonly Picture[]>> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/shipped-pictures.json'), 'utf8'),
);

describe('in a drawing no label overlaps a box or another label, and no line crosses a box', () => {
  test.each(
    playbooks.flatMap((playbook) =>
      (pictures[playbook.id.split('/').at(-1) ?? ''] ?? []).map(
        ({ alert, graph }) => [playbook.id, alert, playbook, graph] as const,
      ),
    ),
  )('%s on %s', (_id, _alert, playbook, graph) => {
    expect(faultsIn(drawingOf(graphForPeople(playbook, graph)))).toEqual([]);
  });

  test('even with many long answers with the same result, and past rows of boxes', () => {
    const node = (id: string, kind: 'question' | 'step' | 'end', text = id) => ({ id, kind, text });
    const labels = Array.from({ length: 9 }, (_, at) => `an answer that takes more than one line, number ${at}`);
    const graph: PlaybookGraph = {
      nodes: [
        node('asked', 'question', 'What is it?'),
        ...labels.map((_, at) => node(`step ${at}`, 'step')),
        node('again', 'question', 'And what was it? '.repeat(12)),
        ...['one', 'other'].map((id) => node(id, 'end')),
      ],
      edges: [
        ...labels.map((label, at) => ({ from: 'asked', to: `step ${at}`, label })),
        ...labels.slice(0, 6).map((_, at) => ({ from: `step ${at}`, to: 'again', label: '' })),
        ...labels.slice(6).map((label, at) => ({ from: `step ${at + 6}`, to: 'other', label })),
        { from: 'asked', to: 'one', label: 'nobody answers' },
        { from: 'asked', to: 'other', label: 'no' },
        { from: 'again', to: 'one', label: 'yes' },
        { from: 'again', to: 'other', label: 'no or nobody answers' },
      ],
    };
    expect(faultsIn(drawingOf(graph))).toEqual([]);
  });
});

test('an example alert can be made for every shipped playbook', () => {
  expect(playbooks.filter((playbook) => exampleAlert(playbook) === undefined).map(({ id }) => id)).toEqual([]);
});
