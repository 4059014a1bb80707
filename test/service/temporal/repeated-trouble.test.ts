import { expect, test } from '@jest/globals';
import { RepeatedTrouble } from '../../../service/temporal/repeated-trouble.ts';

function troubleOn(clock: { now: number }): RepeatedTrouble {
  return new RepeatedTrouble({ now: () => clock.now });
}

test('trouble is reported at once, then after one, two, four minutes and so on, and in the end every hour', () => {
  const clock = { now: 0 };
  const trouble = troubleOn(clock);
  const saidAt: number[] = [];
  for (; clock.now < 6 * 3_600_000; clock.now += 1_000) if (trouble.met('away')) saidAt.push(clock.now / 60_000);
  expect(saidAt).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303]);
});

test('it comes with how often and for how long, also when it is over, and then starts over', () => {
  const clock = { now: 5_000 };
  const trouble = troubleOn(clock);
  expect(trouble.over()).toBeUndefined();
  expect(trouble.quietForMs()).toBeUndefined();
  expect(trouble.met('away')).toEqual({ times: 1, forSeconds: 0 });
  clock.now += 30_000;
  expect(trouble.met('away')).toBeUndefined();
  clock.now += 40_000;
  expect(trouble.met('away')).toEqual({ times: 3, forSeconds: 70 });
  clock.now += 9_000;
  expect(trouble.quietForMs()).toBe(9_000);
  expect(trouble.over()).toEqual({ times: 3, forSeconds: 70 });
  expect(trouble.met('away')).toEqual({ times: 1, forSeconds: 0 });
});

test('another kind is reported at once, and postpones the next report of the first', () => {
  const clock = { now: 0 };
  const trouble = troubleOn(clock);
  expect(trouble.met('away')).toBeDefined();
  expect(trouble.met('refused')).toEqual({ times: 2, forSeconds: 0 });
  expect([trouble.met('away'), trouble.met('refused')]).toEqual([undefined, undefined]);
});
