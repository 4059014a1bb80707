import { expect, test } from '@jest/globals';
import { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import type { ResponsePolicy } from '../../../core/assessment/assessment.ts';
import { containedBySilence, containedOnSilence, sealHeard, sealSilence } from '../../../core/assessment/silence-seal.ts';
import { type Question, questionDigest, type Vote } from '../../../core/decide/approval.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { deskKey, signVote } from '../../workflows/people.ts';
import { callOf, chokepoint, context, incident, planOf, pod, setUp, world } from '../chokepoint-fixture.ts';

const cellKey = new Uint8Array(32).fill(7);
const otherKey = new Uint8Array(32).fill(8);
const minute = 60_000;
const assessedAt = Date.parse('2026-06-01T10:00:00Z');
const askedAt = assessedAt + minute;
const waitMs = 75 * minute;
const over = askedAt + waitMs;

function questionOf(changed: Partial<Question> = {}): Question {
  return {
    ...{ id: 'q1', incident, severity: 'high', text: 'Is the shell in cart-1 expected?', requester: 'playbook/p' },
    choices: [
      { id: 'expected', label: 'Yes', plans: [], harmless: true, quorum: 1 },
      { id: 'quarantine', label: 'No', plans: [planOf('quarantine', 'reversible', { pod })], quorum: 1 },
    ],
    levels: [
      { group: 'oncall', withinMs: 15 * minute },
      { group: 'leads', withinMs: 60 * minute },
    ],
    onSilence: containedOnSilence,
    containsOnSilence: pod.uid,
    until: new Date(over).toISOString(),
    ...changed,
  };
}

interface Asked {
  readonly question?: Question;
  readonly podUid?: string;
  readonly key?: Uint8Array;
  readonly heardAt?: number;
  /** Of which the cell has heard instead. */
  readonly heardOf?: Question;
  readonly waitMs?: number;
}

function callAfter(asked: Asked = {}) {
  const { question = questionOf(), podUid = pod.uid, key = cellKey, heardAt = askedAt, heardOf = question } = asked;
  const { assessed: _, ...call } = callOf('quarantine', { severity: 'high' });
  const at = new Date(assessedAt).toISOString();
  const seal = sealSilence({ podUid, alert: 'a', at, waitMs: asked.waitMs ?? waitMs }, key);
  return { ...call, unanswered: { question, seal, heard: sealHeard(heardOf, key, heardAt) } };
}

const inContain: ResponsePolicy = { mode: 'contain', profile: 'balanced', onSilence: 'contain', scope: 'shops' };

async function contained(
  asked: Asked & { readonly at?: number; readonly policy?: ResponsePolicy; readonly votes?: VoteMemory } = {},
): Promise<string> {
  const { at = over + 1_000, policy = inContain, votes = new VoteMemory(), ...given } = asked;
  setUp({
    votes,
    now: () => at,
    policyOn: () => policy,
    bySilence: (unanswered, of) => containedBySilence(unanswered, { ...of, key: cellKey, nowMs: at }),
  });
  const call = callAfter(given);
  return chokepoint.apply(call, context).then(
    () => world.applied.map(({ action }) => action).join(),
    (error: unknown) => (error instanceof FirebreakError ? `${error.code}: ${error.detail}` : String(error)),
  );
}

/** What people have said on a question, at a time. */
function answered(question: Question, choice: string, at: number): VoteMemory {
  const votes = new VoteMemory();
  const vote: Vote = {
    version: 1,
    id: 'v1',
    incident,
    question: question.id,
    questionDigest: questionDigest(question),
    choice,
    person: 'ana',
    via: 'slack',
    at: new Date(at).toISOString(),
  };
  votes.note(question, signVote(vote, deskKey, 'desk'), { at, asked: 0, actors: [], level: 0 });
  return votes;
}

test('a pod is contained once the whole time is over and nobody has answered', async () => {
  expect(await contained()).toBe('quarantine');
});

test('not before: not because of the question’s end, of a level called early, or of a question that leaves out a level', async () => {
  const early = 'FB_ERR_UNAVAILABLE: people have until 2026-06-01T11:16:00.000Z to answer';
  expect(await contained({ at: over - 1 })).toBe(early);
  const ends = (at: number) => questionOf({ until: new Date(at).toISOString() });
  expect(await contained({ question: ends(askedAt + minute), at: askedAt + 2 * minute })).toBe(early);
  const short = questionOf({ levels: [{ group: 'oncall', withinMs: minute }], until: new Date(askedAt + minute).toISOString() });
  expect(await contained({ question: short, at: askedAt + 2 * minute })).toBe(early);
  const later = 'FB_ERR_UNAVAILABLE: people have until 2026-06-01T12:16:00.000Z to answer';
  expect(await contained({ question: ends(over + 60 * minute) })).toBe(later);
  expect(await contained({ heardAt: askedAt + 60 * minute })).toBe(later);
  expect(await contained({ question: questionOf({ until: 'never' }) })).toContain('the question has no end');
});

test('an answer wins, whichever question about the pod it is on, even one that has not come as far as this question', async () => {
  const why = 'FB_ERR_REFUSED: pod/shop/cart-1 is not contained because nobody answered: people have decided about it since';
  const at = askedAt + minute;
  expect(await contained({ votes: answered(questionOf(), 'expected', at) })).toBe(why);
  expect(await contained({ votes: answered(questionOf(), 'quarantine', at) })).toBe(why);
  const { containsOnSilence: _, ...other } = questionOf({ id: 'q2', text: 'Quarantine it?' });
  expect(await contained({ votes: answered(other, 'expected', at) })).toBe(why);
});

test('one of two people who must agree is no answer, and neither is what was said before the alert', async () => {
  const two = questionOf({ severity: 'critical', choices: questionOf().choices.map((one) => ({ ...one, quorum: 2 })) });
  expect(await contained({ question: two, votes: answered(two, 'expected', askedAt + minute) })).toBe('quarantine');
  expect(await contained({ votes: answered(questionOf({ id: 'q0' }), 'expected', assessedAt - minute) })).toBe('quarantine');
});

test('a cell that has lost its memory does not take that for silence', async () => {
  const keeper = {
    load: () => [],
    since: () => askedAt,
    put: () => undefined,
    remove: () => undefined,
    keepSince: () => undefined,
  };
  expect(await contained({ votes: new VoteMemory({ answered: keeper }) })).toContain('people have decided about it since');
});

test.each<[string, Asked, string]>([
  ['another pod', { podUid: 'uid-2' }, 'the cell has not said that this pod is contained on silence'],
  ['another key', { key: otherKey }, 'the cell has not said that this pod is contained on silence'],
  ['a question that it never heard', { heardOf: questionOf({ id: 'q9' }) }, 'the cell has not heard of this question'],
  ['a question that was there before', { heardAt: assessedAt - 1 }, 'people were asked before the cell said so'],
  [
    'another incident',
    { question: questionOf({ incident: { ...incident, run: 'run-2' } }) },
    'the question belongs to another incident',
  ],
  ['a question about another pod', { question: questionOf({ containsOnSilence: 'uid-2' }) }, 'people were not told'],
  ['a question that promises otherwise', { question: questionOf({ onSilence: 'Nothing is done.' }) }, 'people were not told'],
])('silence does not count for %s', async (_, asked, why) => {
  expect(await contained(asked)).toMatch(
    new RegExp(`^FB_ERR_REFUSED: pod/shop/cart-1 is not contained because nobody answered: ${why}`),
  );
});

test('the policy of today decides: only mode contain, and only if it says so', async () => {
  const policies: readonly [Partial<ResponsePolicy>, string][] = [
    [{ onSilence: 'nothing' }, 'FB_ERR_REFUSED'],
    [{ mode: 'ask' }, 'FB_ERR_REFUSED'],
    [{ mode: 'observe', profile: 'strict' }, 'FB_ERR_REFUSED'],
    [{ onSilence: 'nothing', profile: 'strict' }, 'quarantine'],
  ];
  for (const [changed, result] of policies)
    expect(await contained({ policy: { ...inContain, ...changed } })).toMatch(new RegExp(`^${result}`));
});

test('the guardrails stay above it', async () => {
  setUp({
    now: () => over,
    bySilence: (unanswered, of) => containedBySilence(unanswered, { ...of, key: cellKey, nowMs: over }),
    replicas: 2,
  });
  for (const uid of ['a', 'b', 'c', 'd', 'e']) world.contained.set(uid, 'shop');
  await expect(chokepoint.apply(callAfter(), context)).rejects.toMatchObject({ code: 'FB_ERR_CAP_REACHED' });
  await expect(chokepoint.apply({ ...callAfter(), doubt: 'the pod is unknown' }, context)).rejects.toMatchObject({
    code: 'FB_ERR_ASK_FIRST',
  });
});

test('where no cell can say so, silence does nothing', async () => {
  setUp({ now: () => over });
  await expect(chokepoint.apply(callAfter(), context)).rejects.toMatchObject({ detail: expect.stringContaining('here silence') });
});
