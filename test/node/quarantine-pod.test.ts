import { afterAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../activities/actions/quarantine-pod.ts';
import type { PodJson } from '../../integrations/kubernetes/projection.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/cluster.ts';
import { nodeLab } from './lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());

const serve = ['nc', '-ll', '-p', '80', '-e', 'echo', 'hello'];
const address = (pod: PodJson): string => pod.status?.podIP ?? '';

/** Whether a new connection from the pod to port 80 of the address is answered. */
const reaches = async (from: string, to: string): Promise<boolean> => {
  const { stdout } = await lab.exec(from, 'nc', '-w', '1', to, '80');
  return stdout === 'hello\n';
};
const becomes = (expected: boolean, from: string, to: string): Promise<boolean> =>
  until(async () => ((await reaches(from, to)) === expected ? true : undefined), 15_000);

describe('quarantinePod on a real node', () => {
  test('refuses new connections to the pod and from it, and its undo lets them through again', async () => {
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
});
