import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { alertOf, bundlePath, startLab } from './harness.ts';
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

async function replayHistory(workflowId: string, history: proto.temporal.api.history.v1.IHistory) {
  const results = Worker.runReplayHistories({ workflowBundle: { codePath: await bundlePath() } }, [{ workflowId, history }]);
  const errors: (Error | undefined)[] = [];
  for await (const result of results) errors.push(result.error);
  return errors;
}

describe('golden histories', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

  test('there is one of each scenario', () => {
    expect(files.map((file) => file.replace('.json', '')).sort()).toEqual(Object.keys(scenarios).sort());
  });

  test.each(files)('%s replays on the workflows of today', async (file) => {
    expect(await replay(readGolden(file))).toEqual([undefined]);
  });

  test('what is made while people look on replays too', async () => {
    const lab = await startLab();
    let looking = true;
    const looks: Promise<unknown>[] = [];
    try {
      const incidents = await Promise.all(
        [1, 2, 3].map((n) => lab.start([alertOf({ n, rule: 'Terminal shell in container', severity: 'low' })])),
      );
      for (const incident of incidents)
        looks.push(
          (async () => {
            while (looking) {
              await incident.state().catch(() => undefined);
              await new Promise((resolve) => setTimeout(resolve, 30));
            }
          })(),
        );
      await Promise.all(
        incidents.map(async (incident) => {
          await incident.vote('quarantine', 'ana');
          await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'the quarantine');
          await incident.vote('extend', 'ana', {}, true);
          await incident.until((state) => (state.leases[0]?.renewals ?? 0) === 1, 'the extension');
          await incident.vote('release', 'ben', {}, true);
          await incident.result();
        }),
      );
      looking = false;
      await Promise.all(looks);
      for (const { id } of incidents) {
        const history = await lab.env.client.workflow.getHandle(id).fetchHistory();
        expect(await replayHistory(id, history)).toEqual([undefined]);
      }
    } finally {
      looking = false;
      await Promise.all(looks);
      await lab.stop();
    }
  }, 180_000);

  test('a history that the workflows would not make is found', async () => {
    const golden = readGolden('dropped-binary-removed.json');
    const text = JSON.stringify(golden).replaceAll('"snapshotPodState"', '"other"').replaceAll('"verifyStep"', '"otherStep"');
    const [error] = await replay(JSON.parse(text));
    expect(error?.name).toBe('DeterminismViolationError');
  });
});

test.each(Object.entries(scenarios))(
  '%s comes out the same when nothing is kept in memory',
  async (_name, play) => {
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
  },
  60_000,
);
