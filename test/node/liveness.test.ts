import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { captureProcessesImplementation } from '../../activities/actions/evidence/capture-processes.ts';
import { snapshotFilesystemImplementation } from '../../activities/actions/evidence/snapshot-filesystem.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const { toolsImage } = lab;
const cluster = await openCluster(lab.kubeconfig);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-liveness-'));
const evidence = await folderEvidence(folder);
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});

describe('a pod whose liveness needs the network', () => {
  test('is restarted by its quarantine, as the plan says, and the new container is not mistaken for the alert’s', async () => {
    const server = await lab.runPod({ name: 'server', command: ['nc', '-ll', '-p', '80', '-e', 'echo', 'hello'] });
    const asks = `nc -w 1 ${server.status?.podIP} 80 | grep -q hello`;
    const livenessProbe = { exec: { command: ['sh', '-c', asks] }, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 2 };
    const suspect = await lab.runPod({ name: 'suspect', container: { livenessProbe } });
    const id = suspect.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '';
    const input = { pod: resolved(suspect), container: { id } };
    const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });
    const { api, view } = cluster;
    const capture = captureProcessesImplementation({ api, toolsImage, ...evidence });
    const kept = await capture.apply(input, context());
    expect(kept.container.id).toBe(id);

    const quarantine = quarantinePodImplementation({ api, view, cellKey });
    const step = context();
    const { notes } = await quarantine.plan({ pod: input.pod }, step);
    expect(notes).toContain(
      'If its probe needs the network, liveness will restart container main in 4 s: memory and files are lost.',
    );
    await quarantine.apply({ pod: input.pod }, step);
    await until(async () => {
      const now = (await lab.pod('suspect')).status?.containerStatuses?.[0];
      return now?.state?.running && now.restartCount === 1 ? now : undefined;
    }, 60_000);

    const replaced = { code: 'FB_ERR_CONTAINER_REPLACED', detail: expect.stringContaining('container replaced') };
    await expect(capture.apply(input, context())).rejects.toMatchObject(replaced);
    const files = snapshotFilesystemImplementation({ api, toolsImage, ...evidence });
    await expect(files.apply(input, context())).rejects.toMatchObject(replaced);
  });
});
