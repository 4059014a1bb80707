import type { Alert } from '../../core/alert/alert.ts';

/** A critical alert about one pod, as an incident receives it. */
export function alertOf(over: Partial<Alert> = {}): Alert {
  return {
    id: 'a'.repeat(32),
    sensor: 'falco',
    rule: 'Drop and execute new binary in container',
    severity: 'critical',
    time: '2026-11-24T21:41:44.717016731Z',
    title: 'A new binary runs',
    cluster: 'lab',
    node: 'worker-1',
    pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    observables: [],
    tags: [],
    mitre: [],
    ...over,
  };
}
