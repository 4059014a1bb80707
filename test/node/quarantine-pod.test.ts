import { afterAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import type { PodJson } from '../../integrations/kubernetes/watch/projection.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());

const serve = ['nc', '-ll', '-p', '80', '-e', 'echo', 'hello'];
const address = (pod: PodJson): string => pod.status?.podIP ?? '';

/** Whether a new connection from the pod to port 80 of the address gets an answer. */
const reaches = async (from: string, to: string): Promise<boolean> => {
  const { stdout } = await lab.exec(from, 'nc', '-w', '1', to, '80');
  return stdout === 'hello\n';
};
const becomes = (expected: boolean, from: string, to: string): Promise<boolean> =>
  until(async () => ((await reaches(from, to)) === expected ? true : undefined), 30_000);

describe('quarantinePod on a real node', () => {
  test('blocks new connections to and from the pod, and its undo lets them through again', async () => {
    const suspect = await lab.runPod({ name: 'suspect', command: serve, labels: { app: 'cart' } });
    const other = await lab.runPod({ name: 'other', command: serve });
    expect(await becomes(true, 'other', address(suspect))).toBe(true);
    expect(await becomes(true, 'suspect', address(other))).toBe(true);

    const action = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey });
    const context = stepContext();
    const input = { pod: resolved(await lab.pod('suspect')) };
    const output = await action.apply(input, context);
    expect(await becomes(false, 'other', address(suspect))).toBe(true);
    expect(await becomes(false, 'suspect', address(other))).toBe(true);

    expect(await action.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    expect(await becomes(true, 'other', address(suspect))).toBe(true);
    expect(await becomes(true, 'suspect', address(other))).toBe(true);
  });

  test('allows DNS and one namespace in where the configuration says so, and nothing else', async () => {
    const k8sDns = { 'k8s-app': 'kube-dns' };
    const image = lab.dnsImage;
    const command = ['sh', '-c', '/dns-server & nc -ll -p 53 -e echo hello & exec nc -ll -p 80 -e echo hello'];
    const dns = await lab.runPod({ name: 'dns', image, command, labels: k8sDns });
    const unlike = await lab.runPod({ name: 'unlike-dns', image, command, labels: { app: 'dns' } });
    await lab.runPod({ name: 'asking', command: serve, labels: { app: 'cart' } });
    const forensics = `${lab.namespace}-forensics`;
    const inForensics = async (...words: readonly string[]) => lab.kubectl('--namespace', forensics, ...words);
    await lab.kubectl('create', 'namespace', forensics);
    try {
      await inForensics('run', 'looker', '--image', lab.image, '--restart', 'Never');
      await inForensics('wait', '--for', 'condition=Ready', 'pod/looker', '--timeout', '30s');
      const asks = async (server: PodJson): Promise<boolean> =>
        (await lab.exec('asking', 'nslookup', '-type=a', 'shop.example', address(server))).stdout.includes('192.0.2.53');
      const connects = async (server: PodJson, port: string): Promise<boolean> =>
        (await lab.exec('asking', 'nc', '-w', '1', address(server), port)).stdout === 'hello\n';
      expect([await asks(dns), await asks(unlike), await connects(unlike, '53'), await connects(dns, '80')]).toEqual([
        true,
        true,
        true,
        true,
      ]);

      const exceptions = {
        dns: { namespace: lab.namespace, podLabels: k8sDns, addresses: [] },
        forensics: { namespace: forensics },
      };
      const action = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey, exceptions });
      const context = stepContext();
      const input = { pod: resolved(await lab.pod('asking')) };
      const output = await action.apply(input, context);
      const suspect = await lab.pod('asking');
      expect(await becomes(false, 'dns', address(suspect))).toBe(true);
      expect(await becomes(false, 'asking', address(dns))).toBe(true);
      expect([await asks(dns), await connects(dns, '53')]).toEqual([true, true]);
      expect([await asks(unlike), await connects(unlike, '53'), await connects(unlike, '80')]).toEqual([false, false, false]);
      const looked = await inForensics('exec', 'looker', '--', 'nc', '-w', '1', address(suspect), '80');
      expect(looked.stdout).toBe('hello\n');
      expect(await action.verify(output, context)).toMatchObject({
        state: 'unverified',
        detail: expect.stringContaining('a tunnel through DNS stays open'),
      });

      expect(await action.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
      expect(await becomes(true, 'asking', address(unlike))).toBe(true);
    } finally {
      await lab.kubectl('delete', 'namespace', forensics, '--wait=false');
    }
  });
});
