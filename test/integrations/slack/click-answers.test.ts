import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mostAnswers } from '../../../core/incident/click-reply.ts';
import { answer, channel, incident, type Rig, startRig } from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const everybody = () => ['U0ADA', 'U0GRACE', 'U0MALLORY'].flatMap((user) => rig.slack.ephemerals(user).map(({ text }) => text));
const known = { click: 'click-1', signature: 'ours', incident: incident.id, to: { channel, user: 'U0ADA' }, at: Date.now() };

describe('what an incident says about a click', () => {
  test('is told to the person who clicked, where they clicked', async () => {
    await answer(rig, 'Decided.');
    expect(rig.slack.ephemerals('U0ADA')).toMatchObject([{ text: 'Decided.', channel }]);
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
