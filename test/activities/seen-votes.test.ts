import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createCellActivities } from '../../activities/chokepoint/cell.ts';
import { IncidentMemory } from '../../activities/memory/incident-memory.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { Plan } from '../../core/action/plan.ts';
import { type ApprovalProof, type Question, questionDigest, quorumOf, type SignedVote } from '../../core/decide/approval.ts';
import { checkProof } from '../../core/decide/vote-check.ts';
import type { Roster } from '../../core/people/roster.ts';
import { DurableMemory } from '../../service/cell/pools/durable-memory.ts';
import { roster, signVote, voteKeys } from '../workflows/people.ts';
import { askingWith, callOf, chokepoint, incident, planOf, pod, setUp } from './chokepoint-fixture.ts';

/*
 * What is shown before a step is held to what arrived: back-dated votes, votes that were taken back, votes against a no, votes of an earlier asking.
 */

const minute = 60_000;
const removal = planOf('remove', 'destructive', { pod });
const wide: Plan = { ...removal, reach: 'node' };

function questionOf(plan: Plan, over: Partial<Question> = {}): Question {
  const asked = (plans: readonly Plan[]): number => quorumOf({ plans, severity: 'high' });
  return {
    id: 'q1',
    incident,
    severity: 'high',
    text: 'really?',
    choices: [
      { id: 'yes', label: 'Yes', plans: [plan], quorum: asked([plan]) },
      { id: 'no', label: 'No', plans: [], quorum: 1 },
    ],
    levels: [
      { group: 'oncall', withinMs: minute },
      { group: 'leads', withinMs: minute },
    ],
    requester: 'playbook/p',
    onSilence: 'It stays.',
    ...over,
  };
}

function voteOf(question: Question, person: string, choice: string, agoMs = 0): SignedVote {
  return signVote({
    version: 1,
    id: `${person}-${choice}-${agoMs}`,
    incident,
    question: question.id,
    questionDigest: questionDigest(question),
    choice,
    person,
    via: 'slack',
    reason: 'not ours',
    at: new Date(Date.now() - agoMs).toISOString(),
  });
}

let votes: VoteMemory;
let decided: unknown[];
beforeEach(() => {
  setUp();
  decided = [];
  votes = new VoteMemory();
});

/** As checked by the workflow on arrival. */
async function arrives(question: Question, signed: SignedVote, level = 0, people: Roster = roster): Promise<boolean> {
  const cell = createCellActivities({
    chokepoint,
    roster: people,
    keys: voteKeys,
    asking: () =>
      askingWith([], {
        levels: [
          { group: 'oncall', within: '15m' },
          { group: 'leads', within: '1h' },
        ],
      }),
    incidents: new IncidentMemory(),
    votes,
    listener: { decided: (...said) => decided.push(said), failed: () => undefined, done: () => undefined },
    log: { info: () => undefined, warn: () => undefined },
  });
  return (await cell.verifyVote({ vote: signed, question, level })).ok;
}

function shown(question: Question, signed: readonly SignedVote[], over: { choice?: string; people?: Roster; in?: number } = {}) {
  const proof: ApprovalProof = { question, choice: over.choice ?? 'yes', votes: signed };
  const now = Date.now() + (over.in ?? 0);
  return checkProof({ proof, severity: 'high', roster: over.people ?? roster, keys: voteKeys, now, seen: votes.of(question) });
}

describe('before a step', () => {
  test('a changed vote no longer counts, and no person counts twice', async () => {
    const question = questionOf(wide);
    const [yes, no, other] = [
      voteOf(question, 'ana', 'yes', 3_000),
      voteOf(question, 'ana', 'no', 2_000),
      voteOf(question, 'ben', 'yes'),
    ];
    expect(await arrives(question, yes)).toBe(true);
    expect(shown(question, [yes, other]).ok).toBe(true);
    expect(await arrives(question, no)).toBe(true);
    expect(shown(question, [yes, other])).toMatchObject({ ok: false, reason: expect.stringContaining('withdrawn') });
  });

  test('a no stands until the next level overrules it, with two people', async () => {
    const question = questionOf(removal);
    const no = voteOf(question, 'ana', 'no', 5_000);
    expect(await arrives(question, no)).toBe(true);
    for (const signed of [[voteOf(question, 'ben', 'yes')], [voteOf(question, 'lea', 'yes')]])
      expect(shown(question, signed).ok).toBe(false);
    const overruling = [voteOf(question, 'ben', 'yes'), voteOf(question, 'lea', 'yes')];
    for (const signed of overruling) expect(await arrives(question, signed, 1)).toBe(true);
    expect(shown(question, overruling).ok).toBe(true);
  });

  test('a decision is final: votes for something else do not count, whoever combines them', async () => {
    const question = questionOf(wide);
    const [first, second] = [voteOf(question, 'ana', 'yes', 5_000), voteOf(question, 'ben', 'yes', 4_000)];
    for (const signed of [first, second]) expect(await arrives(question, signed)).toBe(true);
    const late = voteOf(question, 'lea', 'no');
    expect(await arrives(question, late, 1)).toBe(true);
    expect(shown(question, [late], { choice: 'no' })).toMatchObject({ reason: 'people have decided otherwise: yes' });
    expect(shown(question, [first, second]).ok).toBe(true);
  });

  const shiftUntil = (at: number): Roster => {
    const span = { from: Date.now() - 60 * minute, until: at };
    const schedule = { timeZone: 'UTC', rotations: [], overrides: [], shifts: [{ ...span, person: 'ana' }] };
    return { ...roster, schedules: { oncall: schedule } };
  };

  test('a vote backdated into the voter’s own shift is refused, as at the click', async () => {
    const question = questionOf(removal);
    const people = shiftUntil(Date.now() - 20 * minute);
    const dated = voteOf(question, 'ana', 'yes', 25 * minute);
    expect(await arrives(question, dated, 0, people)).toBe(false);
    expect(shown(question, [dated], { people })).toMatchObject({ ok: false, reason: expect.stringContaining('on call') });
  });

  test('a vote that arrived in time still counts after the hand-over', async () => {
    const question = questionOf(removal);
    const people = shiftUntil(Date.now() + minute);
    const timely = voteOf(question, 'ana', 'yes');
    expect(await arrives(question, timely, 0, people)).toBe(true);
    expect(shown(question, [timely], { people, in: 60 * minute }).ok).toBe(true);
    votes = new VoteMemory();
    expect(shown(question, [timely], { people, in: 60 * minute }).ok).toBe(false);
  });

  test('a vote that arrives or was cast after the time to answer decides nothing, whatever the workflow says', async () => {
    const over = 'The time to answer this question is over.';
    const ended = (agoMs: number) => questionOf(removal, { until: new Date(Date.now() - agoMs).toISOString() });
    const [justNow, longAgo] = [ended(minute), ended(20 * minute)];
    expect(await arrives(justNow, voteOf(justNow, 'ana', 'yes', 2 * minute))).toBe(true);
    for (const late of [voteOf(longAgo, 'ana', 'yes'), voteOf(longAgo, 'ana', 'yes', 25 * minute)]) {
      expect(await arrives(longAgo, late)).toBe(false);
      expect(shown(longAgo, [late])).toMatchObject({ ok: false, reason: over });
    }
    // A vote that arrived in time stands for as long as the step takes.
    const timely = voteOf(justNow, 'ben', 'yes', 2 * minute);
    expect(await arrives(justNow, timely)).toBe(true);
    expect(shown(justNow, [timely], { in: 60 * minute }).ok).toBe(true);
  });

  test('what silence means, and when it takes effect, is signed with the answer', async () => {
    const asked = questionOf(removal, { until: new Date(Date.now() + 5 * minute).toISOString() });
    const yes = voteOf(asked, 'ana', 'yes');
    for (const other of [
      { ...asked, onSilence: 'It is removed.' },
      { ...asked, until: new Date(Date.now() + 60 * minute).toISOString() },
    ])
      expect(shown(other, [yes])).toMatchObject({ ok: false, reason: expect.stringContaining('out of date') });
  });

  test('an earlier question approves nothing once a newer one is answered, even after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-votes-'));
    const openMemory = (): { kept: DurableMemory; memory: VoteMemory } => {
      const kept = new DurableMemory(folder, console);
      return { kept, memory: new VoteMemory({ votes: kept.keeper('votes'), askings: kept.keeper('askings') }) };
    };
    const [earlier, newer] = [questionOf(removal, { id: 'lease:1' }), questionOf(removal, { id: 'lease:1', text: 'renewed' })];
    const first = openMemory();
    votes = first.memory;
    const yes = voteOf(earlier, 'ana', 'yes', 2_000);
    await arrives(earlier, yes);
    expect(votes.isAskedAnew(earlier)).toBe(false);
    await arrives(newer, voteOf(newer, 'ben', 'no'));
    // Delivered again, it does not become the newest again.
    await arrives(earlier, yes);
    await first.kept.close();
    const { kept, memory } = openMemory();
    expect([memory.isAskedAnew(earlier), memory.isAskedAnew(newer)]).toEqual([true, false]);
    expect(memory.of(earlier).map(({ signed }) => signed.vote.person)).toEqual(['ana']);
    await kept.close();
    rmSync(folder, { recursive: true });
  });

  test('a decision survives a partial answer to the newer question if it is the same, but not if it differs', async () => {
    const asked = (text: string) => questionOf(wide, { id: 'lease:1', text });
    const [earlier, newer, newest] = [asked('release it?'), asked('release it now?'), asked('release it at last?')];
    const yes = [voteOf(earlier, 'ana', 'yes', 2_000), voteOf(earlier, 'ben', 'yes', 1_000)];
    for (const signed of yes) await arrives(earlier, signed);
    const half = voteOf(newer, 'ben', 'yes');
    await arrives(newer, half);
    expect([votes.isAskedAnew(earlier), votes.isAskedAnew(newer)]).toEqual([false, false]);
    expect(shown(earlier, yes).ok).toBe(true);
    // Agreeing approves nothing by itself, whatever others said before.
    expect(shown(newer, [half])).toMatchObject({ ok: false, reason: '1 of 2 people have agreed' });
    await arrives(newer, voteOf(newer, 'ana', 'no'));
    expect([votes.isAskedAnew(earlier), votes.isAskedAnew(newer)]).toEqual([true, false]);
    // A withdrawn vote does not come back when the question is asked again.
    await arrives(newest, voteOf(newest, 'lea', 'yes'), 1);
    expect([earlier, newer, newest].map((one) => votes.isAskedAnew(one))).toEqual([true, true, false]);
  });

  test('endless answers push nothing out of memory', async () => {
    const question = questionOf(removal);
    expect(await arrives(question, voteOf(question, 'ben', 'no', 90_000))).toBe(true);
    const answered: boolean[] = [];
    for (let n = 0; n < 25; n += 1)
      answered.push(await arrives(question, voteOf(question, 'ana', n % 2 ? 'yes' : 'no', 60_000 - n)));
    expect(answered.filter(Boolean)).toHaveLength(20);
    expect(votes.of(question)[0]?.signed.vote.person).toBe('ben');
  });
});

test('listeners hear what people decided, with how many and by which group', async () => {
  const question = questionOf(wide);
  expect(await arrives(question, voteOf(question, 'ana', 'yes', 2_000))).toBe(true);
  expect(await arrives(question, { ...voteOf(question, 'ben', 'yes'), signature: 'forged' })).toBe(false);
  expect(decided).toEqual([]);
  expect(await arrives(question, voteOf(question, 'lea', 'yes'), 1)).toBe(true);
  expect(decided).toEqual([[question, { choice: 'yes', level: 1 }]]);
});

test('listeners hear of final failures, and of what was done with its output', async () => {
  const failed: unknown[] = [];
  const done: unknown[] = [];
  const activities = createCellActivities({
    chokepoint,
    roster,
    keys: voteKeys,
    asking: () => askingWith([]),
    incidents: new IncidentMemory(),
    votes,
    listener: {
      decided: () => undefined,
      failed: ({ action }, ...what) => failed.push([action, ...what]),
      done: ({ action }, output) => done.push([action, output]),
    },
    log: { info: () => undefined, warn: () => undefined },
  });
  const applied = (action: string) => new MockActivityEnvironment().run(() => activities.applyStep(callOf(action)));
  await expect(applied('remove')).rejects.toThrow();
  expect(failed).toEqual([['remove', 'apply', expect.stringMatching(/^FB_ERR_/)]]);
});
