import { describe, expect, test } from '@jest/globals';
import { ServerClock } from '../../../integrations/kubernetes/client.ts';

const noon = Date.parse('2026-03-01T12:00:00.000Z');
/** The answer of a server whose clock is this far ahead of ours, if it answers halfway between request and response. */
function answer(
  at: number,
  { serverAheadMs, roundTripMs = 10 }: { readonly serverAheadMs: number; readonly roundTripMs?: number },
) {
  return { date: new Date(at + serverAheadMs).toUTCString(), sentAt: at - roundTripMs / 2, cameAt: at + roundTripMs / 2 };
}

describe('the offset of our clock from the API server’s', () => {
  test('is not known before its first answer, nor from answers without a time', () => {
    const clock = new ServerClock();
    expect(clock.offset()).toBeUndefined();
    clock.see({ date: undefined, sentAt: noon, cameAt: noon });
    clock.see({ date: 'yesterday', sentAt: noon, cameAt: noon });
    expect(clock.offset()).toBeUndefined();
  });

  test.each([0, 2_500, -60_250])(
    'includes the true value, and narrows with each answer: a server that is %i ms ahead',
    (serverAheadMs) => {
      const clock = new ServerClock();
      clock.see(answer(noon + 300, { serverAheadMs }));
      const first = clock.offset();
      expect(first?.withinMs).toBe(505);
      for (let n = 1; n <= 50; n += 1) clock.see(answer(noon + n * 137, { serverAheadMs }));
      const { aheadMs = Number.NaN, withinMs = Number.NaN } = clock.offset() ?? {};
      expect(Math.abs(aheadMs + serverAheadMs)).toBeLessThanOrEqual(withinMs);
      expect(withinMs).toBeLessThan(50);
    },
  );

  test('is not narrowed by a slow answer', () => {
    const clock = new ServerClock();
    clock.see(answer(noon, { serverAheadMs: 0, roundTripMs: 4_000 }));
    expect(clock.offset()?.withinMs).toBe(2_500);
  });

  test('starts over when a clock has been set, and after ten minutes', () => {
    const clock = new ServerClock();
    for (let n = 0; n < 50; n += 1) clock.see(answer(noon + n * 137, { serverAheadMs: 0 }));
    clock.see(answer(noon + 8_000, { serverAheadMs: 90_000 }));
    expect(clock.offset()).toMatchObject({ aheadMs: -90_500, withinMs: 505 });
    for (let n = 0; n < 50; n += 1) clock.see(answer(noon + 8_000 + n * 137, { serverAheadMs: 90_000 }));
    expect(clock.offset()?.withinMs).toBeLessThan(50);
    clock.see(answer(noon + 11 * 60_000, { serverAheadMs: 90_000 }));
    expect(clock.offset()?.withinMs).toBe(505);
  });
});
