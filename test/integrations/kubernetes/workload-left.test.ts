import { describe, expect, test } from '@jest/globals';
import type { OwnerRef, PodRecord } from '../../../core/cluster/pod-record.ts';
import { workloadLeft } from '../../../integrations/kubernetes/watch/workload-left.ts';

const at = new Date('2026-03-01T14:02:11Z');
const incident = { id: 'incident/prod-1/shop/Deployment/cart' };
const owner = (kind: string, name: string): OwnerRef => ({ kind, name, uid: `uid-${name}`, controller: true });

function pod(name: string, changes: Partial<PodRecord> = {}): PodRecord {
  return {
    uid: `uid-${name}`,
    namespace: 'shop',
    name,
    labels: { app: 'cart' },
    annotations: {},
    owners: [owner('ReplicaSet', 'cart-7d9')],
    resourceVersion: '1',
    createdAt: '2026-03-01T10:00:00Z',
    deleting: false,
    phase: 'Running',
    ready: true,
    hostNetwork: false,
    containers: [],
    secrets: ['cart-db'],
    ...changes,
  };
}

function look(
  pods: readonly PodRecord[],
  changes: { readonly ready?: boolean; readonly budgets?: undefined } = {},
  id = incident.id,
) {
  const service = (name: string, selector: Readonly<Record<string, string>>) => ({ namespace: 'shop', name, selector });
  const budgets = [
    { namespace: 'shop', name: 'cart-pdb', selector: { matchLabels: { app: 'cart' } } },
    { namespace: 'shop', name: 'other', selector: { matchLabels: { app: 'web' } } },
  ];
  return workloadLeft({
    view: {
      ready: () => changes.ready ?? true,
      pods: (namespace?: string) => pods.filter((one) => namespace === undefined || one.namespace === namespace),
      ownersOf: (_kind, _namespace, name) =>
        name === 'cart-7d9' || name === 'cart-8e0' ? [owner('Deployment', 'cart')] : undefined,
      services: () => [service('cart', { app: 'cart' }), service('web', { app: 'web' }), service('headless', {})],
      budgets: () => ('budgets' in changes ? undefined : budgets),
    },
    incident: { id },
    at,
  });
}

describe('what is left of a workload', () => {
  test('is its pods of every ReplicaSet, ready or not, with what selects and feeds them', () => {
    const { ready: _, ...unready } = pod('cart-3', {
      owners: [owner('ReplicaSet', 'cart-8e0')],
      secrets: ['registry', 'cart-db'],
    });
    expect(look([pod('cart-1'), pod('cart-2'), unready])).toEqual({
      workload: 'deployment/shop/cart',
      at: at.toISOString(),
      ready: 2,
      pods: 3,
      services: ['cart'],
      budgets: ['cart-pdb'],
      secrets: ['cart-db', 'registry'],
    });
  });

  test('excludes pods that are quarantined, terminating, another workload’s or another namespace’s', () => {
    const quarantined = pod('cart-0', { labels: { 'firebreak.dev/quarantine': 'active' }, owners: [] });
    const others = [
      quarantined,
      pod('cart-9', { deleting: true }),
      pod('web-1', { owners: [owner('ReplicaSet', 'web-1')] }),
      pod('cart-1', { namespace: 'stage' }),
    ];
    expect(look(others)).toMatchObject({ ready: 0, pods: 0, services: [], budgets: [], secrets: [] });
  });

  test('is known only for a workload, and only once the cache is complete; budgets may be unknown', () => {
    expect(look([pod('cart-1')], { ready: false })).toBeUndefined();
    expect(look([], {}, 'incident/prod-1/node/node-a')).toBeUndefined();
    expect(look([pod('cart-1')], { budgets: undefined })).not.toHaveProperty('budgets');
    expect(look([pod('job', { owners: [] })], {}, 'incident/prod-1/shop/Pod/job')).toMatchObject({ pods: 1 });
  });
});
