import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import { type Lab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';

const tls = 'the suspect pod uses it, and Certificate tls would give it the new value under the same name: delete the pod first';

describe('a Secret that cannot be rotated while the pod is there', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({
      script: {
        rotateSecret: ({ input }) => ({
          rotated: [],
          refused: JSON.stringify(input).includes('"secrets"') ? [] : [{ secret: 'tls', reason: tls }],
        }),
      },
    });
  });
  afterAll(() => lab.stop());

  const isSecond = ({ question, status }: QuestionState) => status.state === 'open' && question.text.includes('is deleted');
  /** Runs up to the second question: the pod is deleted. */
  const removed = async (): Promise<{ readonly incident: RunningIncident; readonly second: QuestionState }> => {
    const incident = await lab.start([alertOf()]);
    await incident.vote('remove', 'ana');
    const { questions } = await incident.until((state) => state.questions.some(isSecond), 'the second question');
    const second = questions.find(isSecond);
    if (!second) throw new Error('no second question');
    return { incident, second };
  };
  const stepsOf = ({ id }: RunningIncident) =>
    lab.seen.applied
      .filter((call) => call.incident.id === id && ['rotateSecret', 'deletePod'].includes(call.action))
      .map(({ action, input }) => [action, JSON.stringify(input).includes('"secrets":["tls"]')]);
  const answer = async (incident: RunningIncident, second: QuestionState, choice: string): Promise<IncidentState> => {
    await incident.vote(choice, 'ana', { question: second.question.id, questionDigest: second.digest });
    return incident.result();
  };

  test('is asked about with its own plan when the pod is deleted, and rotated under that answer', async () => {
    const { incident, second } = await removed();
    expect(stepsOf(incident)).toEqual([
      ['rotateSecret', false],
      ['deletePod', false],
    ]);
    expect(second.question.choices.map(({ id, plans, quorum }) => [id, plans.length, quorum])).toEqual([
      ['rotate', 1, 1],
      ['keep', 0, 1],
    ]);
    const end = await answer(incident, second, 'rotate');
    expect(stepsOf(incident)).toEqual([
      ['rotateSecret', false],
      ['deletePod', false],
      ['rotateSecret', true],
    ]);
    const approvals = lab.seen.applied
      .filter((call) => call.incident.id === incident.id && call.action === 'rotateSecret')
      .map((call) => call.approval?.question.id);
    expect(approvals[1]).toBe(second.question.id);
    expect(approvals[0]).not.toBe(second.question.id);
    expect(end).toMatchObject({ open: false, verdict: 'true_positive' });
  });

  test('stays as it is when people say so', async () => {
    const { incident, second } = await removed();
    await answer(incident, second, 'keep');
    expect(stepsOf(incident)).toHaveLength(2);
  });

  test('is never rotated on silence', async () => {
    const { incident } = await removed();
    await lab.env.sleep('16m');
    await incident.until((state) => state.questions.some((asked) => isSecond(asked) && asked.level === 1), 'the second level');
    await lab.env.sleep('2h');
    const { questions } = await incident.state();
    expect(questions.filter(({ status }) => status.state === 'decided')).toHaveLength(1);
    expect(stepsOf(incident)).toHaveLength(2);
  });
});
