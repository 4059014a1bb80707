import { describe, expect, test } from '@jest/globals';
import { evidencePlaybooks } from '../../playbooks/evidence-playbooks.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab({ playbooks: evidencePlaybooks });
const [first, second] = ['evidence-first-body', 'evidence-second-body'];
const [later, nextAlert] = ['evidence-later-body', 'evidence-next-alert'];
const only = { playbooks: [first, second] };
const done = ({ id }: RunningIncident): readonly string[] =>
  lab.seen.applied.filter(({ incident }) => incident.id === id).map(({ action, playbook }) => `${action} ${playbook}`);
const ended = (incident: RunningIncident) =>
  incident.until(({ bodies }) => bodies.length === 2 && bodies.every(({ state }) => state === 'done'), 'the end of both');
const told = async (incident: RunningIncident, kind: string) =>
  (await incident.state()).timeline.filter((one) => one.kind === kind).map(({ text }) => text);

describe('evidence that two playbooks want of one pod', () => {
  test('is stored once for both, and again for the one that asks again', async () => {
    const incident = await lab.start([alertOf()], only);
    await ended(incident);
    expect(done(incident).toSorted()).toEqual([
      `collectLogs ${second}`,
      `snapshotPodState ${first}`,
      `snapshotPodState ${first}`,
    ]);
    expect(await told(incident, 'step.joined')).toEqual([
      `Keep the pod’s state as evidence: pod/shop/cart-1: already done for ${first}: joined`,
    ]);
    const notes = await told(incident, 'playbook.note');
    expect(notes.toSorted()).toEqual(['first has evidence', 'second has evidence']);
    const { evidence } = await incident.state();
    expect(evidence).toHaveLength(2);
  });

  test('is stored by the second one if the first one fails', async () => {
    script.snapshotPodState = ({ playbook }) => {
      if (playbook === first) refuse('FB_ERR_REFUSED', 'the store is full');
    };
    const incident = await lab.start([alertOf()], only);
    await ended(incident);
    expect(done(incident).toSorted()).toEqual([`collectLogs ${second}`, `snapshotPodState ${second}`]);
    // What the first one asks for again, the second one has stored by then.
    expect(await told(incident, 'step.joined')).toEqual([expect.stringContaining(`already done for ${second}: joined`)]);
    expect((await told(incident, 'playbook.note')).toSorted()).toEqual(['first has none', 'second has evidence']);
  });

  test('is stored again for an alert that comes after it, however soon: it does not show what that alert is about', async () => {
    const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
    script.snapshotPodState = ({ playbook }) => (playbook === first ? held : undefined);
    const incident = await lab.start([alertOf()], { playbooks: [first, nextAlert] });
    await incident.until(({ steps }) => steps.some(({ action }) => action === 'snapshotPodState'), 'the first snapshot’s begin');
    await incident.alerts(batchOf([alertOf({ n: 2, rule: 'Another rule' })]));
    await incident.until(() => done(incident).includes(`snapshotPodState ${nextAlert}`), 'evidence of its own');
    goOn();
    await ended(incident);
    expect(await told(incident, 'step.joined')).toEqual([]);
  });

  test('is stored again for one that asks half a minute later', async () => {
    const incident = await lab.start([alertOf()], { playbooks: [first, later] });
    await ended(incident);
    expect(done(incident).at(-1)).toBe(`snapshotPodState ${later}`);
    expect(await told(incident, 'step.joined')).toEqual([]);
  });
});
