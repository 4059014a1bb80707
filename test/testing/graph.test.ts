import { expect, test } from '@jest/globals';
import { snapshotPodState } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { containDroppedBinary, playbooks } from '../../playbooks/index.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { exampleAlert } from '../../testing/example-alert.ts';
import { graphOf, mermaidOf } from '../../testing/graph.ts';
import { svgOf } from '../../testing/graph-svg.ts';
import { alertOf } from './alert-of.ts';

test('ways that go on alike are drawn as one, and answers that lead to the same stand at one line', async () => {
  const { paths } = await everyAnswer(containDroppedBinary, alertOf());
  const { nodes, edges } = graphOf(paths);
  expect(nodes[0]).toMatchObject({ kind: 'alert' });
  const ends = nodes.filter(({ kind }) => kind === 'end').map(({ text }) => text);
  expect(ends.sort()).toEqual(['benign', 'nobody has answered; quarantinePod stays in force', 'true positive']);
  const labels = edges.map(({ label }) => label).filter((label) => label !== '');
  expect(labels.sort()).toEqual([
    'keep, silence',
    'no rotated, no refused',
    'otherwise',
    'release',
    'remove',
    'rotate',
    'silence',
  ]);
});

test('a text of an author breaks neither form out', async () => {
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
  const graph = graphOf((await everyAnswer(playbook, alertOf())).paths);
  expect(mermaidOf(graph)).toContain('{{"Is #34;it#34; #60;script#62;#96;]}} ours?"}}');
  const svg = svgOf(graph, playbook.title);
  expect(svg).toContain('<title>Odd &#60;b&#62;&#34;title&#34;</title>');
  expect(svg).not.toContain('<script>');
});

test('an alert can be made up for every playbook that is shipped', () => {
  expect(playbooks.filter((playbook) => exampleAlert(playbook) === undefined).map(({ id }) => id)).toEqual([]);
});
