import { afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { sealBeforeState } from '../../../core/before-state.ts';
import type { IncidentNote } from '../../../core/incident.ts';
import { names } from '../../../core/labels.ts';
import type { PodRecord } from '../../../core/pod-record.ts';
import type { StepCall } from '../../../core/step.ts';
import { takenNow } from '../../../core/taken.ts';
import type { ClusterView } from '../../../integrations/kubernetes/cluster-view.ts';
import { HoldContainment } from '../../../service/run/hold-containment.ts';

const cellKey = new Uint8Array(32).fill(5);
const incident = 'incident/lab/shop/Deployment/cart';
const before = { version: 1, incident, step: 'the-step', podUid: 'uid-1', labels: { app: 'cart' }, taken: takenNow({}) } as const;

function podWith(labels: Readonly<Record<string, string>>, text: string): PodRecord {
  return {
    namespace: 'shop',
    name: 'cart-1',
    uid: 'uid-1',
    resourceVersion: '1',
    createdAt: '2026-06-01T10:00:00Z',
    labels,
    annotations: { [names.beforeAnnotation]: text },
    owners: [],
    containers: [],
    hostNetwork: false,
    deleting: false,
    phase: 'Running',
    secrets: [],
  };
}

let running: HoldContainment | undefined;
afterEach(() => running?.stop());

/** Looks some times, and tells what was done. */
async function lookedAt(pod: PodRecord, wantedNotes = 0) {
  const applied: StepCall[] = [];
  const notes: IncidentNote[] = [];
  const view: Pick<ClusterView, 'pods'> = { pods: () => [pod] };
  running = new HoldContainment({
    chokepoint: {
      apply: async (call) => {
        applied.push(call);
        return { plan: {} as never, output: undefined };
      },
    },
    view: view as ClusterView,
    cellKey,
    note: async (_incident, note) => {
      notes.push(note);
      return { kind: 'signalled' };
    },
    log: pino({ level: 'silent' }),
    everyMs: 2,
  });
  running.start();
  const until = Date.now() + (wantedNotes > 0 ? 10_000 : 100);
  while (Date.now() < until && (wantedNotes === 0 || notes.length < wantedNotes))
    await new Promise((resolve) => setTimeout(resolve, 10));
  return { applied, notes };
}

describe('a quarantine that was taken off', () => {
  test('is put back under its own step’s key, a few times, and then people must decide', async () => {
    const { applied, notes } = await lookedAt(podWith({ app: 'cart' }, sealBeforeState(before, cellKey)), 6);
    expect(applied).toHaveLength(5);
    expect(applied[0]).toMatchObject({ key: 'the-step', action: 'quarantinePod', incident: { id: incident } });
    expect(new Set(notes.map(({ id }) => id)).size).toBe(6);
    expect(notes.at(-1)?.text).toContain('somebody must decide');
  });

  test.each([
    ['is in force', { [names.quarantineLabel]: 'active' }, sealBeforeState(before, cellKey)],
    ['is another cell’s word', { app: 'cart' }, sealBeforeState(before, new Uint8Array(32).fill(6))],
    ['is another pod’s', { app: 'cart' }, sealBeforeState({ ...before, podUid: 'uid-2' }, cellKey)],
    ['cannot be read', { app: 'cart' }, '{'],
  ])('is left alone when what is on the pod %s', async (_what, labels, text) => {
    expect(await lookedAt(podWith(labels, text))).toEqual({ applied: [], notes: [] });
  });
});
