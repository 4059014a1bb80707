import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { useLab } from '../use-lab.ts';
import { recordsIn } from '../voting.ts';

const { lab } = useLab();

/** Longer than any test sleeps: the incident is still open when the next alert arrives. */
const settings = { lingerMs: 14_400_000 };
const binary = (n: number, over: Partial<Alert> = {}): Alert => alertOf({ title: `binary ${n}`, ...over });
const fileless = 'Fileless execution via memfd_create';
const contains = ({ id }: RunningIncident) =>
  lab.seen.applied.filter((call) => call.incident.id === id && call.action === 'quarantinePod').length;
/** A lease exists before its step is done. */
const containedAgain = (incident: RunningIncident) =>
  incident.until(({ leases }) => leases.some(({ state }) => state === 'active') && contains(incident) === 2, 'containment again');
const asked = ({ questions }: IncidentState) => questions.filter(({ question: { id } }) => !id.startsWith('lease:'));
const openOnes = (state: IncidentState) => asked(state).filter(({ status }) => status.state === 'open');

async function answer(incident: RunningIncident, choice: string, people: readonly string[]): Promise<void> {
  const state = await incident.until((now) => openOnes(now).length > 0, 'an open question');
  const [one] = openOnes(state);
  const on = { question: one?.question.id ?? '', questionDigest: one?.digest ?? '' };
  for (const person of people) await incident.vote(choice, person, on);
  await incident.until((now) => !openOnes(now).some(({ question }) => question.id === one?.question.id), 'the decision');
}

/** A dropped binary that two people call harmless: the pod is released. */
async function released(): Promise<RunningIncident> {
  const incident = await lab.start([binary(0)], settings);
  await answer(incident, 'release', ['ana', 'ben']);
  await incident.until(
    ({ leases, bodies }) => leases[0]?.state === 'released' && bodies[0]?.decided !== undefined,
    'the release and what it covers',
  );
  return incident;
}

describe('a released pod', () => {
  test('that has the same alert again, eight times, is asked about at once and in one question; yes contains it', async () => {
    const incident = await released();
    const covers = [{ rule: 'Drop and execute new binary in container', severity: 'critical' }];
    const body = { text: 'harmless: “Drop and execute new binary in container” (critical)', by: ['ana', 'ben'], covers };
    await incident.until(() => recordsIn(lab, incident, 'decision.covers').length > 0, 'the record');
    expect(recordsIn(lab, incident, 'decision.covers')).toMatchObject([{ actor: 'person/ana,person/ben', body }]);
    for (let n = 1; n <= 8; n += 1) await incident.alerts(batchOf([binary(n)]));
    const state = await incident.until((now) => openOnes(now).length > 0 && now.total === 9, 'the question');
    expect(openOnes(state)).toHaveLength(1);
    const text = openOnes(state)[0]?.question.text ?? '';
    expect(text).toContain('“Drop and execute new binary in container” was reported again');
    expect(text).toMatch(/in shop\/cart-1\. Ana and Ben found it harmless or released it at \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect(contains(incident)).toBe(1);
    await answer(incident, 'quarantine', ['ana']);
    await containedAgain(incident);
    await incident.alerts(batchOf([binary(9)]));
    expect(openOnes(await incident.until(({ total }) => total === 10, 'one more'))).toEqual([]);
  });

  test('that people call harmless again is not asked about for an hour, and then with the number of alerts', async () => {
    const incident = await released();
    await incident.alerts(batchOf([binary(1)]));
    await answer(incident, 'harmless', ['ana', 'ben']);
    for (let n = 2; n <= 4; n += 1) await incident.alerts(batchOf([binary(n)]));
    expect(openOnes(await incident.until(({ total }) => total === 5, 'more of them'))).toEqual([]);
    await lab.env.sleep('61m');
    await incident.alerts(batchOf([binary(5)]));
    const state = await incident.until((now) => openOnes(now).length > 0, 'the question');
    expect(openOnes(state)[0]?.question.text).toContain('was reported again, 4 times');
  });

  test('whose alert is only counted in its batch is asked about, too', async () => {
    const incident = await released();
    const { counts } = batchOf([binary(1)]);
    await incident.alerts({ id: 'counted', alerts: [], counts: counts.map((count) => ({ ...count, count: 57 })) });
    const state = await incident.until((now) => openOnes(now).length > 0, 'the question');
    expect(openOnes(state)[0]?.question.text).toContain('was reported again, 57 times');
  });

  test('is contained again at once for a rule that was not decided on, even if it came before the answer', async () => {
    const incident = await released();
    await incident.alerts(batchOf([binary(1, { rule: fileless })]));
    await containedAgain(incident);

    const other = await lab.start([binary(0)], settings);
    await other.until((now) => openOnes(now).length > 0, 'the question');
    await other.alerts(batchOf([binary(1, { rule: fileless })]));
    await other.until(({ total }) => total === 2, 'both');
    await answer(other, 'release', ['ana', 'ben']);
    await containedAgain(other);
  });

  test('is not contained for what an earlier answer covers, whatever the last one was about', async () => {
    const incident = await released();
    await incident.alerts(batchOf([binary(1, { rule: fileless })]));
    await containedAgain(incident);
    await answer(incident, 'release', ['ana', 'ben']);
    await incident.until(({ leases }) => leases.every(({ state }) => state === 'released'), 'the second release');
    await incident.until(() => recordsIn(lab, incident, 'decision.covers').length === 2, 'the second answer');
    await incident.alerts(batchOf([binary(2)]));
    const state = await incident.until((now) => openOnes(now).length > 0, 'the question');
    expect(openOnes(state)[0]?.question.text).toContain('“Drop and execute new binary in container” was reported again');
    expect(contains(incident)).toBe(2);
  });

  test('that its lease freed is asked about as well', async () => {
    const incident = await lab.start([binary(0)], { ...settings, levels: [{ group: 'oncall', withinMs: 900_000 }] });
    await incident.question();
    await lab.env.sleep('2h');
    await incident.until((now) => openOnes(now).length === 0, 'silence');
    for (const person of ['ana', 'ben']) await incident.vote('release', person, {}, true);
    await incident.until(({ leases }) => leases[0]?.state === 'released', 'the release');
    await incident.alerts(batchOf([binary(1)]));
    await incident.until(
      (now) => openOnes(now).some(({ question: { text } }) => text.includes('was reported again')),
      'the question',
    );
    expect(contains(incident)).toBe(1);
  });

  test('of an earlier incident is asked about if the answer covers the alert, and contained if it does not', async () => {
    const decided = {
      at: '2026-11-27T03:12:00.000Z',
      by: ['ana', 'ben'],
      covers: [{ rule: 'Drop and execute new binary in container', severity: 'critical' }],
    } as const;
    const same = await lab.start([binary(0, { decided })], settings);
    const state = await same.until((now) => openOnes(now).length > 0, 'the question');
    expect(openOnes(state)[0]?.question.text).toContain('ana and ben found it harmless or released it at 2026-11-27 03:12 UTC');
    expect(contains(same)).toBe(0);
    const other = await lab.start([binary(0, { decided, rule: fileless })], settings);
    await other.until(({ leases }) => leases.some((lease) => lease.state === 'active'), 'containment');
  });
});

describe('noise', () => {
  test('keeps no incident open for longer than an hour', async () => {
    const incident = await lab.start([alertOf({ rule: 'Noise', severity: 'low' })], { lingerMs: 600_000 });
    let n = 0;
    for (let minutes = 0; minutes < 80; minutes += 8) {
      n += 1;
      // It may have closed by now.
      await incident.alerts(batchOf([alertOf({ rule: 'Noise', severity: 'low', title: `noise ${n}` })])).catch(() => undefined);
      await lab.env.sleep('8m');
    }
    const { openedAt, timeline } = await incident.result();
    const end = timeline.findLast(({ kind }) => kind === 'incident.closed')?.at ?? '';
    expect((Date.parse(end) - Date.parse(openedAt)) / 60_000).toBeLessThan(75);
  });
});
