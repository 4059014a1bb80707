import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { collectNodeInfoImplementation } from '../../activities/actions/evidence/collect-node-info.ts';
import { openCluster, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-node-info-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('what a real kubelet reports about its node is kept: versions, conditions, its pods’ containers, and its lease', async () => {
  const pod = await lab.runPod({ name: 'neighbour' });
  const node = pod.spec?.nodeName ?? '';
  // The kubelet creates it some seconds after it has begun to run pods.
  const lease = () => lab.kubectl('--namespace', 'kube-node-lease', 'get', 'lease', node, '-o', 'name');
  await until(async () => ((await lease()).code === 0 ? true : undefined), 30_000);
  const cluster = await openCluster(lab.kubeconfig);
  try {
    const evidence = await folderEvidence(folder);
    const action = collectNodeInfoImplementation({ api: cluster.api, view: cluster.view, ...evidence });
    const output = await action.apply({ node }, stepContext());
    const text = async (name: string): Promise<string> => (await evidence.bytesOf(output.evidence, name)).toString();
    expect(await text('node.yaml')).toMatch(/conditions:[\s\S]*type: Ready[\s\S]*containerRuntimeVersion: containerd/);
    const pods: readonly unknown[] = JSON.parse(await text('pods.json'));
    const container = pod.status?.containerStatuses?.[0];
    expect(pods).toContainEqual(
      expect.objectContaining({
        name: `${lab.namespace}/neighbour`,
        containers: [expect.objectContaining({ containerID: container?.containerID, imageID: container?.imageID })],
      }),
    );
    expect(JSON.parse(await text('lease.json'))).toMatchObject({ holderIdentity: node, renewTime: expect.any(String) });
    expect(await action.verify(output, stepContext())).toMatchObject({ state: 'verified' });
  } finally {
    await cluster.close();
  }
});
