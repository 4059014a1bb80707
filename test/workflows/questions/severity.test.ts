import { expect, test } from '@jest/globals';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const shell = { rule: 'Terminal shell in container', severity: 'low' } as const;
const actions = (incident: RunningIncident) =>
  lab.seen.applied.filter((call) => call.incident.id === incident.id).map((call) => call.action);

test('a critical alert that follows a low one of the same pod runs its playbook in the same incident', async () => {
  const incident = await lab.start([alertOf(shell)]);
  await incident.question();
  expect(actions(incident)).not.toContain('quarantinePod');
  await incident.alerts(batchOf([alertOf()]));
  const state = await incident.until((now) => now.leases.length === 1, 'containment');
  expect(state.severity).toBe('critical');
  expect(state.bodies.map((body) => body.playbook).sort()).toEqual([
    'firebreak/ask-about-shell',
    'firebreak/contain-dropped-binary',
  ]);
});

test('nothing automatic happens on an unknown severity', async () => {
  const incident = await lab.start([alertOf({ severity: 'unknown' })]);
  const end = await incident.result();
  expect(end.bodies).toEqual([]);
  expect(actions(incident)).toEqual([]);
  expect(end.total).toBe(1);
});

test('an unknown rule and a pod without a uid are on record, and nothing is done', async () => {
  const { pod: _, ...without } = alertOf();
  const incident = await lab.start([
    alertOf({ rule: 'Something new' }),
    { ...without, id: 'x', pod: { namespace: 'shop', name: 'cart-1' } },
  ]);
  const end = await incident.result();
  expect(actions(incident)).toEqual([]);
  expect(end.total).toBe(2);
});

test('two pods run side by side; steps on one pod come one after another', async () => {
  const running: { readonly uid: string; readonly key: string }[] = [];
  let mostOnOne = 0;
  let mostAtAll = 0;
  script.quarantinePod = async ({ key, input }) => {
    const { uid } = (input as { pod: { uid: string } }).pod;
    const call = { uid, key };
    running.push(call);
    // On a busy machine the same step may be requested again before it has answered.
    const steps = (of: typeof running): number => new Set(of.map((one) => one.key)).size;
    mostOnOne = Math.max(mostOnOne, steps(running.filter((one) => one.uid === uid)));
    mostAtAll = Math.max(mostAtAll, steps(running));
    // Long enough for another step on the same pod to start, which must not happen, and for one on another pod, which must.
    await lab.server.when(() => mostAtAll > 1);
    await lab.server.takes(300);
    running.splice(running.indexOf(call), 1);
  };
  const fileless = { rule: 'Fileless execution via memfd_create' } as const;
  const incident = await lab.start([alertOf({ n: 1 }), alertOf({ n: 2 }), alertOf({ n: 3 }), alertOf({ n: 1, ...fileless })]);
  const state = await incident.until((now) => now.leases.length === 3, 'three leases');
  expect(state.leases.map((lease) => lease.target.uid).sort()).toEqual(['uid-1', 'uid-2', 'uid-3']);
  await incident.until((now) => now.questions.filter((one) => !one.question.id.startsWith('lease:')).length === 3, 'questions');
  expect(mostOnOne).toBe(1);
  expect(mostAtAll).toBeGreaterThan(1);
});

test('no more bodies run than allowed; the most severe of those waiting is next', async () => {
  const incident = await lab.start([alertOf({ n: 1, ...shell })], { maxBodies: 1 });
  await incident.question();
  await incident.alerts(batchOf([alertOf({ n: 2, ...shell }), alertOf({ n: 3, ...shell })]));
  await incident.alerts(batchOf([alertOf({ n: 4 })]));
  await incident.alerts(batchOf([alertOf({ n: 3, ...shell, severity: 'high' })]));
  const waiting = await incident.until((state) => state.bodies.length === 4, 'four bodies');
  expect(waiting.bodies.filter((body) => body.state === 'running')).toHaveLength(1);
  for (const person of ['ana', 'ben']) await incident.vote('expected', person);
  const next = await incident.until(
    (state) => state.bodies[0]?.state === 'done' && state.bodies.some((body) => body.state === 'running'),
    'the next',
  );
  expect(next.bodies.find((body) => body.state === 'running')).toMatchObject({ subjectKey: 'pod:uid-4' });
  const second =
    next.questions.find((one) => one.status.state === 'open' && !one.question.id.startsWith('lease:')) ??
    (
      await incident.until(
        (state) => state.questions.some((one) => one.question.text.startsWith('Is the new binary')),
        'its question',
      )
    ).questions.find((one) => one.question.text.startsWith('Is the new binary'));
  await incident.vote('remove', 'ana', { question: second?.question.id ?? '', questionDigest: second?.digest ?? '' });
  const last = await incident.until(
    (state) =>
      state.bodies.filter((body) => body.state === 'done').length === 2 && state.bodies.some((body) => body.state === 'running'),
    'the one after',
  );
  expect(last.bodies.find((body) => body.state === 'running')).toMatchObject({ subjectKey: 'pod:uid-3' });
});
