import { expect, test } from '@jest/globals';
import { alertOf, batchOf } from '../people.ts';
import { useLab } from '../use-lab.ts';

const { lab } = useLab({ suggestAt: 400 });

test('an incident whose history is too long goes on as a new run, between bodies, with its lease, counts and records', async () => {
  const incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })], {
    playbooks: ['firebreak/ask-about-shell'],
  });
  const run = lab.run(incident);
  const first = run.runId;
  const repeated = (n: number) => batchOf([alertOf({ rule: 'Noise', severity: 'low', title: `noise ${n}` })]);
  let sent = 0;
  for (; run.historyLength < 400; sent += 1) await incident.alerts(repeated(sent));
  // Its body waits for an answer: a suspended function cannot be carried over.
  expect(run.continued).toBe(0);
  await incident.vote('quarantine', 'ana');
  const carried = await incident.until(() => run.continued === 1, 'the next run');
  expect(run.runId).not.toBe(first);
  expect(run.historyLength).toBeLessThan(400);
  expect(carried).toMatchObject({
    incident: { run: first },
    total: 1 + sent,
    leases: [{ state: 'active' }],
    bodies: [{ state: 'done' }],
  });
  // Redelivered: it is known.
  await incident.alerts(repeated(0));
  expect((await incident.state()).total).toBe(1 + sent);
  await incident.vote('release', 'ana', {}, true);
  const end = await incident.result();
  expect(end.leases).toMatchObject([{ state: 'released' }]);
  expect(end.audit.acknowledged).toBe(end.audit.made);
  const numbers = lab.seen.records.filter(({ chain }) => chain === `${incident.id}@${first}`).map(({ number }) => number);
  expect(numbers).toEqual(Array.from({ length: end.audit.made }, (_, index) => index + 1));
});
