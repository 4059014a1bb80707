import { describe, expect, test } from '@jest/globals';
import { atLeast } from '../../core/alert/severity.ts';
import { playbooks } from '../../playbooks/index.ts';
import { exampleAlert } from '../../testing/example-alert.ts';
import { simulate } from '../../testing/simulate.ts';
import { assessedAs } from '../fixtures/assessed.ts';

const containing = playbooks.filter(({ contains }) => contains === 'pod');

/** The state of the pod in a simulation: whether it was contained, without anybody being asked. */
const contained = ({ steps }: Awaited<ReturnType<typeof simulate>>) =>
  steps.filter(({ action, state, approvedBy }) => action === 'quarantinePod' && state === 'done' && approvedBy.length === 0);

describe.each(containing.map((playbook) => [playbook.id, playbook] as const))('%s', (_id, playbook) => {
  // Not all answer critical alerts: what is to be cut off is for the assessment to say.
  const assessment = assessedAs('contain');
  const critical = exampleAlert(playbook, { severity: 'critical', assessment }) ?? exampleAlert(playbook, { assessment });

  test('is told of the containment, asks what to do with the pod, and leaves it contained in silence', async () => {
    if (!critical) throw new Error('it answers no critical alert');
    const story = await simulate(playbook, { alert: critical });
    expect(contained(story)).toHaveLength(1);
    expect(story.left.map(({ action }) => action)).toEqual(['quarantinePod']);
    expect(story.questions.map(({ answer }) => answer)).toContain('silence');
  });

  const lower =
    playbook.on.minSeverity === 'critical'
      ? undefined
      : exampleAlert(playbook, { severity: 'medium', id: 'lower', assessment: assessedAs('ask') });
  (lower ? test : test.skip)(
    'has its pod contained by a critical alert that comes while people are asked about a lower one',
    async () => {
      if (!critical || !lower) throw new Error('it answers no such alert');
      const alone = await simulate(playbook, { alert: lower });
      expect(contained(alone)).toEqual([]);
      const story = await simulate(playbook, {
        alert: lower,
        more: [{ alert: { ...critical, rule: lower.rule }, after: '24s' }],
      });
      expect(contained(story)).toHaveLength(1);
      // Of a lower alert, some do not ask in these circumstances.
      const before = alone.questions.length > 0 ? ['void'] : [];
      expect(story.questions.map(({ answer }) => answer).slice(0, before.length + 1)).toEqual([...before, 'silence']);
    },
  );
});

test('nearly all playbooks whose pod may be contained answer lower alerts too', () => {
  const low = containing.filter(({ on }) => !atLeast(on.minSeverity, 'critical')).map(({ id }) => id);
  expect(low.length).toBeGreaterThan(containing.length - 3);
});
