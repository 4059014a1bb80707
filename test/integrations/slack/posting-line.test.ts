import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { RetryLaterError } from '../../../core/errors.ts';
import { PostingLine } from '../../../integrations/slack/post/posting-line.ts';

const channel = 'C0SECURITY';
let line: PostingLine;
beforeEach(() => {
  jest.useFakeTimers({ now: 1_700_000_000_000 });
  line = new PostingLine();
});
afterEach(() => {
  jest.useRealTimers();
});

const news = (key: string, where = channel) => ({ key, channel: where, question: false });
const question = (key: string, where = channel) => ({ key, channel: where, question: true });

/** Seconds until its turn; 0 if it is now. */
async function waits(place: ReturnType<typeof news>): Promise<number> {
  const error: unknown = await line.turn(place).catch((fault: unknown) => fault);
  return error instanceof RetryLaterError ? Math.round(error.retryAfterMs / 1_000) : 0;
}

async function crowd(): Promise<void> {
  line.turnedAway(news('n1'), { retryAfterMs: 3_000 });
  expect(await waits(news('n2'))).toBe(4);
  expect(await waits(news('n3'))).toBe(5);
}

describe('the line in front of a channel', () => {
  test('puts questions before news, and keeps news in order', async () => {
    await crowd();
    expect(await waits(question('q1'))).toBe(3);
    expect(await waits(question('q2'))).toBe(4);
    expect(await Promise.all(['n1', 'n2', 'n3'].map((key) => waits(news(key))))).toEqual([5, 6, 7]);
    expect(await waits(question('q1'))).toBe(3);
  });

  test('puts a question that Slack rate-limited before all news, when Slack said and not sooner', async () => {
    await crowd();
    expect(Math.round(line.turnedAway(question('q1'), { retryAfterMs: 4_000 }).retryAfterMs / 1_000)).toBe(4);
    expect(await Promise.all(['n1', 'n2', 'n3'].map((key) => waits(news(key))))).toEqual([3, 5, 6]);
  });

  test('does not affect other channels', async () => {
    await crowd();
    expect(await waits(question('q1', 'C0OTHER'))).toBe(0);
    expect(await waits(news('n1'))).toBe(3);
  });

  test('gives each message its own slot, a second apart', async () => {
    await crowd();
    const questions = await Promise.all(['a', 'b', 'c'].map((key) => waits(question(key))));
    const rest = await Promise.all(['n1', 'n2', 'n3'].map((key) => waits(news(key))));
    expect([...questions, ...rest]).toEqual([3, 4, 5, 6, 7, 8]);
  });

  test('is over when its last slot has passed', async () => {
    await crowd();
    jest.setSystemTime(Date.now() + 6_000);
    expect(await waits(news('n4'))).toBe(0);
  });
});
