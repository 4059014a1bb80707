import { expect, test } from '@jest/globals';
import { testPlatform } from '../../platform.ts';
import { alertOf } from '../../workflows/people.ts';
import { startLabOn } from '../../workflows/real-lab.ts';
import { replayHistory } from '../../workflows/replay-history.ts';

const platform = await testPlatform();

test('what happens while people watch also replays', async () => {
  const lab = await startLabOn({
    address: platform.temporalAddress,
    namespace: platform.temporalNamespace,
    taskQueue: `${platform.prefix}-look`,
  });
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
});

/** A query can become part of an incident's first workflow task, in which the first containment begins. */
test('what happens while people watch from the very start also replays', async () => {
  const lab = await startLabOn({
    address: platform.temporalAddress,
    namespace: platform.temporalNamespace,
    taskQueue: `${platform.prefix}-first-look`,
  });
  try {
    const contained = Array.from({ length: 20 }, async () => {
      const incident = await lab.start([alertOf()]);
      await Promise.all(Array.from({ length: 5 }, () => incident.state().catch(() => undefined)));
      await incident.until((state) => state.reached === 'contained', 'the quarantine');
      const history = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
      expect(await replayHistory(incident.id, history)).toEqual([undefined]);
      await lab.env.client.workflow.getHandle(incident.id).terminate();
    });
    await Promise.all(contained);
  } finally {
    await lab.stop();
  }
});
