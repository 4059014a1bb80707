import { expect, test } from '@jest/globals';
import type { UnderwayStep } from '../../../core/action/own-steps.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { PostureLooks } from '../../../service/cell/posture-look.ts';

const pod = { namespace: 'shop', name: 'cart-1', uid: 'uid-1' };
const record: PodRecord = {
  ...pod,
  labels: {},
  annotations: {},
  owners: [],
  resourceVersion: '1',
  createdAt: '2026-06-01T10:00:00Z',
  deleting: false,
  phase: 'Running',
  hostNetwork: false,
  containers: [],
  secrets: [],
};
const asked = { incident: { id: 'incident/lab/shop/Pod/cart-1', run: 'run' }, pod };

/** An API server that answers on demand. */
function lab() {
  const steps: UnderwayStep[] = [];
  let within = 0;
  let unstamped = 0;
  const waiting: (() => void)[] = [];
  const json = async (): Promise<unknown> => {
    if (within === 0) unstamped += 1;
    await new Promise<void>((resolve) => void waiting.push(resolve));
    return { metadata: pod, spec: {}, status: { allowed: false } };
  };
  const looks = new PostureLooks({
    api: { json } as Partial<KubernetesApi> as KubernetesApi,
    view: { podByUid: () => record, pods: () => [record], ownersOf: () => undefined },
    chokepoint: { plan: () => Promise.reject(new Error('no workload is hardened here')) },
    steps: {
      during: async (step, work) => {
        steps.push(step);
        within += 1;
        return work().finally(() => {
          within -= 1;
        });
      },
    },
  });
  const answer = async (until: Promise<unknown>): Promise<void> => {
    let over = false;
    until.finally(() => {
      over = true;
    });
    while (!over) {
      for (const go of waiting.splice(0)) go();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { looks, steps, answer, unstamped: () => unstamped };
}

test('a cell inspects at most four workloads at a time, and further requests are told to retry', async () => {
  const { looks, answer } = lab();
  const four = Promise.all(Array.from({ length: 4 }, () => looks.look(asked)));
  await expect(looks.look(asked)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
  await answer(four);
  expect(await four).toHaveLength(4);
  const again = looks.look(asked);
  await answer(again);
  expect(await again).toMatchObject({ of: 'pod/shop/cart-1', account: { may: [] } });
});

test('every API server request of an inspection is marked as Firebreak’s own', async () => {
  const { looks, steps, answer, unstamped } = lab();
  const look = looks.look(asked);
  await answer(look);
  await look;
  expect(steps).toMatchObject([{ action: 'lookAtPosture', incident: asked.incident.id }]);
  expect(unstamped()).toBe(0);
});
