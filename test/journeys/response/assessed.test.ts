import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { podOf, until } from '../../platform/e2e/parts/cluster.ts';
import { replayRecorded } from '../../platform/e2e/parts/recorded.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let namespace: string;

beforeAll(async () => {
  namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
  });
  await service.start();
});

afterAll(() => service?.stop());

test('the service cuts off the pods that `firebreak assess` names, and no other one', async () => {
  const [last] = await service.workloads.deploy(namespace, ['last']);
  if (!last) throw new Error('not deployed');
  const { workloads, named } = await replayRecorded(service, namespace);
  const contained = (): readonly string[] =>
    Object.keys(service.effects.counts('contain')).filter((pod) => pod.startsWith(`${namespace}/`));
  await until('all that are named', 120_000, () => named.every((pod) => contained().includes(pod)));
  // Whatever would have been cut off before it, is.
  await service.alert(last);
  await service.contained(last, 120_000);
  expect(contained().toSorted()).toEqual([...named, podOf(last)].toSorted());
  const left = workloads.map(podOf).filter((pod) => !named.includes(pod));
  expect(left.length).toBeGreaterThan(1);
});
