import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { collectNodeInfoImplementation } from '../../../activities/actions/evidence/collect-node-info.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { testPlatform } from '../../platform.ts';
import { ownNode } from '../actions/eradication-table.ts';
import { openCluster, stepContext } from './parts/cluster.ts';
import { folderEvidence } from './parts/evidence.ts';

const platform = await testPlatform();
let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  namespace = await platform.freshNamespace();
});
const folder = mkdtempSync(join(tmpdir(), 'firebreak-node-evidence-'));
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});

test('what is known about a node is kept: the node, whose pods are on it, its events and its lease, and no secret', async () => {
  const secret = 'hunter2-canary';
  const { node, end } = await ownNode(cluster, namespace);
  await cluster.api.json({
    method: 'PATCH',
    patch: 'merge',
    path: pathOf({ resource: 'nodes', name: node }),
    body: { metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"password":"${secret}"}` } } },
    what: 'annotate for a test',
  });
  const container = {
    name: 'main',
    image: 'shop/cart:1',
    command: ['serve', '--password', secret],
    env: [{ name: 'P', value: secret }],
  };
  const [pod] = await cluster.makeDeployment(namespace, 'cart', {
    replicas: 1,
    spec: { nodeName: node, hostNetwork: true, volumes: [{ name: 'etc', hostPath: { path: '/etc' } }], containers: [container] },
  });
  await cluster.post(pathOf({ resource: 'events', namespace: 'default' }), {
    metadata: { name: `${node}.1` },
    involvedObject: { kind: 'Node', name: node, uid: node },
    reason: 'SystemOOM',
    message: `Victim process: serve, password=${secret}`,
    type: 'Warning',
  });
  const evidence = await folderEvidence(folder);
  const action = collectNodeInfoImplementation({ api: cluster.api, view: cluster.view, ...evidence });
  const output = await action.apply({ node }, stepContext());
  expect(output.evidence.target).toMatchObject({ name: `node/${node}`, uid: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  const texts = new Map<string, string>();
  for (const { name } of output.evidence.artefacts) texts.set(name, (await evidence.bytesOf(output.evidence, name)).toString());
  expect([...texts.keys()]).toEqual(['node.yaml', 'pods.json', 'events.json', 'lease.json']);
  for (const text of texts.values()) expect(text).not.toContain(secret);
  expect(texts.get('node.yaml')).toMatch(/taints:[\s\S]*firebreak\.test\/own/);
  expect(texts.get('node.yaml')).toMatch(/allocatable:[\s\S]*conditions:[\s\S]*nodeInfo:/);
  expect(JSON.parse(texts.get('pods.json') ?? '')).toEqual([
    expect.objectContaining({
      name: `${namespace}/${pod?.metadata?.name}`,
      uid: pod?.metadata?.uid,
      workload: 'Deployment/cart',
      workloadKnown: true,
      onTheHost: { network: true, processes: false, ipc: false, paths: ['/etc'], privileged: [] },
      containers: [expect.objectContaining({ name: 'main', image: 'shop/cart:1' })],
    }),
  ]);
  expect(texts.get('events.json')).toContain('SystemOOM');
  expect(JSON.parse(texts.get('lease.json') ?? '')).toMatchObject({ holderIdentity: expect.any(String) });
  expect(await action.verify(output, stepContext())).toMatchObject({ state: 'verified' });
  await end();
  await expect(action.apply({ node }, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
});
