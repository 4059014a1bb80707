import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();
const access = readAccess(platform.kubeconfig);

describe('the Kubernetes of the local platform', () => {
  test('rolls out a Deployment whose pods run on the fake nodes, and serves their logs', async () => {
    const namespace = await platform.freshNamespace();
    const labels = { app: 'shop' };
    const container = { name: 'web', image: 'shop:1' };
    const body = {
      metadata: { name: 'shop' },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    };
    const created = await callKubernetes({
      access,
      path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
      method: 'POST',
      body,
    });
    expect(created.status).toBe(201);
    const pods = await runningPods(namespace, 3);
    expect(pods.every((pod) => pod.spec.nodeName.startsWith('node-'))).toBe(true);
    const log = await callKubernetes({ access, path: `/api/v1/namespaces/${namespace}/pods/${pods[0]?.metadata.name}/log` });
    expect(log).toMatchObject({ status: 200, text: expect.stringContaining('played by kwok') });
  });

  test('never runs a command on this machine for an exec', async () => {
    const namespace = await platform.freshNamespace();
    const body = { metadata: { name: 'one' }, spec: { containers: [{ name: 'main', image: 'one:1' }] } };
    await callKubernetes({ access, path: `/api/v1/namespaces/${namespace}/pods`, method: 'POST', body });
    await runningPods(namespace, 1);
    const path = `/api/v1/namespaces/${namespace}/pods/one/exec?command=id&stdout=true&container=main`;
    const answer = await callKubernetes({ access, path, method: 'POST' });
    expect(answer.status).not.toBe(200);
    expect(answer.text).not.toContain('uid=');
  });

  test('writes each change to the audit log before answering, with the body and both timestamps', async () => {
    const namespace = await platform.freshNamespace();
    const body = { metadata: { name: 'witness' }, stringData: { color: 'blue' } };
    await callKubernetes({ access, path: `/api/v1/namespaces/${namespace}/secrets`, method: 'POST', body });
    const event = platform
      .auditEvents()
      .find(({ objectRef }) => objectRef?.namespace === namespace && objectRef.name === 'witness');
    expect(event).toMatchObject({
      verb: 'create',
      user: { username: 'admin' },
      responseStatus: { code: 201 },
      requestObject: { metadata: { name: 'witness' } },
    });
    expect(Date.parse(event?.stageTimestamp ?? '')).toBeGreaterThanOrEqual(Date.parse(event?.requestReceivedTimestamp ?? ''));
  });
});

interface RunningPod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly phase: string };
}

async function runningPods(namespace: string, count: number): Promise<readonly RunningPod[]> {
  for (;;) {
    const { text } = await callKubernetes({ access, path: `/api/v1/namespaces/${namespace}/pods` });
    const list: { readonly items: readonly RunningPod[] } = JSON.parse(text);
    const running = list.items.filter((pod) => pod.status.phase === 'Running');
    if (running.length === count) return running;
    await sleep(100);
  }
}
