import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { questionDigest, type SignedVote } from '../../../core/decide/approval.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import { type MemoryLab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf, outsiderKey, signVote } from '../people.ts';
import { mainQuestion, recordsIn, voteOn } from '../voting.ts';

let lab: MemoryLab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.stop());

const seen = <T>(look: () => T | undefined): Promise<T> => lab.eventually('what is waited for', look);

const recordsOf = (incident: RunningIncident, kind: string) => recordsIn(lab, incident, kind);

test('a choice whose plan reaches as far as the policy says is marked, and the mark is part of what people answer', async () => {
  const incident = await lab.start([alertOf()], { stepUp: { reaches: ['pod'] } });
  const asked = await incident.question();
  const { question, digest } = asked;
  const marked = question.choices.filter(({ stepUp }) => stepUp).map(({ id }) => id);
  expect(marked).toEqual(question.choices.filter(({ plans }) => plans.length > 0).map(({ id }) => id));
  expect(marked.length).toBeGreaterThan(0);
  expect(digest).toBe(questionDigest(question));
  // Before the card is posted, a brief search for similar incidents runs.
  const card = await seen(() => lab.seen.cards.find(({ questionId }) => questionId === question.id));
  expect(card?.choices.filter(({ stepUp }) => stepUp).map(({ id }) => id)).toEqual(marked);
  // The token goes to the cell only, and no observer sees it.
  const [choice = ''] = marked;
  await incident.signal({ ...signVote(voteOn(asked, { choice })), idToken: 'a.b.c' });
  const state = await incident.until(({ questions }) => questions.some(({ votes }) => votes.length > 0), 'the vote');
  expect(JSON.stringify(state.questions)).not.toContain('idToken');
});

describe('a signal that is not a valid vote is refused, answered and recorded, and changes nothing', () => {
  const garbage: readonly (readonly [string, (asked: QuestionState) => unknown])[] = [
    ['null', () => null],
    ['an empty object', () => ({})],
    ['a text', () => 'remove'],
    ['a vote without a question', () => ({ vote: {} })],
    ['a person that cannot become a text', () => ({ vote: { question: 'x', person: { toString: 1, valueOf: 1 } } })],
    ['a vote as a list', ({ question }) => ({ vote: [question.id], keyId: 'desk', signature: '' })],
    ['a vote of a megabyte', (asked) => signVote(voteOn(asked, { reason: 'x'.repeat(1_000_000) }))],
  ];

  const forged: readonly (readonly [string, (asked: QuestionState) => SignedVote])[] = [
    ['no signature', (asked) => ({ ...signVote(voteOn(asked)), signature: '' })],
    ['a stranger’s key', (asked) => signVote(voteOn(asked), outsiderKey)],
    ['a stranger’s key under the desk’s name', (asked) => signVote(voteOn(asked), outsiderKey, 'desk')],
    ['a person put in after signing', (asked) => ({ ...signVote(voteOn(asked)), vote: voteOn(asked, { person: 'ben' }) })],
    ['the desk’s key on a vote that says it came from the command line', (asked) => signVote(voteOn(asked, { via: 'cli' }))],
    ['a person outside the roster', (asked) => signVote(voteOn(asked, { person: 'mallory' }))],
    ['a person of no group', (asked) => signVote(voteOn(asked, { person: 'eve' }))],
    ['a person whose group is not asked yet', (asked) => signVote(voteOn(asked, { person: 'lea' }))],
    ['the digest of another question', (asked) => signVote(voteOn(asked, { questionDigest: 'f'.repeat(64) }))],
    ['a choice that is not offered', (asked) => signVote(voteOn(asked, { choice: 'ignore' }))],
    ['a question that was never asked', (asked) => signVote(voteOn(asked, { question: 'ffffffff-q' }))],
    ['another incident', (asked) => signVote(voteOn(asked, { incident: { ...asked.question.incident, id: 'incident/x' } }))],
    ['another run', (asked) => signVote(voteOn(asked, { incident: { ...asked.question.incident, run: 'another' } }))],
  ];

  test('garbage, forgeries, and then one valid vote', async () => {
    const incident = await lab.start([alertOf()]);
    const asked = await incident.question();
    let answers = lab.seen.answers.length;
    for (const [index, [what, make]] of garbage.entries()) {
      await incident.signal(make(asked));
      await incident.until((state) => state.audit.made >= 1 && recordsOf(incident, 'vote.refused').length === index + 1, what);
    }
    for (const [index, [what, make]] of forged.entries()) {
      answers = lab.seen.answers.length;
      const signed = make(asked);
      await incident.signal(signed);
      const expected = garbage.length + index + 1;
      await incident.until(() => recordsOf(incident, 'vote.refused').length === expected, what);
      // For a vote from the command line nobody has clicked on anything.
      if (signed.vote.via === 'slack') await incident.until(() => lab.seen.answers.length > answers, `an answer to ${what}`);
    }
    const state = await incident.state();
    expect(state.questions.every((question) => question.votes.length === 0)).toBe(true);
    expect(lab.seen.applied.some((call) => call.incident.id === incident.id && call.action === 'deletePod')).toBe(false);
    expect(recordsOf(incident, 'vote.accepted')).toEqual([]);
    await incident.vote('remove', 'ana');
    expect((await incident.result()).verdict).toBe('true_positive');
  });

  test('a batch of alerts that cannot be read stops nothing', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.question();
    await incident.alerts(null as never);
    await incident.alerts({ id: 'b', alerts: [null], counts: [] } as never);
    await incident.until(() => recordsOf(incident, 'alert.refused').length === 2, 'both refusals');
    await incident.vote('remove', 'ana');
    await incident.result();
  });
});

describe('people', () => {
  test('a lead may answer once the leads are asked', async () => {
    const incident = await lab.start([alertOf()]);
    const asked = await incident.question();
    const early = signVote(voteOn(asked, { person: 'lea' }));
    await incident.signal(early);
    await incident.until(() => recordsOf(incident, 'vote.refused').length === 1, 'the refusal');
    expect((await incident.state()).timeline.find(({ kind }) => kind === 'vote.refused')?.of).toBe(early.signature);
    await lab.env.sleep('16m');
    await incident.until((state) => state.questions.some((question) => question.level === 1), 'the second level');
    await incident.vote('remove', 'lea');
    expect((await incident.result()).verdict).toBe('true_positive');
  });

  test('quorum counts people, not clicks, and a replayed vote id counts nothing again', async () => {
    const incident = await lab.start([alertOf()]);
    const first = await incident.vote('release', 'ana');
    await incident.signal(first);
    await incident.vote('release', 'ana');
    await incident.until(() => recordsOf(incident, 'vote.accepted').length === 2, 'two clicks of one person');
    expect((await incident.question()).status.state).toBe('open');
    expect((await incident.question()).votes).toHaveLength(1);
    await incident.vote('release', 'ben');
    const end = await incident.result();
    expect(mainQuestion(end)?.status).toMatchObject({ state: 'decided', choice: 'release', by: ['ana', 'ben'] });
    expect(recordsOf(incident, 'question.decided')).toHaveLength(1);
    expect(recordsOf(incident, 'vote.accepted')).toHaveLength(3);
  });

  test('whoever changes their mind counts for their last word', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.vote('remove', 'ana');
    const end = await incident.result();
    expect(mainQuestion(end)?.status).toMatchObject({ choice: 'remove', by: ['ana'] });
    expect(lab.seen.undone.filter((call) => call.incident.id === incident.id)).toEqual([]);
  });

  test('a click after the decision is answered as late, and is not a second decision', async () => {
    const incident = await lab.start([alertOf()], { lingerMs: 3_600_000 });
    await incident.vote('remove', 'ana');
    await incident.until((state) => mainQuestion(state)?.status.state === 'decided', 'the decision');
    await incident.vote('release', 'ben');
    await incident.until(() => lab.seen.answers.some((text) => text.startsWith('Already decided:')), 'the answer');
    const end = await incident.result();
    expect(mainQuestion(end)?.status).toMatchObject({ choice: 'remove', by: ['ana'] });
    expect(recordsOf(incident, 'question.decided')).toHaveLength(1);
  });

  test('call it harmless for a reason, and two of them if it is critical', async () => {
    const shell = { rule: 'Terminal shell in container' } as const;
    const incident = await lab.start([alertOf({ ...shell, severity: 'critical', assessment: assessedAs('ask') })], {
      playbooks: ['firebreak/ask-about-shell'],
    });
    const asked = await incident.question();
    expect(asked.question.choices.map(({ id, harmless, quorum }) => [id, harmless === true, quorum])).toEqual([
      ['expected', true, 2],
      ['look', false, 1],
      ['quarantine', false, 1],
    ]);
    const card = await seen(() => lab.seen.cards.find(({ questionId }) => questionId === asked.question.id));
    expect(card?.choices[0]).toMatchObject({ weakens: true, quorum: 2, changes: ['The incident is marked as harmless.'] });
    const { reason: _, ...without } = voteOn(asked, { person: 'ana', choice: 'expected' });
    await incident.signal(signVote(without));
    await incident.until(() => recordsOf(incident, 'vote.refused').length === 1, 'the refusal');
    await incident.vote('expected', 'ana');
    const one = await incident.until(({ questions }) => questions.some(({ votes }) => votes.length === 1), 'the first vote');
    expect([mainQuestion(one)?.status.state, one.verdict]).toEqual(['open', 'unknown']);
    await incident.vote('expected', 'ben');
    expect((await incident.result()).verdict).toBe('benign');
  });

  test('call it harmless alone if it is not critical', async () => {
    const incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })], {
      playbooks: ['firebreak/ask-about-shell'],
    });
    await incident.vote('expected', 'ana');
    expect((await incident.result()).verdict).toBe('benign');
  });

  test('when the incident has become critical, a release that one person could give needs two', async () => {
    const incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })], {
      playbooks: ['firebreak/ask-about-shell'],
    });
    await incident.vote('quarantine', 'ana');
    const asked = await incident.question(true);
    expect(asked.question.choices.find((choice) => choice.id === 'release')?.quorum).toBe(1);
    const worse = alertOf({ title: 'worse' });
    await incident.alerts({
      id: 'worse',
      alerts: [worse],
      counts: [{ rule: worse.rule, severity: 'critical', count: 1, firstSeen: worse.time, lastSeen: worse.time }],
    });
    await incident.until((state) => state.severity === 'critical', 'critical');
    await incident.vote('release', 'ana', {}, true);
    await incident.until(
      (state) => state.questions.some((question) => question.votes.length === 1 && question.question.id.startsWith('lease:')),
      'the first vote',
    );
    expect(lab.seen.undone.filter((call) => call.incident.id === incident.id)).toEqual([]);
    await incident.vote('release', 'ben', {}, true);
    await incident.result();
    expect(lab.seen.undone.filter((call) => call.incident.id === incident.id)).toMatchObject([{ severity: 'critical' }]);
  });
});
