import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mostAnswers } from '../../../core/incident/click-reply.ts';
import { answer, channel, incident, keep, plainCard, post, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const everybody = () => ['U0ADA', 'U0GRACE', 'U0MALLORY'].flatMap((user) => rig.slack.ephemerals(user).map(({ text }) => text));
const known = { click: 'click-1', signature: 'ours', incident: incident.id, to: { channel, user: 'U0ADA' }, at: Date.now() };

describe('a tap', () => {
  const receipt = 'Received: “Keep it”. It is not counted yet: the incident has not answered.';
  /** A click that Temporal has taken; the incident answers with `text`, or stays silent. */
  async function tapped(text: string | undefined): Promise<readonly string[]> {
    await rig.stop();
    rig = await startRig({
      onClick: async ({ clickId, channel: where, slackUser }) => {
        await rig.cards.saveReply({ ...known, click: clickId, to: { channel: where, user: slackUser } });
        if (text !== undefined) await rig.desk.answerClick({ incident, click: clickId, signature: 'ours', text });
        return { text: receipt, taken: true };
      },
    });
    await post(rig, plainCard);
    await rig.slack.click(keep);
    await until(() => (everybody().length > 0 ? true : undefined), 30_000);
    // The desk has finished with it once it no longer owes an answer.
    await until(() => (rig.cards.unanswered.size === 0 ? true : undefined), 30_000);
    return everybody();
  }

  test('has one reply: that of the incident', async () => {
    expect(await tapped('Decided.')).toEqual([expect.stringMatching(/^Decided\./)]);
  });

  test('has a receipt if the incident does not answer in a few seconds', async () => {
    expect(await tapped(undefined)).toEqual([expect.stringMatching(/^Received: “Keep it”/)]);
  });
});

describe('what an incident says about a click', () => {
  test('is told to the person who clicked, where they clicked', async () => {
    await answer(rig, 'Decided.');
    expect(rig.slack.ephemerals('U0ADA')).toMatchObject([{ text: 'Decided.', channel }]);
  });

  test('says times in the reader’s own zone', async () => {
    await answer(rig, 'You will be reminded at 2026-03-01T14:17:11.123Z. The question does not wait.');
    expect(rig.slack.ephemerals('U0ADA')).toMatchObject([
      { text: 'You will be reminded at <!date^1772374631^{time}|14:17 UTC>. The question does not wait.' },
    ]);
  });

  test('goes nowhere else, whatever the call names', async () => {
    await rig.cards.saveReply(known);
    const elsewhere = { channel: 'C0OTHER', user: 'U0MALLORY', replyTo: { channel: 'C0OTHER', user: 'U0MALLORY' } };
    await rig.desk.answerClick({ incident, click: 'click-1', signature: 'ours', text: 'Decided.', ...elsewhere });
    expect(rig.slack.ephemerals('U0MALLORY')).toEqual([]);
    expect(rig.slack.ephemerals('U0ADA')).toHaveLength(1);
  });

  test.each([
    ['about a click that nobody made', { click: 'click-2' }],
    ['without the desk’s signature of the answer', { signature: 'another' }],
    [
      'from an incident other than the one that was answered',
      { incident: { ...incident, id: 'incident/prod-1/shop/Deployment/other' } },
    ],
  ])('is told to nobody when it comes %s', async (_, changes) => {
    await rig.cards.saveReply(known);
    await rig.desk.answerClick({ incident, click: 'click-1', signature: 'ours', text: 'Call 555-1234.', ...changes });
    expect(everybody()).toEqual([]);
    expect(rig.logs.join()).toContain('an answer was not shown');
  });

  test('is told at most a few times', async () => {
    await rig.cards.saveReply(known);
    for (let time = 0; time < mostAnswers + 3; time += 1)
      await rig.desk.answerClick({ incident, click: 'click-1', signature: 'ours', text: `${time}` });
    expect(everybody()).toHaveLength(mostAnswers);
  });
});
