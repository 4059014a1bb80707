import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { checkProof } from '../../../core/decide/vote-check.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { type Lab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf, batchOf, roster, voteKeys } from '../people.ts';
import { mainQuestion, recordsIn } from '../voting.ts';

const minuteMs = 60_000;
const settings = { playbooks: ['firebreak/quarantine-on-order', 'firebreak/contain-dropped-binary'] };
const ordered = (requester: string) => alertOf({ sensor: 'firebreak', rule: 'Quarantine ordered by a person', requester });
let people: Roster = roster;
let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ people: () => people });
});
afterAll(() => lab.stop());

const refusals = (incident: RunningIncident) => recordsIn(lab, incident, 'vote.refused');
const cardsOf = ({ id }: RunningIncident): readonly QuestionCard[] => lab.seen.cards.filter((card) => card.incident.id === id);

/** Casts a vote now, by the server's clock. */
async function vote(incident: RunningIncident, choice: string, person: string): Promise<void> {
  await incident.vote(choice, person, { at: new Date(await lab.env.currentTimeMs()).toISOString() });
}

const levelOf = (state: IncidentState): number | undefined => mainQuestion(state)?.level;

describe('whoever ordered a quarantine', () => {
  test('and is alone on the roster may end the pod; card, thread and records say that they answered alone', async () => {
    people = { ...roster, groups: { oncall: ['ana'], leads: ['ana'] } };
    const incident = await lab.start([ordered('ana')], settings);
    await incident.question();
    await incident.until(() => cardsOf(incident).length > 0, 'the card');
    expect(cardsOf(incident)[0]?.level).toMatchObject({ people: ['Ana'], requesters: [{ name: 'Ana', alone: true }] });
    await vote(incident, 'remove', 'ana');
    const end = await incident.result();
    expect(mainQuestion(end)?.status).toMatchObject({ state: 'decided', choice: 'remove', by: ['ana'] });
    expect(end.requesters).toEqual(['ana']);
    expect(recordsIn(lab, incident, 'vote.alone')).toHaveLength(1);
    const text = 'ana has ordered it: the others are asked';
    expect(recordsIn(lab, incident, 'requester.named')).toMatchObject([{ actor: 'person/ana', body: { person: 'ana', text } }]);
    expect(lab.seen.threads.some((text) => text.startsWith('Ana ordered this and answers alone'))).toBe(true);
    // The step proves it again, using the roster at the time of the vote.
    const deletion = lab.seen.applied.find((call) => call.incident.id === incident.id && call.action === 'deletePod');
    if (!deletion?.approval) throw new Error('nothing was approved');
    const check = { proof: deletion.approval, severity: 'critical', keys: voteKeys, now: await lab.env.currentTimeMs() } as const;
    expect(checkProof({ ...check, roster: people })).toEqual({ ok: true });
    expect(checkProof({ ...check, roster: { ...people, groups: { oncall: ['ana', 'ben'], leads: [] } } })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('as long as somebody else can be asked'),
    });
  });

  test('cannot release alone what they cut off: critical takes two people', async () => {
    people = { ...roster, groups: { oncall: ['ana'], leads: ['ana'] } };
    const incident = await lab.start([ordered('ana')], settings);
    await vote(incident, 'release', 'ana');
    const state = await incident.until((now) => mainQuestion(now)?.votes.length === 1, 'the vote');
    expect(mainQuestion(state)?.status).toEqual({ state: 'open' });
    await vote(incident, 'remove', 'ana');
    await incident.result();
  });

  test('lets others answer if there are any: if nobody else is on the level, the next one is asked at once', async () => {
    people = { ...roster, groups: { oncall: ['ana'], leads: ['lea'] } };
    const begun = await lab.env.currentTimeMs();
    const incident = await lab.start([ordered('ana')], settings);
    const state = await incident.until((now) => levelOf(now) === 1, 'the next level');
    expect(Date.parse(mainQuestion(state)?.levelUntil ?? '') - begun).toBeLessThan(121 * minuteMs);
    expect(state.timeline.some(({ text }) => text === 'nobody of oncall can answer now: leads is asked')).toBe(true);
    await incident.until(() => cardsOf(incident).some(({ level }) => level.group === 'leads'), 'the card');
    expect(cardsOf(incident).at(-1)?.level).toMatchObject({ people: ['Lea'], requesters: [{ name: 'Ana', alone: false }] });
    await vote(incident, 'remove', 'ana');
    await incident.until(() => refusals(incident).length === 1, 'the refusal');
    expect(refusals(incident)[0]?.body).toMatchObject({ text: expect.stringContaining('as long as somebody else') });
    await vote(incident, 'remove', 'lea');
    expect(mainQuestion(await incident.result())?.status).toMatchObject({ by: ['lea'] });
  });
});

describe('a level on which nobody can answer', () => {
  test('is not waited for, even if an alert meanwhile names its last member as the actor', async () => {
    people = { ...roster, groups: { oncall: ['ana'], leads: ['lea'] } };
    const incident = await lab.start([alertOf()], settings);
    await incident.question();
    await incident.until(() => cardsOf(incident).length > 0, 'the card');
    expect(levelOf(await incident.state())).toBe(0);
    await incident.alerts({ ...batchOf([]), id: 'named', counts: batchOf([alertOf()]).counts, actors: ['ana'] });
    await incident.until((now) => levelOf(now) === 1, 'the next level');
    await vote(incident, 'remove', 'lea');
    await incident.result();
  });

  test('is waited for if nobody on a later one can either: a shift may begin', async () => {
    const begun = await lab.env.currentTimeMs();
    const shifts = [{ person: 'ana', from: begun + 5 * minuteMs, until: begun + 600 * minuteMs }];
    people = {
      ...roster,
      groups: { oncall: ['ana'], leads: [] },
      schedules: { oncall: { timeZone: 'UTC', rotations: [], shifts, overrides: [] } },
    };
    const incident = await lab.start([alertOf()], settings);
    await incident.question();
    await incident.until(() => cardsOf(incident).length > 0, 'the card');
    expect(cardsOf(incident)[0]?.level).toMatchObject({ group: 'oncall', people: [] });
    await lab.env.sleep(6 * minuteMs);
    expect(levelOf(await incident.state())).toBe(0);
    await vote(incident, 'remove', 'ana');
    expect(mainQuestion(await incident.result())?.status).toMatchObject({ by: ['ana'] });
  });
});
