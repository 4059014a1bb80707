import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Vote } from '../../../core/decide/approval.ts';
import { checkProof } from '../../../core/decide/vote-check.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { type MemoryLab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf, batchOf, roster, voteKeys } from '../people.ts';
import { mainQuestion, recordsIn } from '../voting.ts';

const dayMs = 86_400_000;
let people: Roster = roster;
let begun = 0;
let lab: MemoryLab;
beforeAll(async () => {
  lab = await startLab({ people: () => people });
});
afterAll(() => lab.stop());

/** From now on ana is on call for a day, then ben; on the third day lea has ben’s right. */
async function begin(): Promise<void> {
  begun = await lab.env.currentTimeMs();
  const shift = (person: string, from: number, until: number) => ({
    person,
    from: begun + from * dayMs,
    until: begun + until * dayMs,
  });
  people = {
    ...roster,
    groups: { oncall: ['ana', 'ben'], leads: ['lea'] },
    schedules: {
      oncall: { timeZone: 'UTC', rotations: [], shifts: [shift('ana', -1, 1), shift('ben', 1, 9)], overrides: [] },
    },
    delegations: [{ ...shift('ben', 2, 3), to: 'lea' }],
  };
}

const refusals = (incident: RunningIncident) => recordsIn(lab, incident, 'vote.refused');
const accepted = (incident: RunningIncident) => recordsIn(lab, incident, 'vote.accepted').map(({ actor }) => actor);

/** Votes on the standing question of the lease; the vote is cast on that day, and arrives at once. */
async function vote(incident: RunningIncident, choice: string, person: string, at?: number): Promise<void> {
  const cast: Partial<Vote> = { at: new Date(at ?? (await lab.env.currentTimeMs())).toISOString() };
  const before = refusals(incident).length + accepted(incident).length;
  await incident.vote(choice, person, cast, true);
  await incident.until(() => refusals(incident).length + accepted(incident).length > before, `what becomes of ${person}’s vote`);
}

describe('over days', () => {
  test('the shift that is on answers, a stand-in answers for theirs, and back-dating helps nobody', async () => {
    await begin();
    const incident = await lab.start([alertOf()]);
    await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'containment');
    await vote(incident, 'extend', 'ben');
    expect(refusals(incident).at(-1)?.body).toMatchObject({ text: expect.stringMatching(/while they are on call/) });
    await vote(incident, 'extend', 'ana');
    expect(accepted(incident)).toEqual(['person/ana']);

    await lab.env.sleep(1.5 * dayMs);
    await incident.until((state) => mainQuestion(state)?.status.state === 'expired', 'the end of the question, in silence');
    await vote(incident, 'extend', 'ana');
    await vote(incident, 'extend', 'ana', begun + 0.5 * dayMs);
    expect(accepted(incident)).toEqual(['person/ana']);
    await vote(incident, 'extend', 'ben');
    expect(accepted(incident)).toEqual(['person/ana', 'person/ben']);

    await lab.env.sleep(dayMs);
    await vote(incident, 'extend', 'ben');
    expect(accepted(incident)).toHaveLength(2);
    await vote(incident, 'extend', 'lea');
    expect(accepted(incident)).toEqual(['person/ana', 'person/ben', 'person/lea']);

    await lab.env.sleep(dayMs);
    await vote(incident, 'extend', 'lea');
    expect(accepted(incident)).toHaveLength(3);
    const state = await incident.state();
    expect(state.leases).toMatchObject([{ state: 'active' }]);
    expect(lab.seen.undone.filter((call) => call.incident.id === incident.id)).toEqual([]);
    await vote(incident, 'keep', 'ben');
    await incident.result();
  });

  test('whoever comes on call while a question is open is on its card, told, and paged', async () => {
    await begin();
    const minute = 60_000;
    const shift = (person: string, from: number, until: number) => ({
      person,
      from: begun + from * minute,
      until: begun + until * minute,
    });
    const shifts = [shift('ana', -60, 5), shift('ben', 5, 60)];
    people = { ...people, delegations: [], schedules: { oncall: { timeZone: 'UTC', rotations: [], shifts, overrides: [] } } };
    const incident = await lab.start([alertOf({ n: 77 })]);
    await incident.until((state) => mainQuestion(state)?.answerers !== undefined, 'the question');
    expect(mainQuestion(await incident.state())?.answerers?.levels[0]).toEqual(['Ana']);
    await lab.env.sleep(6 * minute);
    await incident.until((state) => mainQuestion(state)?.answerers?.levels[0]?.[0] === 'Ben', 'the hand-over');
    const state = await incident.state();
    expect(mainQuestion(state)).toMatchObject({ level: 0, status: { state: 'open' } });
    const handed = () => recordsIn(lab, incident, 'question.handed-over');
    await lab.eventually('the record', () => handed().length > 0);
    expect(handed()).toMatchObject([{ body: { text: 'Ben may answer for oncall from now on', level: 0 } }]);
    await incident.until(() => lab.seen.cards.at(-1)?.level.people?.includes('Ben') === true, 'the card');
    await lab.eventually('the thread', () =>
      lab.seen.threads.some((text) => text.startsWith('Ben may answer for oncall from now on.')),
    );
    // The time limit is not extended for that: silence moves on to the next level.
    await lab.env.sleep(10 * minute);
    await incident.until((now) => mainQuestion(now)?.level === 1, 'the next level');
    expect(handed()).toHaveLength(1);
  });

  test('of two who must agree, the second may answer after the hand-over, and their proof still stands', async () => {
    await begin();
    const incident = await lab.start([alertOf()]);
    await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'containment');
    await lab.env.sleep(dayMs - 60_000);
    await vote(incident, 'release', 'ana');
    await lab.env.sleep(120_000);
    await vote(incident, 'release', 'ben');
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'released' }]);
    const reason = lab.seen.undoReasons.at(-1);
    if (reason?.kind !== 'approved') throw new Error('no approved release');
    // Votes as the cell saw them arrive.
    const seen = reason.proof.votes.map((signed) => ({
      signed,
      at: Date.parse(signed.vote.at),
      level: 0,
      asked: 0,
      actors: [],
    }));
    const known = { proof: reason.proof, severity: 'critical', keys: voteKeys, seen } as const;
    const now = await lab.env.currentTimeMs();
    expect(checkProof({ ...known, roster: people, now })).toEqual({ ok: true });
    // Removed from the roster since, or away at that time: then it no longer stands.
    const without = { ...people, groups: { ...people.groups, oncall: ['ben'] } };
    expect(checkProof({ ...known, roster: without, now }).ok).toBe(false);
    expect(checkProof({ ...known, roster: people, now, actors: ['ana'] }).ok).toBe(false);
  });
});

describe('the actor', () => {
  test('loses the vote that they gave, may give no other, and the step knows of it', async () => {
    people = roster;
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.until(() => accepted(incident).length === 1, 'the first vote');
    // Only counted, as one of thousands: it still names who did it.
    await incident.alerts({ ...batchOf([]), id: 'storm', counts: batchOf([alertOf()]).counts, actors: ['ana'] });
    await incident.until((state) => state.actors?.includes('ana') === true, 'who is named');
    await incident.vote('release', 'ana');
    await incident.until(() => refusals(incident).length === 1, 'the refusal');
    expect(refusals(incident)[0]?.body).toMatchObject({ text: expect.stringMatching(/names you as the actor/) });
    await incident.vote('release', 'ben');
    const counted = await incident.until((state) => mainQuestion(state)?.votes[0]?.vote.person === 'ben', 'ben’s vote');
    expect(mainQuestion(counted)).toMatchObject({ status: { state: 'open' }, votes: [{ vote: { person: 'ben' } }] });
    const shown = lab.seen.cards
      .filter((card) => card.incident.id === incident.id)
      .map(({ votes }) => votes.map((one) => one.person));
    expect(shown).toContainEqual(['ana']);
    expect(shown.at(-1)).not.toContain('ana');
    await incident.vote('remove', 'ben');
    const end = await incident.result();
    expect(mainQuestion(end)?.status).toMatchObject({ choice: 'remove', by: ['ben'] });
    expect(end.timeline.some(({ kind, text }) => kind === 'actor.named' && text.includes('ana'))).toBe(true);
    const deletion = lab.seen.applied.find((call) => call.incident.id === incident.id && call.action === 'deletePod');
    expect(deletion?.actors).toEqual(['ana']);
  });

  test('named before the question is asked is part of what every vote signs', async () => {
    people = roster;
    const incident = await lab.start([alertOf({ actors: ['ben'] })]);
    const asked = await incident.question();
    expect(asked.question.actors).toEqual(['ben']);
    await incident.vote('remove', 'ben');
    await incident.until(() => refusals(incident).length === 1, 'the refusal');
    await incident.vote('remove', 'ana');
    expect(mainQuestion(await incident.result())?.status).toMatchObject({ by: ['ana'] });
  });
});
