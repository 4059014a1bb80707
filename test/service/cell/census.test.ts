import { expect, test } from '@jest/globals';
import { type BeforeState, sealBeforeState } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { takenNow } from '../../../core/incident/hold.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { createCensus } from '../../../service/cell/rules.ts';

const cellKey = new Uint8Array(32).fill(7);
const now = Date.parse('2026-06-01T12:00:00Z');
const minute = 60_000;

function podOf(uid: string, more: Partial<BeforeState> = {}, key = cellKey, labels: Record<string, string> = {}): PodRecord {
  const state: BeforeState = {
    version: 1,
    incident: 'incident/lab/shop/Pod/a',
    step: 's',
    podUid: uid,
    labels: {},
    taken: takenNow({}),
    ...more,
  };
  return {
    uid,
    name: uid,
    namespace: 'shop',
    labels,
    annotations: { [names.beforeAnnotation]: sealBeforeState(state, key) },
  } as unknown as PodRecord;
}

const counted = (pods: readonly PodRecord[], windowMs = 60 * minute) => {
  // The census asks for nothing else here.
  const view = { pods: () => pods, ready: () => true } as unknown as ClusterView;
  return [
    ...createCensus({ view, cellKey, windowMs, now: () => now })
      .contained()
      .keys(),
  ];
};
const minutesAgo = (minutes: number) =>
  ({ taken: { ...takenNow({}), at: new Date(now - minutes * minute).toISOString() } }) as const;

test('what was contained within the window counts, and what was before does not, though it is contained', () => {
  expect(counted([podOf('new', minutesAgo(59)), podOf('old', minutesAgo(61))])).toEqual(['new']);
});

test('a label, or a note that the cell has not sealed for this pod, fills no cap; a note without the label does', () => {
  const label = { [names.quarantineLabel]: 'active' };
  const labelled = { ...podOf('labelled'), labels: label, annotations: {} };
  const copied = { ...podOf('copied'), annotations: podOf('another').annotations };
  const forged = podOf('forged', minutesAgo(1), new Uint8Array(32).fill(8), label);
  expect(counted([labelled, copied, forged, podOf('robbed', minutesAgo(1))])).toEqual(['robbed']);
});

test('an incident has taken the pods whose notes are sealed for it, and no others', () => {
  const other = podOf('other', { incident: 'incident/lab/shop/Pod/b' });
  const forged = podOf('forged', {}, new Uint8Array(32).fill(8));
  const copied = { ...podOf('copied'), annotations: podOf('another').annotations };
  const elsewhere = { ...podOf('elsewhere'), namespace: 'till' };
  const view = { pods: () => [podOf('own'), other, forged, copied, elsewhere], ready: () => true } as unknown as ClusterView;
  const census = createCensus({ view, cellKey, windowMs: 60 * minute, now: () => now });
  expect([...census.takenBy('incident/lab/shop/Pod/a', 'shop')]).toEqual(['own']);
  expect([...census.takenBy('incident/lab/shop/Pod/a', 'shop')]).toEqual(['own']);
});
