import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { startLab } from './harness.ts';
import { replayHistory } from './replay-history.ts';
import { scenarios } from './scenarios.ts';

const { History } = proto.temporal.api.history.v1;
const folder = join(import.meta.dirname, '..', 'fixtures', 'histories');

interface Golden {
  readonly workflowId: string;
  readonly history: { readonly events: readonly { readonly eventType: string; readonly eventId: string }[] };
}

function readGolden(file: string): Golden {
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}

function replay({ workflowId, history }: Golden): Promise<readonly (Error | undefined)[]> {
  return replayHistory(workflowId, History.fromObject(history));
}

describe('golden histories', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

  test('there is one of each scenario', () => {
    expect(files.map((file) => file.replace('.json', '')).sort()).toEqual(Object.keys(scenarios).sort());
  });

  test.each(files)('%s replays on the workflows of today', async (file) => {
    expect(await replay(readGolden(file))).toEqual([undefined]);
  });

  test('a history that the workflows would not make is found', async () => {
    const golden = readGolden('dropped-binary-removed.json');
    const text = JSON.stringify(golden).replaceAll('"snapshotPodState"', '"other"').replaceAll('"verifyStep"', '"otherStep"');
    const [error] = await replay(JSON.parse(text));
    expect(error?.name).toBe('DeterminismViolationError');
  });
});

test.each(Object.entries(scenarios))('%s comes out the same when nothing is kept in memory', async (_name, play) => {
  const lab = await startLab({}, 0);
  try {
    const incident = await play(lab);
    const end = await incident.result();
    expect(end.open).toBe(false);
    expect(end.leases).toMatchObject([{ state: 'released' }]);
    const applied = lab.seen.applied.map((call) => call.key);
    expect(applied).toEqual([...new Set(applied)]);
    expect(end.audit.acknowledged).toBe(end.audit.made);
  } finally {
    await lab.stop();
  }
});
