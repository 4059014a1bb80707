import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { snapshotVolumeImplementation } from '../../../activities/actions/evidence/snapshot-volume.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext } from './parts/cluster.ts';
import { folderEvidence } from './parts/evidence.ts';
import { boundClaim, driverOf, installSnapshotKinds, playSnapshotter, snapshotClass } from './parts/snapshotter.ts';

const platform = await testPlatform();

describe('snapshots of volumes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-volumes-'));
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let evidence: Awaited<ReturnType<typeof folderEvidence>>;
  const endings: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
    evidence = await folderEvidence(folder);
    await installSnapshotKinds(cluster);
  });
  afterAll(async () => {
    for (const end of endings.reverse()) await end();
    await cluster.close();
    rmSync(folder, { recursive: true });
  });

  const actionOn = (api: KubernetesApi) => snapshotVolumeImplementation({ api, cellKey, ...evidence, pollMs: 50 });

  /** Creates a pod with these claims, each bound; `sources` gives a kind of volume other than CSI. */
  async function podWith(claims: readonly string[], sources: Readonly<Record<string, object>> = {}) {
    const namespace = await platform.freshNamespace();
    for (const claim of claims) endings.push((await boundClaim(cluster, namespace, claim, sources[claim])).remove);
    const volumes = claims.map((claim) => ({ name: claim, persistentVolumeClaim: { claimName: claim } }));
    const pod = resolved(
      await cluster.makePod(namespace, 'db', { spec: { containers: [{ name: 'main', image: 'db:1' }], volumes } }),
    );
    return { namespace, pod };
  }

  async function classOf(namespace: string, policy: 'Delete' | 'Retain'): Promise<string> {
    const { name, remove } = await snapshotClass(cluster, namespace, policy);
    endings.push(remove);
    return name;
  }

  function play(namespace: string, behaves?: Parameters<typeof playSnapshotter>[2]): void {
    endings.push(playSnapshotter(cluster, namespace, behaves).stop);
  }

  test('a volume is snapshotted with the class that retains, and the signed manifest names content and handle', async () => {
    const { namespace, pod } = await podWith(['data']);
    await classOf(namespace, 'Delete');
    const retains = await classOf(namespace, 'Retain');
    play(namespace);
    const action = actionOn(cluster.api);
    const context = stepContext();
    expect((await action.plan({ pod }, context)).changes).toEqual([
      { target: expect.stringMatching(`^volumesnapshot/${namespace}/firebreak-`), what: expect.stringContaining(retains) },
    ]);
    const output = await action.apply({ pod }, context);
    const [taken] = output.snapshots;
    expect(taken).toMatchObject({ claim: 'data', content: `snapcontent-${taken?.uid}`, handle: `snap-${taken?.uid}` });
    const manifest = JSON.parse(Buffer.from(await evidence.store.get(output.evidence.manifestSha256)).toString());
    expect(manifest.custody[0].did).toContain(`content snapcontent-${taken?.uid}, handle snap-${taken?.uid}`);
    const kept = JSON.parse((await evidence.bytesOf(output.evidence, 'volume-snapshots.json')).toString());
    expect(kept.taken[0]).toMatchObject({ volumeHandle: `vol-${namespace}-data`, state: { ready: true, restoreSize: '1Gi' } });
    expect(await action.verify(output, context)).toMatchObject({ state: 'verified' });

    const again = await action.apply({ pod }, stepContext({ run: context.run }));
    expect(again.snapshots).toEqual(output.snapshots);
    const round = await action.apply({ pod, round: 2 }, context);
    expect(round.snapshots[0]?.uid).not.toBe(taken?.uid);

    const path = pathOf({
      group: 'snapshot.storage.k8s.io',
      resource: 'volumesnapshots',
      namespace,
      name: taken?.snapshot ?? '',
    });
    await cluster.api.json({ method: 'DELETE', path, what: 'destroy the evidence' });
    await expect(action.verify(output, context)).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
  });

  test('what cannot be snapshotted is reported: another kind of volume, a driver that fails, one that never finishes', async () => {
    const { namespace, pod } = await podWith(['data', 'local', 'broken', 'huge'], { local: { hostPath: { path: '/tmp' } } });
    await classOf(namespace, 'Delete');
    play(namespace, (claim) => (claim === 'broken' ? 'failing' : claim === 'huge' ? 'slow' : 'ready'));
    const action = actionOn(cluster.api);
    const context = stepContext();
    const plan = await action.plan({ pod }, context);
    expect(plan.notes.join('\n')).toMatch(/deletes what it took of data[\s\S]*local: volume .* does not use a CSI driver/);
    const output = await action.apply({ pod, waitSeconds: 2 }, context);
    expect(output.snapshots.map(({ claim }) => claim)).toEqual(['data', 'huge']);
    expect(output.missing).toEqual([expect.stringContaining('local: '), expect.stringContaining('broken: not taken in time')]);
    expect(JSON.stringify(output)).not.toContain('hunter2');
    expect(output.evidence.artefacts[0]?.partial).toContain('huge: taken, but not ready to use yet');
    expect(await action.verify(output, context)).toMatchObject({ state: 'unverified', detail: expect.stringContaining('huge') });
    const some = await action.apply({ pod, claims: ['data', 'broken', 'other'], waitSeconds: 1, round: 3 }, context);
    expect(await action.verify(some, context)).toMatchObject({
      state: 'partial',
      missing: ['other: the pod does not mount it', expect.stringContaining('broken: ')],
    });
  });

  test('a snapshot is refused with the reason when volumes, a class of the driver, or the resource kinds are missing', async () => {
    const { namespace, pod } = await podWith(['data']);
    const action = actionOn(cluster.api);
    const refused = (detail: string) => ({ code: 'FB_ERR_REFUSED', detail: expect.stringContaining(detail) });
    const noClass = `data: there is no VolumeSnapshotClass of its driver ${driverOf(namespace)}`;
    await expect(action.plan({ pod }, stepContext())).rejects.toMatchObject(refused(noClass));
    await expect(action.apply({ pod }, stepContext())).rejects.toMatchObject(refused(noClass));
    const bare = resolved(await cluster.makePod(namespace, 'bare'));
    await expect(action.plan({ pod: bare }, stepContext())).rejects.toMatchObject(refused('has no PersistentVolumeClaim'));
    // The API server's own answer for a group that is not installed.
    const elsewhere: KubernetesApi = {
      ...cluster.api,
      json: (call) => cluster.api.json({ ...call, path: call.path.replace('snapshot.storage.k8s.io', 'absent.storage.k8s.io') }),
    };
    await expect(actionOn(elsewhere).plan({ pod }, stepContext())).rejects.toMatchObject(
      refused('the CRDs of the external-snapshotter are not installed'),
    );
  });
});
