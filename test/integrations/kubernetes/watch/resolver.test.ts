import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../../core/alert/alert.ts';
import { type BeforeState, sealBeforeState } from '../../../../core/cluster/before-state.ts';
import { names } from '../../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../../core/cluster/pod-record.ts';
import { holdTermsNow } from '../../../../core/incident/hold.ts';
import { PodIndex } from '../../../../integrations/kubernetes/watch/pod-index.ts';
import { createSubjectResolver } from '../../../../integrations/kubernetes/watch/resolver.ts';

const key = new Uint8Array(32).fill(7);
const uid = '5c3b7c1e-0000-4000-8000-000000000001';
const state: BeforeState = {
  version: 1,
  incident: 'incident/lab/shop/Deployment/cart',
  step: 'a-step',
  podUid: uid,
  labels: { app: 'cart' },
  terms: holdTermsNow({}),
};
const alert: Alert = {
  id: '00112233445566778899aabbccddeeff',
  sensor: 'falco',
  rule: 'Terminal shell in container',
  severity: 'critical',
  time: new Date().toISOString(),
  title: 'a shell',
  cluster: 'lab',
  pod: { namespace: 'shop', name: 'cart-x' },
  observables: [],
  tags: [],
  mitre: [],
};

describe('an alert about a pod in quarantine', () => {
  const pods = new PodIndex();
  const resolver = createSubjectResolver({
    view: {
      ready: () => true,
      pod: (namespace, name) => pods.byName(namespace, name),
      podsByContainerPrefix: (prefix) => pods.byContainerPrefix(prefix),
      knowsNode: () => false,
      ownersOf: () => undefined,
      rolloutOf: () => undefined,
    },
    cellKey: key,
  });
  const subject = (): unknown => resolver.resolve(alert).subject;
  const ofIncident = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' };
  const ofPod = { ...ofIncident, ownerKind: 'Pod', name: 'cart-x' };
  let looks = 0;

  /** The watch has seen the pod with this note. */
  const seen = (resourceVersion: string, note: string | undefined): void => {
    const annotations = {
      get [names.beforeAnnotation]() {
        looks += 1;
        return note ?? '';
      },
    };
    const pod: PodRecord = {
      uid,
      namespace: 'shop',
      name: 'cart-x',
      labels: {},
      annotations: note === undefined ? {} : annotations,
      owners: [],
      resourceVersion,
      createdAt: '2026-01-01T00:00:00Z',
      deleting: false,
      phase: 'Running',
      hostNetwork: false,
      containers: [],
      secrets: [],
    };
    pods.set(pod);
    looks = 0;
  };

  beforeEach(() => pods.clear());

  test('belongs to the incident that holds the pod, whose note is verified once for all its alerts', () => {
    seen('1', sealBeforeState(state, key));
    for (let count = 0; count < 100; count += 1) expect(subject()).toEqual(ofIncident);
    expect(looks).toBe(1);
  });

  test('does not when the note has been edited since, and does again once the cell has repaired it', () => {
    seen('1', sealBeforeState(state, key));
    expect(subject()).toEqual(ofIncident);
    seen('2', sealBeforeState(state, new Uint8Array(32).fill(8)));
    expect(subject()).toEqual(ofPod);
    expect(subject()).toEqual(ofPod);
    seen('3', sealBeforeState(state, key));
    expect(subject()).toEqual(ofIncident);
    seen('4', undefined);
    expect(subject()).toEqual(ofPod);
  });

  test('does not when the note is another pod’s', () => {
    seen('1', sealBeforeState({ ...state, podUid: 'another' }, key));
    expect(subject()).toEqual(ofPod);
  });
});
