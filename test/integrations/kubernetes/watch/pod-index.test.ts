import { expect, test } from '@jest/globals';
import { names } from '../../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../../core/cluster/pod-record.ts';
import { PodIndex } from '../../../../integrations/kubernetes/watch/pod-index.ts';

function podOf(namespace: string, name: string, over: Partial<PodRecord> = {}): PodRecord {
  return {
    uid: `${namespace}-${name}`,
    namespace,
    name,
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
    ...over,
  };
}

const noted = { annotations: { [names.beforeAnnotation]: '{}' } };
const namesOf = (pods: Iterable<PodRecord>) => [...pods].map(({ name }) => name).sort();

test('pods are found by their namespace, and by the note on them, for as long as they exist and carry it', () => {
  const index = new PodIndex();
  index.set(podOf('shop', 'cart'));
  index.set(podOf('shop', 'till', noted));
  index.set(podOf('lab', 'probe', noted));
  expect([namesOf(index.in('shop')), namesOf(index.in('lab')), namesOf(index.in('nowhere'))]).toEqual([
    ['cart', 'till'],
    ['probe'],
    [],
  ]);
  expect(namesOf(index.noted())).toEqual(['probe', 'till']);

  index.set(podOf('shop', 'cart', { ...noted, resourceVersion: '2' }));
  index.set(podOf('shop', 'till', { resourceVersion: '2' }));
  expect(namesOf(index.noted())).toEqual(['cart', 'probe']);

  // A late watch event reverts nothing.
  index.set(podOf('shop', 'cart', { resourceVersion: '1' }));
  expect(namesOf(index.noted())).toEqual(['cart', 'probe']);

  index.delete('shop-cart');
  index.delete('shop-till');
  expect([namesOf(index.in('shop')), namesOf(index.noted())]).toEqual([[], ['probe']]);

  index.clear();
  expect([namesOf(index.all()), namesOf(index.in('lab')), namesOf(index.noted())]).toEqual([[], [], []]);
});
