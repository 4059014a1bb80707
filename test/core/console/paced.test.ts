import { expect, test } from '@jest/globals';
import { paced } from '../../../core/console/paced.ts';

/** A clock that is moved by hand. */
function byHand() {
  const rests: (() => void)[] = [];
  let done = 0;
  const soon = paced(
    () => {
      done += 1;
    },
    (over) => rests.push(over),
  );
  return { soon, done: () => done, rests: () => rests.length, pass: () => rests.shift()?.() };
}

test('the first of a burst runs at once, and the others run once, after the pause', () => {
  const { soon, done, pass } = byHand();
  soon();
  expect(done()).toBe(1);
  for (let nth = 0; nth < 20; nth += 1) soon();
  expect(done()).toBe(1);
  pass();
  expect(done()).toBe(2);
});

test('after a quiet pause the next runs at once again, and no timer runs meanwhile', () => {
  const { soon, done, rests, pass } = byHand();
  soon();
  pass();
  expect([done(), rests()]).toEqual([1, 0]);
  soon();
  expect(done()).toBe(2);
});

test('a request made while it runs is done after the pause', () => {
  const rests: (() => void)[] = [];
  const seen: string[] = [];
  const soon: () => void = paced(
    () => {
      seen.push('done');
      if (seen.length === 1) soon();
    },
    (over) => rests.push(over),
  );
  soon();
  expect(seen).toHaveLength(1);
  rests.shift()?.();
  expect(seen).toHaveLength(2);
});
