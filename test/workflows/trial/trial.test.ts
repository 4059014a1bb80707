import { describe, expect, test } from '@jest/globals';
import { playbooks } from '../../../playbooks/index.ts';
import { runTrial } from '../../../service/trial/trial.ts';
import type { SimulateOptions } from '../../../testing/chooser.ts';
import { simulate } from '../../../testing/simulate.ts';
import type { Story } from '../../../testing/story.ts';
import { waysInto } from '../../playbooks/shipped-alerts.ts';
import { bundlePath } from '../bundle.ts';
import '../temporal-error-log.ts';

type Options = Omit<SimulateOptions, 'alert'>;

async function told(name: string, options: Options): Promise<{ readonly simulated: Story; readonly tried: Story | undefined }> {
  const playbook = playbooks.find(({ id }) => id === `firebreak/${name}`);
  const [alert] = waysInto[name] ?? [];
  if (!playbook || !alert) throw new Error(`there is no ${name}`);
  const trial = await runTrial({ playbooks: [playbook], options: { ...options, alert }, bundle: await bundlePath() });
  return { simulated: await simulate(playbook, { ...options, alert }), tried: trial?.story };
}

/** Only a bundle has places in the author's files as they are in their pack. */
const place = / \([\w./-]+:\d+\)|, at [\w./-]+:\d+/g;

/** Without times, and without the order in which steps that run side by side are over. */
function withoutTimes({ events, steps, plans, questions, left, notAwaited, error, ...story }: Story) {
  const sorted = <T>(all: readonly T[]): readonly string[] => all.map((one) => JSON.stringify(one)).toSorted();
  return {
    ...story,
    events: sorted(events.map(({ kind, text }) => `${kind}: ${text.replaceAll(place, '')}`)),
    notAwaited: notAwaited.map((what) => what.replaceAll(place, '')),
    steps: sorted(steps.map(({ at: _, ...step }) => step)),
    plans: sorted(plans),
    questions: questions.map(({ endedAt: _, ...question }) => question),
    left: left.map(({ until: _, ...lease }) => lease),
    ...(error && { error: error.code }),
  };
}

describe('a real Temporal tells the same story as the simulation', () => {
  const ways: readonly (readonly [playbook: string, way: string, options: Options])[] = [
    ['contain-container-escape', 'three answers, with their plans', { answer: ['remove', 'rotate', 'cordon'] }],
    ['contain-reverse-shell', 'two people who call it harmless', { answer: 'release' }],
    ['ask-about-shell', 'an answer of the second group', { answer: () => ({ choice: 'quarantine', level: 1 }) }],
    ['contain-cryptominer', 'containment that is refused', { failures: { quarantinePod: 'FB_ERR_REFUSED' } }],
  ];
  test.each(ways)('%s: %s', async (name, _way, options) => {
    const { simulated, tried } = await told(name, options);
    expect(tried && withoutTimes(tried)).toEqual(withoutTimes(simulated));
  });

  test('also of two alerts, one after another', async () => {
    const [alert] = waysInto['ask-about-shell'] ?? [];
    if (!alert) throw new Error('there is no alert');
    const { simulated, tried } = await told('ask-about-shell', {
      more: [{ after: '2h', alert: { ...alert, id: 'f'.repeat(32), severity: 'critical' } }],
      answer: 'expected',
    });
    expect(tried && withoutTimes(tried)).toEqual(withoutTimes(simulated));
  });
});
