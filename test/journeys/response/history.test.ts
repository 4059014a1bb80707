import { expect, test } from '@jest/globals';
import type { AlertBatch } from '../../../core/incident/incident.ts';
import { useRealLab } from '../../platform/workflows/use-real-lab.ts';
import { testPlatform } from '../../platform.ts';
import type { RunningIncident } from '../../workflows/harness.ts';
import { alertOf, batchOf } from '../../workflows/people.ts';

const platform = await testPlatform();
const { lab } = useRealLab(platform);

async function events(incident: RunningIncident): Promise<number> {
  const { historyLength } = await lab.env.client.workflow.getHandle(incident.id).describe();
  return historyLength;
}

/** A batch as the intake makes it in a storm: all alerts counted, three repetitions in full. */
function stormBatch(number: number, size: number): AlertBatch {
  const alerts = [0, 1, 2].map((sample) => alertOf({ title: `storm ${number}/${sample}` }));
  const [first] = batchOf(alerts).counts;
  return { id: `storm-${number}`, alerts, counts: first ? [{ ...first, count: size }] : [] };
}

test('100 000 alerts during an open question leave the history short, and the vote still counts', async () => {
  const incident = await lab.start([alertOf()]);
  await incident.question();
  // The intake's windows let about 600 signals through for this many alerts; when each arrives, the one before has been handled.
  for (let number = 0; number < 600; number += 1) {
    await incident.alerts(stormBatch(number, number === 0 ? 100 : 167));
    if (number % 4 === 3) await incident.state();
  }
  const state = await incident.until((now) => now.total >= 100_000, 'all of the alerts');
  expect(state.bodies).toMatchObject([{ state: 'running' }]);
  expect(state.total).toBe(1 + 100 + 599 * 167);
  const before = await events(incident);
  expect(before).toBeGreaterThan(600);
  expect(before).toBeLessThan(3_600);
  await incident.vote('remove', 'ana');
  const end = await incident.result();
  expect(end).toMatchObject({ verdict: 'true_positive', reached: 'eradicated' });
  expect(end.audit.acknowledged).toBe(end.audit.made);
  expect(await events(incident)).toBeLessThan(4_096);
});

test('a long incident goes on as a new run with its leases, counts and unsent records, and forgets nothing', async () => {
  const incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })], {
    playbooks: ['firebreak/ask-about-shell'],
  });
  await incident.vote('quarantine', 'ana');
  await incident.until((state) => state.bodies[0]?.state === 'done' && state.leases[0]?.state === 'active', 'the lease');
  const handle = lab.env.client.workflow.getHandle(incident.id);
  const first = (await handle.describe()).runId;
  let sent = 0;
  let run = first;
  while (run === first && sent < 2_000) {
    for (let n = 0; n < 25; n += 1, sent += 1) {
      await incident.alerts(stormBatch(sent, 10));
      await incident.state();
    }
    run = (await handle.describe()).runId;
  }
  expect(run).not.toBe(first);
  const carried = await incident.until((state) => state.total === 1 + sent * 10, 'every alert');
  expect(carried.incident.run).toBe(first);
  expect(carried.leases).toMatchObject([{ state: 'active' }]);
  expect(carried.bodies).toMatchObject([{ state: 'done' }]);
  await incident.alerts(stormBatch(sent - 1, 10));
  // Redelivered after the cut: it is known. And the severity's search attribute is written on a server that has it.
  const critical = alertOf({ title: 'worse' });
  await incident.alerts({ ...batchOf([critical]), id: 'worse' });
  const state = await incident.until((now) => now.severity === 'critical', 'critical');
  expect(state.total).toBe(1 + sent * 10 + 1);
  await incident.vote('release', 'ana', {}, true);
  await incident.vote('release', 'ben', {}, true);
  const end = await incident.result();
  expect(end.leases).toMatchObject([{ state: 'released' }]);
  expect(end.audit.acknowledged).toBe(end.audit.made);
  const numbers = lab.seen.records.filter((record) => record.chain === `${incident.id}@${first}`).map((record) => record.number);
  expect([...new Set(numbers)].sort((a, b) => a - b)).toEqual(Array.from({ length: end.audit.made }, (_, index) => index + 1));
});
