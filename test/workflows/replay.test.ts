import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { waysInto } from '../playbooks/shipped-alerts.ts';
import { startLab } from './harness.ts';
import { withIdleTasks } from './idle-tasks.ts';
import { replayHistory, unreplayed } from './replay-history.ts';
import { scenarios } from './scenarios.ts';
import { readHistories, type StoredHistory } from './stored-histories.ts';
import { recordsIn } from './voting.ts';

const { History } = proto.temporal.api.history.v1;
const folder = join(import.meta.dirname, '..', 'fixtures', 'histories');

interface Golden {
  readonly workflowId: string;
  readonly history: { readonly events: readonly { readonly eventType: string; readonly eventId: string }[] };
}

function readGolden(file: string): Golden {
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}

function historyOf({ workflowId, history }: Golden) {
  return { workflowId, history: History.fromObject(history) };
}

function replay(golden: Golden): Promise<readonly (Error | undefined)[]> {
  const { workflowId, history } = historyOf(golden);
  return replayHistory(workflowId, history);
}

describe('golden histories', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

  test('there is one of each scenario', () => {
    expect(files.map((file) => file.replace('.json', '')).sort()).toEqual(Object.keys(scenarios).sort());
  });

  const golden = new Map(files.map((file) => [file, historyOf(readGolden(file))]));
  const idle = new Map([...golden].map(([file, one]) => [file, { ...one, ...withIdleTasks(one.history, 600_000) }]));
  let errors: ReadonlyMap<string, Error>;
  let errorsOfIdle: ReadonlyMap<string, Error>;
  beforeAll(async () => {
    errors = await unreplayed([...golden.values()]);
    errorsOfIdle = await unreplayed([...idle.values()]);
  });

  test.each(files)('%s replays on today’s workflows', (file) => {
    expect(errors.get(golden.get(file)?.workflowId ?? file)).toBeUndefined();
  });

  test.each(files)('%s replays if the server inserted tasks in which nothing happened', (file) => {
    expect(idle.get(file)?.added).toBeGreaterThan(0);
    expect(errorsOfIdle.get(idle.get(file)?.workflowId ?? file)).toBeUndefined();
  });

  test('a history that the workflows would not produce is detected', async () => {
    const golden = readGolden('dropped-binary-removed.json');
    const text = JSON.stringify(golden).replaceAll('"snapshotPodState"', '"other"').replaceAll('"verifyStep"', '"otherStep"');
    const [error] = await replay(JSON.parse(text));
    expect(error?.name).toBe('DeterminismViolationError');
  });
});

describe('golden histories of the shipped playbooks', () => {
  const stored = readHistories();

  test('there is one of each', () => {
    expect(stored.map(({ name }) => name)).toEqual(Object.keys(waysInto));
  });

  test('all replay on today’s workflows: `node test/workflows/record-histories.ts` records them again', async () => {
    const errors = await unreplayed(stored);
    expect(
      stored.flatMap(({ name, workflowId }) => (errors.has(workflowId) ? [`${name}: ${errors.get(workflowId)}`] : [])),
    ).toEqual([]);
  });

  test('all replay if the server inserted tasks in which nothing happened', async () => {
    const all = stored.map((one) => ({ ...one, ...withIdleTasks(one.history, 600_000) }));
    expect(all.filter(({ added }) => added > 0).length).toBeGreaterThan(all.length / 2);
    const errors = await unreplayed(all);
    expect(all.flatMap(({ name, workflowId }) => (errors.has(workflowId) ? [`${name}: ${errors.get(workflowId)}`] : []))).toEqual(
      [],
    );
  });

  test('one of a body that has changed since is detected', async () => {
    const changed = stored
      .filter(({ name }) => name === 'ask-about-exec')
      .map((one) => ({ ...one, history: withOtherStep(one.history) }));
    expect([...(await unreplayed(changed)).values()].map(({ name }) => name)).toEqual(['DeterminismViolationError']);
  });
});

/** As if the body had done something different. */
function withOtherStep(history: StoredHistory['history']): StoredHistory['history'] {
  const events = (history.events ?? []).map((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name !== 'applyStep') return event;
    return { ...event, activityTaskScheduledEventAttributes: { ...scheduled, activityType: { name: 'undoStep' } } };
  });
  return { events };
}

test.each(Object.entries(scenarios))('%s comes out as recorded', async (_name, play) => {
  const lab = await startLab();
  try {
    const incident = await play(lab);
    const end = await incident.result();
    expect(end.open).toBe(false);
    expect(end.leases).toMatchObject([{ state: expect.stringMatching(/^(released|gone|permanent)$/) }]);
    const applied = recordsIn(lab, incident, 'step.applied').map(({ body }) => body.step);
    expect(applied).toEqual([...new Set(applied)]);
    expect(end.audit.acknowledged).toBe(end.audit.made);
  } finally {
    await lab.stop();
  }
});
