import { expect, test } from '@jest/globals';
import type { StepCall } from '../../../core/action/step.ts';
import { type BeforeState, sealBeforeState } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { holdTermsNow } from '../../../core/incident/hold.ts';
import { PodIndex } from '../../../integrations/kubernetes/watch/pod-index.ts';
import { createCensus, type RememberedNotes } from '../../../service/process/rules.ts';

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
    terms: holdTermsNow({}),
    ...more,
  };
  return {
    uid,
    name: uid,
    namespace: 'shop',
    labels,
    annotations: { [names.beforeAnnotation]: sealBeforeState(state, key) },
    owners: [],
    resourceVersion: '1',
    createdAt: '2026-06-01T10:00:00Z',
    deleting: false,
    phase: 'Running',
    hostNetwork: false,
    containers: [],
    secrets: [],
  };
}

/** Returns a census of an index of these pods, and the index. */
function censusOf(pods: readonly PodRecord[], notes?: RememberedNotes) {
  const index = new PodIndex();
  for (const pod of pods) index.set(pod);
  const view = {
    pods: (namespace?: string) => (namespace === undefined ? index.all() : index.in(namespace)),
    notedPods: () => index.noted(),
    podByUid: (uid: string) => index.byUid(uid),
    ownersOf: (_: unknown, __: string, name: string) =>
      name.startsWith('agent-') ? [{ kind: 'Deployment', name: 'agent', uid: 'a', controller: true }] : undefined,
    ready: () => true,
  };
  return { census: createCensus({ view, cellKey, windowMs: 60 * minute, now: () => now, ...(notes && { notes }) }), index };
}

/** Returns which of them the census regards as contained; its count must match. */
function containedOf({ census, index }: ReturnType<typeof censusOf>): readonly string[] {
  const uids = [...index.all()].map(({ uid }) => uid).filter((uid) => census.isContained(uid));
  expect(census.contained(undefined, 'shop')).toEqual({ total: uids.length, namespace: uids.length });
  return uids;
}

const counted = (pods: readonly PodRecord[]) => containedOf(censusOf(pods));
const minutesAgo = (minutes: number) =>
  ({ terms: { ...holdTermsNow({}), at: new Date(now - minutes * minute).toISOString() } }) as const;

test('a pod contained within the window counts, and one contained earlier does not, even if it still is', () => {
  expect(counted([podOf('new', minutesAgo(59)), podOf('old', minutesAgo(61))])).toEqual(['new']);
});

test('the given pod is left out of the count, and its namespace is counted separately', () => {
  const elsewhere = { ...podOf('elsewhere', minutesAgo(1)), namespace: 'till' };
  const { census } = censusOf([podOf('one', minutesAgo(1)), podOf('two', minutesAgo(1)), elsewhere]);
  expect(census.contained(undefined, 'shop')).toEqual({ total: 3, namespace: 2 });
  expect(census.contained('one', 'shop')).toEqual({ total: 2, namespace: 1 });
  expect(census.contained('elsewhere', 'shop')).toEqual({ total: 2, namespace: 2 });
  expect(census.isContained('nobody')).toBe(false);
});

test('a label or a note not sealed for this pod does not count towards the cap; a sealed note without the label does', () => {
  const label = { [names.quarantineLabel]: 'active' };
  const labelled = { ...podOf('labelled'), labels: label, annotations: {} };
  const copied = { ...podOf('copied'), annotations: podOf('another').annotations };
  const forged = podOf('forged', minutesAgo(1), new Uint8Array(32).fill(8), label);
  expect(counted([labelled, copied, forged, podOf('robbed', minutesAgo(1))])).toEqual(['robbed']);
});

test('an incident has contained exactly the pods whose notes are sealed for it', () => {
  const other = podOf('other', { incident: 'incident/lab/shop/Pod/b' });
  const forged = podOf('forged', {}, new Uint8Array(32).fill(8));
  const copied = { ...podOf('copied'), annotations: podOf('another').annotations };
  const elsewhere = { ...podOf('elsewhere'), namespace: 'till' };
  const { census } = censusOf([podOf('own'), other, forged, copied, elsewhere]);
  expect([...census.containedBy('incident/lab/shop/Pod/a', 'shop')]).toEqual(['own']);
  expect([...census.containedBy('incident/lab/shop/Pod/a', 'shop')]).toEqual(['own']);
});

const callOn = (workload: NonNullable<StepCall['workload']>): StepCall => ({
  key: 's',
  action: 'quarantinePod',
  input: {},
  incident: { id: 'incident/lab/shop/Pod/a', run: '' },
  incidentTitle: '',
  playbook: 'p',
  severity: 'critical',
  workload,
  ownerContained: 0,
  evidence: [],
  evidenceDeadline: '',
});

test('a replica counts towards its owner whatever label a tenant sets, unless the cell contained it for another incident', () => {
  const workload = { kind: 'DaemonSet', namespace: 'shop', name: 'agent' };
  const owners = [{ kind: 'DaemonSet', name: 'agent', uid: 'd', controller: true }];
  const replica = (uid: string, labels: Record<string, string> = {}) => ({ ...podOf(uid), labels, annotations: {}, owners });
  const labelled = replica('labelled', { [names.quarantineLabel]: 'active' });
  const taken = { ...podOf('taken'), owners: [] };
  const others = { ...podOf('others', { incident: 'incident/lab/shop/Pod/b' }), owners };
  const { census } = censusOf([replica('free'), labelled, taken, others]);
  expect(census.ownerReplicas(callOn(workload))).toBe(3);
});

test('a pod that names the uid of another’s owner counts towards the owner that it names, whichever pod comes first', () => {
  const owned = (uid: string, name: string) => ({
    ...podOf(uid),
    annotations: {},
    owners: [{ kind: 'ReplicaSet', name, uid: 'the-same', controller: true }],
  });
  const ours = ['agent-1', 'agent-2'].map((name) => owned(name, name));
  const forged = owned('forged', 'other');
  for (const pods of [
    [...ours, forged],
    [forged, ...ours],
  ])
    expect(censusOf(pods).census.ownerReplicas(callOn({ kind: 'Deployment', namespace: 'shop', name: 'agent' }))).toBe(2);
});

test('a pod whose note was removed or edited still counts from the cell’s memory; a released or deleted one does not', () => {
  const robbed = podOf('robbed', minutesAgo(1));
  const edited = podOf('edited', minutesAgo(1));
  const texts = new Map([robbed, edited].map((pod) => [pod.uid, pod.annotations[names.beforeAnnotation]]));
  const remembered = new Map(texts);
  const notes: RememberedNotes = { of: (uid) => remembered.get(uid), uids: () => remembered.keys() };
  const both = censusOf([robbed, edited], notes);
  const { census, index } = both;
  expect(containedOf(both)).toEqual(['robbed', 'edited']);

  index.set({ ...robbed, annotations: {}, resourceVersion: '2' });
  index.set({ ...edited, annotations: { [names.beforeAnnotation]: '{}' }, resourceVersion: '2' });
  expect(containedOf(both).toSorted()).toEqual(['edited', 'robbed']);
  expect([...census.containedBy('incident/lab/shop/Pod/a', 'shop')].sort()).toEqual(['edited', 'robbed']);

  remembered.delete('robbed');
  expect(containedOf(both)).toEqual(['edited']);
  index.delete('edited');
  expect(containedOf(both)).toEqual([]);
  expect([...census.containedBy('incident/lab/shop/Pod/a', 'shop')]).toEqual([]);
});
