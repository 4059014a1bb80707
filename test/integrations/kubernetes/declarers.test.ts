import { describe, expect, test } from '@jest/globals';
import { listsObject } from '../../../integrations/kubernetes/gitops/declarers.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';

const ref = { kind: 'Deployment', group: 'apps', resource: 'deployments', namespace: 'shop', name: 'cart' };
const listed = { group: 'apps', version: 'v1', kind: 'Deployment', namespace: 'shop', name: 'cart' };
const here = { server: 'https://kubernetes.default.svc', namespace: 'shop' };
const declarer = (parts: object): ObjectJson => ({ metadata: { name: 'x', uid: 'u', resourceVersion: '1' }, ...parts });
const application = (over: object = {}, destination: object = here): ObjectJson =>
  declarer({
    spec: { destination },
    status: {
      resources: [
        { kind: 'Service', namespace: 'shop', name: 'cart' },
        { ...listed, ...over },
      ],
    },
  });
const inventory = (id: string, spec: object = {}): ObjectJson =>
  declarer({ spec, status: { inventory: { entries: [{ id, v: 'v1' }] } } });

describe('a declarer of an object is recognized by its own status:', () => {
  test('an Argo CD application that lists the object in this cluster', () => {
    expect(listsObject('Application', application(), ref)).toBe(true);
    expect(listsObject('Application', application({}, { name: 'in-cluster' }), ref)).toBe(true);
  });

  test.each([
    ['lists another', application({ name: 'pay' })],
    ['lists one of this name elsewhere', application({ namespace: 'test' })],
    ['lists another kind of this name', application({ kind: 'StatefulSet' })],
    ['deploys to another cluster', application({}, { server: 'https://10.0.0.1', namespace: 'shop' })],
    ['has no status', declarer({ spec: { destination: here } })],
    ['has an invalid status', declarer({ spec: { destination: here }, status: { resources: 'cart' } })],
  ])('but not an application that %s', (_, found) => {
    expect(listsObject('Application', found, ref)).toBe(false);
  });

  test.each(['Kustomization', 'HelmRelease'] as const)('a Flux %s whose inventory has the object in this cluster', (kind) => {
    expect(listsObject(kind, inventory('shop_cart_apps_Deployment'), ref)).toBe(true);
    expect(listsObject(kind, inventory('shop_pay_apps_Deployment'), ref)).toBe(false);
    expect(listsObject(kind, inventory('shop_cart_apps_Deployment', { kubeConfig: { secretRef: { name: 'other' } } }), ref)).toBe(
      false,
    );
    expect(listsObject(kind, declarer({}), ref)).toBe(false);
  });
});
