import { afterAll, describe, expect, test } from '@jest/globals';
import { runToEnd } from '../../integrations/kubernetes/pods/own-pod.ts';
import { endOf } from '../../integrations/kubernetes/pods/own-pod-end.ts';
import type { OwnPod } from '../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { openCluster, until } from '../platform/kubernetes/parts/cluster.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig, { watches: false });
afterAll(() => cluster.close());
const { namespace } = lab;

const ownPod = (name: string, more: Partial<OwnPod>): OwnPod => ({
  namespace,
  name,
  node: 'real-1',
  network: 'pod',
  image: lab.image,
  command: ['sh', '-c', 'echo -n done > /dev/termination-log'],
  step: `step-of-${name}`,
  livesSeconds: 30,
  ...more,
});
const asked = (pod: OwnPod) => runToEnd({ api: cluster.api, pod, patienceMs: 20_000, signal: AbortSignal.timeout(120_000) });
/** Waits until the pod is dead as the kubelet leaves it, with its containers ended. */
const dead = (name: string) =>
  until(async () => {
    const found = await cluster.pod(namespace, name);
    const isOver = found.status?.phase === 'Failed' && !found.status.containerStatuses?.some(({ state }) => state?.running);
    return isOver ? found : undefined;
  });

describe('a pod of our own that its kubelet ends', () => {
  test.each([
    ['while its image cannot be had', { image: `firebreak.local/none@sha256:${'0'.repeat(64)}`, livesSeconds: 1 }],
    ['while its command is at work', { command: ['sleep', '600'], livesSeconds: 2 }],
  ])('when its time runs out %s, is replaced on the next attempt, which does the work', async (why, slow) => {
    const name = why.replaceAll(/\W+/g, '-');
    await expect(asked(ownPod(name, slow))).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringContaining('DeadlineExceeded'),
    });
    expect(endOf(await dead(name))).toEqual({ how: 'from outside', why: 'DeadlineExceeded' });
    expect(await asked(ownPod(name, {}))).toBe('done');
  });

  test('is not recreated when its command has failed', async () => {
    const pod = ownPod('failed', { command: ['sh', '-c', 'exit 3'] });
    const refusal = { code: 'FB_ERR_REFUSED', detail: expect.stringContaining('exit code 3') };
    await expect(asked(pod)).rejects.toMatchObject(refusal);
    const { uid } = (await dead('failed')).metadata ?? {};
    await expect(asked(pod)).rejects.toMatchObject(refusal);
    expect((await cluster.pod(namespace, 'failed')).metadata?.uid).toBe(uid);
  });
});
