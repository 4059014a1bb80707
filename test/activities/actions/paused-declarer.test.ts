import { expect, test } from '@jest/globals';
import { pauseNotes } from '../../../activities/actions/paused-declarer.ts';
import { noteAnnotation, type ObjectNote, sealNote } from '../../../core/cluster/object-note.ts';
import { holdTermsNow } from '../../../core/incident/hold.ts';

const key = new Uint8Array(32).fill(5);
const action = 'pause-0123456789abcdef';
const deployment = 'deployment/shop/cart';
const noteOf = (path: readonly string[]): ObjectNote => ({
  version: 2,
  incident: 'incident/lab/shop/Deployment/cart',
  step: 'the-step',
  action,
  object: deployment,
  uid: 'u',
  change: { kind: 'field', path, set: 'disabled' },
  terms: holdTermsNow({}),
});
const marked = (note: ObjectNote) => ({
  metadata: { name: 'cart', uid: 'u', resourceVersion: '1', annotations: { [noteAnnotation(action)]: sealNote(note, key) } },
});
const reconcile = ['metadata', 'annotations', 'kustomize.toolkit.fluxcd.io/reconcile'];

test('a pause is undone only by this object’s own note, about this field', () => {
  const own = marked(noteOf(reconcile));
  for (const known of [key, undefined]) {
    expect(pauseNotes(own, deployment, known).size).toBe(1);
    // As the Deployment controller copies it.
    expect(pauseNotes(own, 'replicaset/shop/cart-5d4c9b7f6', known).size).toBe(0);
    expect(pauseNotes(marked(noteOf(['spec', 'source', 'repoURL'])), deployment, known).size).toBe(0);
  }
  expect(pauseNotes(own, deployment, new Uint8Array(32).fill(6)).size).toBe(0);
});
