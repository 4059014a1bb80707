import { describe, expect, test } from '@jest/globals';
import { lastManagerOf, type ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';

const here = { namespace: 'shop', name: 'cart' };
const tracked = (id: string) => ({ ...here, annotations: { 'argocd.argoproj.io/tracking-id': id } });
const chart = { 'app.kubernetes.io/managed-by': 'Helm', 'app.kubernetes.io/instance': 'cart' };

describe('who else writes an object', () => {
  test.each([
    ['an application', tracked('cart:apps/Deployment:shop/cart'), 'Argo CD application cart', undefined],
    [
      'an application in any namespace',
      tracked('team-a_cart:apps/Deployment:shop/cart'),
      'Argo CD application team-a/cart',
      'team-a',
    ],
    [
      'an application that renders a chart',
      { ...tracked('cart:apps/Deployment:shop/cart'), labels: chart },
      'Argo CD application cart',
      undefined,
    ],
    [
      'an application by its own label',
      { ...here, labels: { 'argocd.argoproj.io/instance': 'cart' } },
      'Argo CD application cart',
      undefined,
    ],
    [
      'a kustomization',
      { ...here, labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' } },
      'Flux kustomization flux-system/apps',
      'flux-system',
    ],
    [
      'a kustomization of a manifest that also has marks for Argo CD',
      {
        ...here,
        labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
        annotations: { 'argocd.argoproj.io/sync-wave': '1' },
      },
      'Flux kustomization flux-system/apps',
      'flux-system',
    ],
    [
      'a Helm release of Flux, which leaves Helm’s own marks as well',
      {
        ...here,
        labels: { ...chart, 'helm.toolkit.fluxcd.io/name': 'cart', 'helm.toolkit.fluxcd.io/namespace': 'shop' },
        annotations: { 'meta.helm.sh/release-name': 'cart', 'meta.helm.sh/release-namespace': 'shop' },
      },
      'Flux Helm release shop/cart',
      'shop',
    ],
  ])('is named: %s', (_, metadata, named, namespace) => {
    const writer = otherWriter(metadata);
    expect(writer?.named).toBe(named);
    expect(writer?.declarer?.namespace).toBe(namespace);
  });

  test('is only Helm when there are only Helm’s marks, which declare nothing that runs', () => {
    const annotations = { 'meta.helm.sh/release-name': 'cart', 'meta.helm.sh/release-namespace': 'shop' };
    expect(otherWriter({ ...here, labels: chart, annotations })).toEqual({ tool: 'Helm', named: 'Helm release shop/cart' });
  });

  test.each([
    ['a tracking mark that was copied from another object', tracked('cart:apps/Deployment:shop/pay')],
    ['an invalid tracking mark', tracked('x')],
    ['a name that Kubernetes does not accept', tracked('<!channel>:apps/Deployment:shop/cart')],
    ['a mark that names nobody', { ...here, annotations: { 'argocd.argoproj.io/sync-wave': '1' } }],
  ])('is not named by %s', (_, metadata) => {
    expect(otherWriter(metadata)).toEqual({ tool: 'Argo CD', named: 'Argo CD' });
  });

  test('is nobody when there is only a chart’s label', () => {
    expect(otherWriter({ ...here, labels: { 'app.kubernetes.io/instance': 'cart' } })).toBeUndefined();
  });
});

test('the last writer of a field is its latest manager other than us, on one line', () => {
  const fields = { 'f:spec': { 'f:replicas': {} } };
  const object: ObjectJson = {
    metadata: {
      name: 'cart',
      uid: 'u',
      resourceVersion: '1',
      managedFields: [
        { manager: 'kubectl', time: '2026-01-01T00:00:00Z', fieldsV1: fields },
        { manager: 'argocd\u202e\ncontroller', time: '2026-01-01T00:00:03Z', fieldsV1: fields },
        { manager: 'firebreak', time: '2026-01-01T00:00:09Z', fieldsV1: fields },
        { manager: 'kube-controller-manager', time: '2026-01-01T00:00:10Z', fieldsV1: { 'f:status': {} } },
      ],
    },
  };
  expect(lastManagerOf(object, ['spec', 'replicas'])).toBe('argocd\\u{202e} controller');
  expect(lastManagerOf(object, ['spec', 'paused'])).toBeUndefined();
});
