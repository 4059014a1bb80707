import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { MessageRef, QuestionCard } from '../../../core/cards/card.ts';
import { RetryLaterError } from '../../../core/errors.ts';
import { createCardLimit, mostOpen } from '../../../service/desk/slack.ts';
import { fastPace } from '../../fakes/slack/fast-pace.ts';
import { channel, MemoryCards, post as postOnce, questionCard, type Rig, startRig, until } from './fixture.ts';

const person = (id: string) => ({ id, name: id, slackIds: [], keys: [] });
const roster = {
  people: ['ada', 'grace', 'lea'].map(person),
  groups: { oncall: ['ada', 'grace'], leads: ['grace'], legal: ['lea'] },
};

let rig: Rig;
let cards: MemoryCards;
const pace = fastPace();
beforeEach(async () => {
  cards = new MemoryCards();
  rig = await startRig({ cards, pace, crowding: createCardLimit({ roster, cards }) });
});
afterEach(() => rig.stop());

/** A question of a separate incident, still to be answered. */
function cardOf(number: number, changes: Partial<QuestionCard> = {}): QuestionCard {
  const base = questionCard();
  const name = `cart-${number}`;
  return {
    ...base,
    questionId: `question-${number}`,
    incident: { ...base.incident, id: `incident/prod-1/shop/Deployment/${name}`, title: `deployment/shop/${name}` },
    // Each has a different image: otherwise they would share one card.
    happened: { ...base.happened, image: `registry.example.com/shop/${name}:1` },
    level: { ...base.level, until: new Date(Date.now() + 900_000).toISOString() },
    ...changes,
  };
}
/** Slack accepts one message per second: what it rejects is retried, as an activity does. */
async function post(on: Rig, card: QuestionCard): Promise<MessageRef> {
  for (;;) {
    try {
      return await postOnce(on, card);
    } catch (error) {
      if (!(error instanceof RetryLaterError)) throw error;
      await pace.sleep(error.retryAfterMs);
    }
  }
}
const posted = () => rig.slack.world.messages.filter(({ ephemeralFor }) => ephemeralFor === undefined);
const summaries = () => posted().filter(({ text }) => /more questions? waits?|No more questions/.test(text ?? ''));
const decided = { status: { state: 'decided' as const, choice: 'remove', by: ['Ada'], at: new Date().toISOString() } };
const asked = (group: string) => ({ level: { ...cardOf(0).level, group } });

describe('more open questions than a person can keep in view', () => {
  test('go into the thread of one summary, each as a card that can be answered, even when they come at once', async () => {
    await Promise.all(Array.from({ length: mostOpen + 3 }, (_, number) => post(rig, cardOf(number))));
    const summary = await until(() => summaries().find(({ text }) => text?.startsWith('3 more questions wait')));
    expect(summaries()).toHaveLength(1);
    const inThread = posted().filter(({ threadTs }) => threadTs === summary.ts);
    const inChannel = posted().filter(({ threadTs, ts }) => threadTs === undefined && ts !== summary.ts);
    expect([inChannel.length, inThread.length]).toEqual([mostOpen, 3]);
    expect(JSON.stringify(summary.blocks)).toContain(`${mostOpen} questions are open above.`);
    expect(JSON.stringify(summary.blocks)).toMatch(/CRITICAL deployment\/shop\/cart-\d {2}oncall until/);
    const [further] = inThread;
    await rig.slack.click({ user: 'U0ADA', channel, ts: further?.ts ?? '', actionId: 'fb_decide1' });
    expect((await until(() => rig.clicks[0])).messageTs).toBe(further?.ts);
  });

  test('are listed with the worst first, and what ends first before what ends later', async () => {
    for (let number = 0; number < mostOpen; number += 1) await post(rig, cardOf(number));
    const further = (number: number, severity: QuestionCard['incident']['severity'], minutes: number) => {
      const card = cardOf(number);
      const until = new Date(Date.now() + minutes * 60_000).toISOString();
      return post(rig, { ...card, incident: { ...card.incident, severity }, level: { ...card.level, until } });
    };
    await further(11, 'low', 5);
    await further(12, 'critical', 90);
    await further(13, 'medium', 30);
    await further(14, 'critical', 20);
    const listed = () => JSON.stringify(summaries()[0]?.blocks).match(/cart-1\d/g) ?? [];
    await until(() => (listed().length === 4 ? true : undefined));
    expect(listed()).toEqual(['cart-14', 'cart-12', 'cart-13', 'cart-11']);
  });

  test('say how many are open in the channel, whenever that changes', async () => {
    for (let number = 0; number <= mostOpen; number += 1) await post(rig, cardOf(number));
    const text = () => JSON.stringify(summaries()[0]?.blocks);
    await until(() => text().includes('5 questions are open above.') || undefined);
    await rig.desk.updateQuestion({ card: cardOf(0, decided) });
    await until(() => text().includes('4 questions are open above.') || undefined);
  });

  test('give the place of the least urgent one in the channel to a more severe one', async () => {
    const low = (number: number, minutes: number) => {
      const card = cardOf(number);
      const until = new Date(Date.now() + minutes * 60_000).toISOString();
      return { ...card, incident: { ...card.incident, severity: 'low' as const }, level: { ...card.level, until } };
    };
    for (let number = 0; number < mostOpen; number += 1) await post(rig, low(number, number === 2 ? 90 : 30));
    const [first, second] = [await post(rig, cardOf(11)), await post(rig, cardOf(12))];
    const summary = await until(() => summaries()[0]);
    for (const { ts } of [first, second]) expect(posted().find((one) => one.ts === ts)?.threadTs).toBeUndefined();
    // What gave up its place has its card with its buttons in the thread, and a line in the channel.
    const moved = posted().filter(({ threadTs }) => threadTs === summary.ts);
    expect(JSON.stringify(moved[0]?.blocks)).toContain('cart-2');
    expect(moved).toHaveLength(2);
    const left = posted().filter(({ text }) => text?.includes('moved to the thread of further questions'));
    expect(left.map(({ threadTs }) => threadTs)).toEqual([undefined, undefined]);
    expect(JSON.stringify(left)).not.toContain('fb_decide');
    await rig.slack.click({ user: 'U0ADA', channel, ts: moved[0]?.ts ?? '', actionId: 'fb_decide1' });
    expect((await until(() => rig.clicks[0])).messageTs).toBe(moved[0]?.ts);
    await until(() => (JSON.stringify(summaries()[0]?.blocks).includes('5 questions are open above.') ? true : undefined));
    // A further low one finds no place, and a critical one none once all in the channel are.
    const further = await post(rig, low(20, 30));
    expect(posted().find(({ ts }) => ts === further.ts)?.threadTs).toBe(summary.ts);
    for (let number = 13; number <= 15; number += 1) await post(rig, cardOf(number));
    const sixth = await post(rig, cardOf(16));
    expect(posted().find(({ ts }) => ts === sixth.ts)?.threadTs).toBe(summary.ts);
  });

  test('leave a question that pages people a card of its own in the channel', async () => {
    for (let number = 0; number < mostOpen; number += 1) await post(rig, cardOf(number));
    const paging = await post(rig, cardOf(11, { level: { ...cardOf(11).level, pages: true } }));
    expect(posted().find(({ ts }) => ts === paging.ts)?.threadTs).toBeUndefined();
    expect(summaries()).toHaveLength(0);
  });

  test('are counted per person: another group has room, and one with an overloaded member does not', async () => {
    for (let number = 0; number < mostOpen; number += 1) await post(rig, cardOf(number));
    await post(rig, cardOf(10, asked('legal')));
    expect(summaries()).toHaveLength(0);
    await post(rig, cardOf(11, asked('leads')));
    expect(summaries()).toHaveLength(1);
  });

  test('make room when they are decided, and a card stays where it was put', async () => {
    for (let number = 0; number <= mostOpen; number += 1) await post(rig, cardOf(number));
    const [summary] = summaries();
    await rig.desk.updateQuestion({ card: cardOf(0, decided) });
    const next = await post(rig, cardOf(20));
    expect(posted().find(({ ts }) => ts === next.ts)?.threadTs).toBeUndefined();
    await rig.desk.updateQuestion({ card: cardOf(mostOpen, decided) });
    await until(() => (summaries()[0]?.text?.startsWith('No more questions wait') ? true : undefined));
    expect(posted().filter(({ threadTs }) => threadTs === summary?.ts)).toHaveLength(1);
  });

  test('have their incident’s news in the same thread, by name', async () => {
    for (let number = 0; number <= mostOpen; number += 1) await post(rig, cardOf(number));
    const [summary] = summaries();
    rig.slack.calm();
    const line = await rig.desk.postInThread({ key: 'x', incident: cardOf(mostOpen).incident, text: 'leads are asked now' });
    const told = posted().find(({ ts }) => ts === line.ts);
    expect(told).toMatchObject({ threadTs: summary?.ts, text: `shop/cart-${mostOpen}: leads are asked now` });
    rig.slack.calm();
    const own = await rig.desk.postInThread({ key: 'y', incident: cardOf(0).incident, text: 'leads are asked now' });
    expect(posted().find(({ ts }) => ts === own.ts)?.text).toBe('leads are asked now');
  });

  test('do not count forever if nobody ends them', async () => {
    const old = { level: { ...cardOf(0).level, until: new Date(Date.now() - 2 * 3_600_000).toISOString() } };
    for (let number = 0; number < mostOpen; number += 1) await post(rig, cardOf(number, old));
    await post(rig, cardOf(30));
    expect(summaries()).toHaveLength(0);
  });
});
