import { expect, test } from '@jest/globals';
import { BegunBuilds } from '../../../../service/cell/builds/begun-builds.ts';

const [first, second, third] = ['1', '2', '3'].map((digit) => ({ id: digit.repeat(16), path: `${digit}.js` })) as [
  { id: string; path: string },
  { id: string; path: string },
  { id: string; path: string },
];

function begunWith({ knownAfter = 0, knownWithinMs = 60_000 } = {}) {
  const told: string[] = [];
  let asked = 0;
  const stopping = new AbortController();
  const begun = new BegunBuilds({
    first,
    start: async ({ id }) => {
      told.push(`starts ${id[0]}`);
      return () => told.push(`ends ${id[0]}`);
    },
    makeKnown: async ({ id }) => {
      asked += 1;
      if (asked <= knownAfter) throw new Error('Temporal does not know it yet');
      told.push(`known ${id[0]}`);
    },
    signal: stopping.signal,
    knownWithinMs,
  });
  return { begun, told, stopping };
}

test('incidents start on the newest adopted build once Temporal knows its worker; the previous build runs until it is ended', async () => {
  const { begun, told } = begunWith({ knownAfter: 3 });
  expect(begun.newest).toEqual(first);
  expect(await begun.adopt(second)).toBe(true);
  expect(begun.newest).toEqual(second);
  expect(begun.superseded().size).toBe(0);
  expect(await begun.adopt(third)).toBe(true);
  expect([...begun.superseded().keys()]).toEqual([second.id]);
  expect(told).toEqual(['starts 2', 'known 2', 'starts 3', 'known 3']);
  begun.superseded().get(second.id)?.();
  expect([told.at(-1), begun.superseded().size]).toEqual(['ends 2', 0]);
});

test('adopting an earlier build again reuses its running worker, and the first build uses the worker of the process', async () => {
  const { begun, told } = begunWith();
  await begun.adopt(second);
  await begun.adopt(first);
  expect(begun.newest).toEqual(first);
  expect(begun.running()).toEqual([first.id, first.id]);
  await begun.adopt(second);
  expect(told).toEqual(['starts 2', 'known 2', 'known 1', 'known 2']);
  expect(begun.superseded().size).toBe(0);
});

test('a build is not adopted if Temporal does not learn of it in time, or if the process is stopping', async () => {
  const late = begunWith({ knownAfter: Number.MAX_SAFE_INTEGER, knownWithinMs: 0 });
  expect(await late.begun.adopt(second)).toBe(false);
  expect(late.begun.newest).toEqual(first);
  expect([...late.begun.superseded().keys()]).toEqual([second.id]);
  const stopped = begunWith();
  stopped.stopping.abort();
  expect(await stopped.begun.adopt(second)).toBe(false);
  expect(stopped.begun.newest).toBe(first);
});
