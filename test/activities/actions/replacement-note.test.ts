import { describe, expect, test } from '@jest/globals';
import { replacementNote } from '../../../activities/actions/workloads/replacement-note.ts';
import { type BeforeState, type NamedKind, quarantineLabels, sealBeforeState } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';

const key = new Uint8Array(32).fill(7);
const uid = 'uid-1';
const incident = 'incident/c/shop/Deployment/cart';
const before: BeforeState = {
  version: 1,
  incident,
  step: 's1',
  podUid: uid,
  labels: { app: 'cart' },
  owner: { kind: 'ReplicaSet', name: 'cart-7d9c' },
  workload: { kind: 'Deployment', name: 'cart' },
  terms: { severity: 'critical', reach: 'pod', lease: { durationMs: 1, onExpiry: 'renew' }, at: '2026-03-01T14:00:00.000Z' },
};
const ownedBy = (owner: NamedKind | undefined) => ({
  ...{ uid, labels: { app: 'cart' }, annotations: {} },
  owners: owner ? [{ ...owner, uid: 'o', controller: true }] : [],
});
const quarantined = (changes: Partial<BeforeState> = {}, sealedWith = key) => ({
  ...{ uid, labels: quarantineLabels(incident), owners: [] },
  annotations: { [names.beforeAnnotation]: sealBeforeState({ ...before, ...changes }, sealedWith) },
});

describe('what comes in the place of a pod that is ended', () => {
  test('is a new one of its controller', () => {
    expect(replacementNote(ownedBy({ kind: 'ReplicaSet', name: 'cart-7d9c' }), key)).toBe(
      'ReplicaSet cart-7d9c starts a new pod in its place: the same image and configuration come back.',
    );
    expect(replacementNote(ownedBy(undefined), key)).toBe('Nothing starts another pod in its place.');
  });

  test('has already come for a quarantined pod, as the cell’s own note says', () => {
    expect(replacementNote(quarantined(), key)).toBe(
      'Deployment cart already runs without it: a new pod took its place when it was quarantined.',
    );
  });

  test('comes only now for one of a StatefulSet, which has waited for the name', () => {
    const owner = { kind: 'StatefulSet', name: 'db' };
    expect(replacementNote(quarantined({ owner, workload: owner }), key)).toMatch(/^StatefulSet db starts a new pod of the same/);
  });

  test('is nothing for a quarantined pod that nobody owned', () => {
    const { owner: _, workload: __, ...alone } = before;
    const pod = { ...quarantined(), annotations: { [names.beforeAnnotation]: sealBeforeState(alone, key) } };
    expect(replacementNote(pod, key)).toBe('Nothing starts another pod in its place.');
  });

  test('is not known if the note is gone, or somebody else wrote it', () => {
    const unknown = 'Whether another pod has taken its place is not known.';
    expect(replacementNote({ ...quarantined(), annotations: {} }, key)).toBe(unknown);
    expect(replacementNote(quarantined({}, new Uint8Array(32).fill(8)), key)).toBe(unknown);
    expect(replacementNote(quarantined(), undefined)).toBe(unknown);
  });
});
