import { expect, test } from '@jest/globals';
import { LookRounds } from '../../../../service/cell/containment/hold-containment.ts';

const podsOf = (count: number): Set<string> => new Set(Array.from({ length: count }, (_, n) => `uid-${n}`));
const allInOrder = (): boolean => true;

test('each round covers all pods if there are few', () => {
  const [rounds, held] = [new LookRounds(), podsOf(300)];
  for (let round = 0; round < 3; round += 1) expect([...rounds.next(held, allInOrder)]).toEqual([...held]);
});

test('with thousands of pods, each gets its turn, in rounds of a few hundred', () => {
  const [rounds, held] = [new LookRounds(), podsOf(1_000)];
  const seen = new Map<string, number>();
  for (let round = 0; round < 10; round += 1) {
    const now = rounds.next(held, allInOrder);
    expect(now.size).toBe(300);
    for (const uid of now) seen.set(uid, (seen.get(uid) ?? 0) + 1);
  }
  expect(new Set(seen.values())).toEqual(new Set([3]));
  expect(seen.size).toBe(1_000);
});

test('pods with problems are in every round, and those whose check did not finish are in the next', () => {
  const [rounds, held] = [new LookRounds(), podsOf(1_000)];
  const wrong = new Set(['uid-5', 'uid-950']);
  rounds.again('uid-700');
  const first = rounds.next(held, (uid) => !wrong.has(uid));
  for (const uid of [...wrong, 'uid-700']) expect(first).toContain(uid);
  // No longer held.
  rounds.again('uid-gone');
  const second = rounds.next(held, (uid) => !wrong.has(uid));
  for (const uid of wrong) expect(second).toContain(uid);
  expect(second).not.toContain('uid-700');
  expect(second).not.toContain('uid-gone');
});

test('no pod is left out for long while others come and go', () => {
  const [rounds, held] = [new LookRounds(), podsOf(900)];
  const seen = new Set<string>();
  for (let round = 0; round < 8; round += 1) {
    for (const uid of rounds.next(held, allInOrder)) seen.add(uid);
    held.delete(`uid-${round}`);
    held.add(`new-${round}`);
  }
  // A full cycle through all takes three rounds.
  const late = new Set(['new-5', 'new-6', 'new-7']);
  for (const uid of held) if (!late.has(uid)) expect(seen).toContain(uid);
});
