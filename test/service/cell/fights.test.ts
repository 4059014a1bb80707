import { describe, expect, test } from '@jest/globals';
import { Fights } from '../../../service/cell/containment/fights.ts';

const pod = 'uid-1';
const second = 1_000;

/** Somebody reverts it at this interval. Returns how often it was restored, and for how long. */
function fightFor(everyMs: number, lastsMs: number): { readonly times: number; readonly until: number } {
  let now = 0;
  const fights = new Fights(() => now);
  let [times, until] = [0, 0];
  for (; now <= lastsMs; now += everyMs) {
    if (fights.whyNot(pod) !== undefined) continue;
    fights.putBack(pod);
    times += 1;
    until = now;
  }
  return { times, until };
}

describe('a pod that somebody changes again and again', () => {
  test('is restored for at most ten seconds at a stretch against a controller that reverts it every three seconds', () => {
    expect(fightFor(3 * second, 300 * second)).toEqual({ times: 4, until: 9 * second });
  });

  test('is restored at most five times, however slowly it is changed', () => {
    expect(fightFor(60 * second, 3_000 * second)).toEqual({ times: 5, until: 240 * second });
    expect(fightFor(100, 300 * second)).toEqual({ times: 5, until: 400 });
  });

  test('is given up until it has been in order for an hour', () => {
    let now = 0;
    const fights = new Fights(() => now);
    for (let times = 0; times < 5; times += 1) fights.putBack(pod);
    expect(fights.whyNot(pod)).toContain('it was restored 5 times');
    fights.calm(pod);
    now += 3_000 * second;
    fights.calm(pod);
    expect(fights.whyNot(pod)).toBeDefined();
    fights.calm(pod);
    now += 3_601 * second;
    fights.calm(pod);
    expect(fights.whyNot(pod)).toBeUndefined();
  });

  test('is reported at most twelve times an hour, and the last report says what is wrong', () => {
    let now = 0;
    const fights = new Fights(() => now);
    const said = (isWrong: boolean): boolean => fights.line(pod, { isWrong }) !== undefined;
    const alternating = Array.from({ length: 11 }, (_, at) => said(at % 2 === 0));
    expect(alternating.every((one) => one)).toBe(true);
    expect([said(false), said(true), said(false), said(true)]).toEqual([false, true, false, false]);
    now += 3_601 * second;
    expect(said(false)).toBe(true);
  });
});
