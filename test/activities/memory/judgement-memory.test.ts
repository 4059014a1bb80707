import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { type CountedPayload, JudgementMemory } from '../../../activities/memory/judgement-memory.ts';
import type { Sender } from '../../../core/messages/sender.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-judgements-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dayMs = 86_400_000;
const workflow = 'incident/lab/a';
const judged: Sender = { role: 'cell', cluster: 'lab', keyId: 'k' };
let now = 0;

function open(name: string) {
  const kept = new DurableMemory(join(folder, name), { error: () => undefined });
  return { kept, memory: new JudgementMemory({ counted: kept.groups<CountedPayload>('counted'), now: () => now }) };
}

test('a judgement is remembered for one payload in one run of one workflow, even after a restart', async () => {
  const { kept, memory } = open('restart');
  memory.found({ workflow, run: 'r', digest: 'd', judged });
  memory.found({ workflow, run: 's', digest: 'd', judged: 'nobody' });
  expect(memory.of(workflow, 'd')).toEqual({ r: judged, s: 'nobody' });
  await kept.close();
  const again = open('restart');
  expect(again.memory.of(workflow, 'd')).toEqual({ r: judged });
  expect(again.memory.of(workflow, 'e')).toEqual({});
  expect(again.memory.of('incident/lab/b', 'd')).toEqual({});
  await again.kept.close();
});

test('judgements are forgotten when their own workflow ends, not another one', async () => {
  const { kept, memory } = open('ended');
  for (const one of [workflow, `${workflow}/b`]) memory.found({ workflow: one, run: 'r', digest: 'd', judged });
  await kept.written();
  memory.ended(workflow);
  expect(memory.of(workflow, 'd')).toEqual({});
  expect(memory.of(`${workflow}/b`, 'd')).toEqual({ r: judged });
  await kept.close();
});

test('a judgement not asked for in 90 days is forgotten; asking keeps it', async () => {
  const { kept, memory } = open('old');
  const digests = Array.from({ length: 2_500 }, (_, n) => `d${n}`);
  for (const digest of digests) memory.found({ workflow, run: 'r', digest, judged });
  await kept.written();
  now += 60 * dayMs;
  expect(memory.of(workflow, 'd7')).toEqual({ r: judged });
  now += 60 * dayMs;
  await memory.sweep(new AbortController().signal);
  expect(digests.filter((digest) => 'r' in memory.of(workflow, digest))).toEqual(['d7']);
  await kept.close();
});

test('for a payload replayed in run after run, the newest judgements are known', async () => {
  const { kept, memory } = open('runs');
  for (let run = 1; run <= 20; run += 1) memory.found({ workflow, run: `run ${run}`, digest: 'd', judged });
  expect(Object.keys(memory.of(workflow, 'd'))).toEqual([13, 14, 15, 16, 17, 18, 19, 20].map((run) => `run ${run}`));
  await kept.close();
});
