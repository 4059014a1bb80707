import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { createFollowUpActivities } from '../../../activities/desk/follow-up.ts';
import type { QuestionPost } from '../../../core/cards/question-card.ts';
import { type Lab, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';

/** Edits of the card of the question that is voted on, in the order requested. */
const edits: QuestionPost['stand'][] = [];
const desk = {
  ...createFollowUpActivities({}),
  updateQuestion: async ({ stand }: QuestionPost): Promise<void> => {
    if (stand.votes.length === 0) return;
    edits.push(stand);
    if (edits.length === 1)
      throw ApplicationFailure.nonRetryable('Slack answered chat.update with cannot_reply', 'FB_ERR_REFUSED');
  },
};

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ others: desk });
});
afterAll(() => lab.stop());

test('an edit of a card that is refused for good is on record, and the next one is still made', async () => {
  const incident = await lab.start([alertOf()]);
  await incident.vote('release', 'ben');
  await incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'card.failed'), 'the refusal');
  await incident.vote('remove', 'ana');
  await incident.result();
  expect(edits.at(-1)?.status).toMatchObject({ state: 'decided', choice: 'remove' });
  expect(lab.seen.records.filter(({ kind }) => kind === 'card.failed')).toHaveLength(1);
});
