import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { snapshotPodStateImplementation } from '../../../activities/actions/evidence/snapshot-pod-state.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import { sha256Hex } from '../../../core/text/digest.ts';
import { createKubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster, resolved, stepContext, until } from './parts/cluster.ts';
import { folderEvidence } from './parts/evidence.ts';

const platform = await testPlatform();
let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  namespace = await platform.freshNamespace();
});
const folder = mkdtempSync(join(tmpdir(), 'firebreak-evidence-'));
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});

test('a snapshot keeps the pod, its events and its logs, and none of its secrets', async () => {
  const secret = 'hunter2-canary';
  const pod = await cluster.makePod(namespace, 'cart', {
    metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"env":"${secret}"}` } },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'shop/cart:1',
          command: ['serve', '--db-password', secret, `--token=${secret}`],
          args: [`curl -H 'Authorization: Bearer ${secret}abcdefghijkl' http://x`],
          env: [
            { name: 'PASSWORD', value: secret },
            { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          ],
          livenessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'X-Key', value: secret }] } },
        },
        { name: 'side', image: 'shop/side:1' },
      ],
    },
  });
  await cluster.post(pathOf({ resource: 'events', namespace }), {
    metadata: { name: 'cart.1' },
    involvedObject: { kind: 'Pod', namespace, name: 'cart', uid: pod.metadata?.uid },
    reason: 'Unhealthy',
    message: `Readiness probe failed: password=${secret}`,
    type: 'Warning',
  });
  const evidence = await folderEvidence(folder);
  const action = snapshotPodStateImplementation({ api: cluster.api, ...evidence });
  const [input, context] = [{ pod: resolved(pod) }, stepContext()];
  expect((await action.plan(input, context)).changes).toEqual([]);
  const output = await action.apply(input, context);
  expect(output.evidence.artefacts.map(({ name }) => name)).toEqual([
    'pod.yaml',
    'events.json',
    'logs/main.log',
    'logs/side.log',
  ]);
  const byName = async (wanted: string) => (await evidence.bytesOf(output.evidence, wanted)).toString();
  for (const { name, sha256, bytes } of output.evidence.artefacts) {
    const kept = await evidence.bytesOf(output.evidence, name);
    expect(sha256Hex(kept)).toBe(sha256);
    expect(kept.length).toBe(bytes);
    expect(kept.toString()).not.toContain(secret);
    // It is stored sealed, like everything of an incident: deleting it means destroying a key.
    expect(await evidence.store.has(sha256)).toBe(false);
  }
  expect(await byName('pod.yaml')).toContain('name: PASSWORD');
  expect(await byName('pod.yaml')).toContain('fieldPath: spec.nodeName');
  expect(await byName('pod.yaml')).toContain(`uid: ${input.pod.uid}`);
  expect(await byName('events.json')).toContain('Readiness probe failed');
  expect((await byName('logs/main.log')).length).toBeGreaterThan(0);
  const manifest = JSON.parse(Buffer.from(await evidence.store.get(output.evidence.manifestSha256)).toString());
  expect(manifest).toMatchObject({ incident: context.incident, step: context.key, target: { uid: input.pod.uid } });
  expect(await action.verify(output, context)).toMatchObject({ state: 'verified' });
  const damaged = await evidence.objectOf(output.evidence, 'events.json');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(damaged));
  for (const file of files) {
    chmodSync(join(folder, file), 0o600);
    writeFileSync(join(folder, file), 'x');
  }
  await expect(action.verify(output, context)).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
});

test('a snapshot says which logs it cut, and which it could not get', async () => {
  const pod = await cluster.makePod(namespace, 'chatty');
  const evidence = await folderEvidence(folder);
  const action = snapshotPodStateImplementation({ api: cluster.api, ...evidence, maxLogBytes: 10 });
  const output = await action.apply({ pod: resolved(pod) }, stepContext());
  expect(output.evidence.artefacts.find(({ name }) => name === 'logs/main.log')?.partial).toContain('cut after 10 bytes');
  expect(await action.verify(output, stepContext())).toMatchObject({ state: 'partial' });
  const replaced = { pod: { ...resolved(pod), uid: 'another' } };
  await expect(action.apply(replaced, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_TARGET_REPLACED' });
});

test('a pod is deleted once, by its uid, and its successor of the same name is left alone', async () => {
  const action = deletePodImplementation({ api: cluster.api, pollMs: 50 });
  const [input, context] = [{ pod: resolved(await cluster.makePod(namespace, 'doomed')) }, stepContext()];
  const plan = await action.plan(input, context);
  expect(plan).toMatchObject({ target: { uid: input.pod.uid }, blastRadius: [`pod/${namespace}/doomed`] });
  expect(await action.started(input, context)).toBe(false);
  expect(await action.apply(input, context)).toEqual({ pod: input.pod, alreadyGone: false });
  expect(await action.started(input, context)).toBe(true);
  expect(await action.verify({ pod: input.pod, alreadyGone: false }, context)).toMatchObject({ state: 'verified' });
  await until(async () => (cluster.view.pod(namespace, 'doomed') ? undefined : true));
  const successor = await cluster.makePod(namespace, 'doomed');
  expect(await action.apply(input, context)).toEqual({ pod: input.pod, alreadyGone: true });
  await expect(action.plan(input, context)).rejects.toMatchObject({ code: 'FB_ERR_TARGET_REPLACED' });
  expect((await cluster.pod(namespace, 'doomed')).metadata?.deletionTimestamp).toBeUndefined();
  expect((await cluster.pod(namespace, 'doomed')).metadata?.uid).toBe(successor.metadata?.uid);
});

test('errors name the missing right, and contain neither bodies nor tokens', async () => {
  const access = await accessFromKubeconfig({ file: platform.kubeconfig });
  const { cert: _, key: __, ...tls } = access.tls;
  const stranger = createKubernetesApi({ access: { ...access, tls, authorization: async () => 'Bearer canary-token' } });
  const read = stranger.json({
    method: 'GET',
    path: pathOf({ resource: 'secrets', namespace }),
    what: `list secrets in ${namespace}`,
  });
  await expect(read).rejects.toMatchObject({
    code: 'FB_ERR_API_REFUSED',
    detail: expect.stringContaining(`list secrets in ${namespace}`),
  });
  await read.catch((error) => expect(JSON.stringify([error.message, error, String(error.stack)])).not.toContain('canary'));
  stranger.close();
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const waiting = createKubernetesApi({ access: { ...access, server: `https://127.0.0.1:${port}` } });
  const slow = waiting.json({ method: 'GET', path: '/api/v1/nodes', what: 'list nodes', timeoutMs: 100 });
  await expect(slow).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: 'list nodes: no answer in time' });
  waiting.close();
  silent.close();
  const nobody = createKubernetesApi({ access: { ...access, server: 'https://127.0.0.1:9' } });
  const refused = nobody.json({ method: 'GET', path: '/api/v1/nodes', what: 'list nodes' });
  await expect(refused).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: 'list nodes: ECONNREFUSED' });
  nobody.close();
});
