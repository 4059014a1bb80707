import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import { type Question, questionDigest } from '../../../core/decide/approval.ts';
import { incidentNames } from '../../../core/incident/incident.ts';
import { askOneQuestion } from '../asking.ts';
import { alertOf, batchOf, signVote, subject } from '../people.ts';
import { useLab } from '../use-lab.ts';

const plan: Plan = {
  action: 'deletePod',
  effect: 'destructive',
  reach: 'pod',
  target: { name: 'pod/shop/cart-1', uid: 'uid-1' },
  changes: [{ target: 'pod/shop/cart-1', what: 'is removed' }],
  blastRadius: [],
  notes: [],
  inputDigest: 'd',
};

const { lab } = useLab();

/** Asks, sends the votes one after another, each after the previous one is answered, and waits for the end. */
async function outcomeOf(votes: readonly (readonly [person: string, choice: string])[]) {
  const id = `incident/lab/shop/Deployment/asking-${randomUUID()}`;
  const run = await lab.server.start(askOneQuestion, {
    workflowId: id,
    input: {
      start: { subject, batch: batchOf([alertOf()]) },
      settings: {
        queues: { cell: 'lab', desk: 'lab', secrets: 'lab', forensics: 'lab', packs: 'lab' },
        playbooks: [],
        levels: [],
        evidenceDeadlineMs: 0,
        lingerMs: 0,
        maxBodies: 1,
      },
      plan,
    },
  });
  const card = () => lab.seen.cards.findLast((one) => one.incident.id === id);
  const posted = await lab.eventually('the card', card);
  const answers: string[] = [];
  for (const [person, choice] of votes) {
    const before = lab.seen.answers.length;
    const vote = {
      version: 1,
      id: `vote-${Math.random()}`,
      incident: { id, run: run.firstRunId },
      question: posted.questionId,
      questionDigest: posted.questionDigest,
      choice,
      person,
      reason: 'as I see it',
      via: 'slack',
      at: new Date(await lab.env.currentTimeMs()).toISOString(),
    } as const;
    await lab.server.signal(run, incidentNames.voteSignal, signVote(vote));
    await lab.eventually('an answer to the vote', () => lab.seen.answers.length > before);
    answers.push(...lab.seen.answers.slice(before));
  }
  const { decision, timeline } = await lab.server.result<Awaited<ReturnType<typeof askOneQuestion>>>(run);
  return { decision, timeline, answers, last: card() };
}

test('two people of the next level, which is asked at once, overrule a no; those who were asked before cannot', async () => {
  const { decision, timeline, answers, last } = await outcomeOf([
    ['ana', 'no'],
    ['ana', 'yes'],
    ['lea', 'yes'],
    ['ben', 'yes'],
  ]);
  expect(answers).toEqual([
    'Counted as a no. leads is asked now: two of its members can overrule you, otherwise your no stands.',
    'ana has said no: only leads can overrule it.',
    'Counted: 1 of 2 people for “Yes: delete pod”. One more person must agree.',
    'Decided: “Yes: delete pod”.',
  ]);
  expect(decision).toMatchObject({ choice: 'yes', by: ['lea', 'ben'] });
  expect(decision?.proof.votes.map(({ vote }) => vote.person)).toEqual(['lea', 'ben']);
  expect(questionDigest(decision?.proof.question as Question)).toBe(last?.questionDigest);
  expect(timeline).toContain('question.escalated: Ana said no: leads is asked');
  expect(last).toMatchObject({ level: { group: 'leads', number: 2 }, status: { state: 'decided', choice: 'yes' } });
});

test('silence lets a no stand, once the next level has had its time', async () => {
  const began = await lab.env.currentTimeMs();
  const { decision, timeline, last } = await outcomeOf([['ana', 'no']]);
  expect(decision).toMatchObject({ choice: 'no', by: ['ana'] });
  expect(timeline.at(-1)).toBe('question.decided: No, by Ana');
  const after = last?.status.state === 'decided' ? Date.parse(last.status.at) - began : 0;
  expect(after).toBeGreaterThanOrEqual(3_600_000);
  // Not after both levels’ times: the no moved it to the second level early.
  expect(after).toBeLessThan(3_600_000 + 900_000);
});

test('silence alone decides nothing', async () => {
  const { decision, timeline } = await outcomeOf([]);
  expect(decision).toBeUndefined();
  expect(timeline.filter((line) => line.startsWith('question.escalated'))).toEqual([
    'question.escalated: nobody answered in time: leads is asked',
  ]);
  expect(timeline.at(-1)).toBe('question.expired: nobody answered: silence is never a yes');
});
