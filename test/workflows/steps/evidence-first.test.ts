import { describe, expect, test } from '@jest/globals';
import { quarantinePod } from '../../../core/actions/index.ts';
import { definePlaybook } from '../../../core/playbook/playbook.ts';
import { evidencePlaybooks } from '../../playbooks/evidence-playbooks.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab({ playbooks: evidencePlaybooks });
const only = { playbooks: ['evidence-before-cut'] };
const done = ({ id }: RunningIncident): readonly string[] =>
  lab.seen.applied.filter(({ incident }) => incident.id === id).map(({ action }) => action);
const contained = (incident: RunningIncident) => incident.until(() => done(incident).includes('quarantinePod'), 'the quarantine');
const lines = async (incident: RunningIncident) =>
  (await incident.state()).timeline.filter(({ kind }) => kind === 'evidence.late');

describe('a playbook that wants evidence first', () => {
  test('contains once the evidence is kept, even if it is written the other way round', async () => {
    const incident = await lab.start([alertOf()], only);
    await contained(incident);
    expect(done(incident)).toEqual(['snapshotPodState', 'quarantinePod']);
    expect(await lines(incident)).toEqual([]);
  });

  test('contains even if the evidence could not be kept', async () => {
    script.snapshotPodState = () => refuse('FB_ERR_REFUSED', 'the store is full');
    const incident = await lab.start([alertOf()], only);
    await contained(incident);
    expect(done(incident)).toEqual(['quarantinePod']);
    expect(await lines(incident)).toEqual([]);
  });

  test('waits no longer than it says, and says so', async () => {
    const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
    script.snapshotPodState = () => held;
    const incident = await lab.start([alertOf()], only);
    await incident.until(({ steps }) => steps.some(({ action }) => action === 'snapshotPodState'), 'the snapshot’s begin');
    await lab.env.sleep('29s');
    expect(done(incident)).toEqual([]);
    await lab.env.sleep('2s');
    await contained(incident);
    expect(await lines(incident)).toMatchObject([{ text: expect.stringContaining('no evidence was kept within 30 s') }]);
    goOn();
  });
});

test('is not for a playbook whose pod is contained at once', () => {
  const envelope = {
    id: 'both',
    title: 'Both',
    on: { match: { rule: 'x' }, minSeverity: 'critical', requires: ['pod'] },
    uses: { quarantinePod },
    contains: 'pod',
    evidenceFirst: '30s',
  } as const;
  expect(() => definePlaybook(envelope, async () => undefined)).toThrow(/both: contains: 'pod' contains the pod before/);
});
