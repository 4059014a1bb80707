import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { CellStamps, runningIn } from '../../../service/cell/alert-stamps.ts';
import { type OwnKnowledge, openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { kindOf } from '../../../service/intake/send/batch.ts';

const day = 86_400_000;
const began = Date.parse('2026-10-01T00:00:00Z');
const log = { info: () => {}, warn: () => {}, error: () => {} };
const playbooks: readonly AnyPlaybook[] = [
  { id: 'new', title: 'new', on: { match: { novel: true }, minSeverity: 'low', requires: [] }, uses: {} },
];
const opened: OwnKnowledge[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const knowledge of opened.splice(0)) await knowledge.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function open(directory: string): OwnKnowledge {
  const knowledge = openKnowledge(directory, log);
  opened.push(knowledge);
  return knowledge;
}

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'firebreak-novelty-'));
  directories.push(directory);
  return directory;
}

function stampsOf(knowledge: OwnKnowledge, raisesSeverity = false) {
  return new CellStamps({
    playbooks,
    counts: knowledge.alertCounts,
    awaited: knowledge.awaited,
    written: () => knowledge.written(),
    novelty: { kept: knowledge.novelty, learningMs: 2 * day, rolloutMs: day / 6, raisesSeverity },
    box: createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] }),
    log,
  });
}

function alertOf(program: string, severity: Severity = 'medium'): Alert {
  return {
    id: '0'.repeat(32),
    sensor: 'falco',
    rule: 'Run shell untrusted',
    severity,
    time: '2026-11-27T22:30:00Z',
    title: 'x',
    cluster: 'lab',
    pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    process: { exe: `/usr/bin/${program}`, parent: 'sh' },
    observables: [],
    tags: [],
    mitre: [],
  };
}

test('the cell marks an alert as novel, which calls the playbooks that ask for novel alerts', () => {
  const stamps = stampsOf(open(freshDirectory()));
  expect(stamps.stamp(alertOf('nginx'), began, 'falco').alert.facts).toBeUndefined();
  const { alert } = stamps.stamp(alertOf('curl'), began + 10 * day, 'falco');
  expect(alert).toMatchObject({ severity: 'medium', calls: ['new'], facts: { novelty: { state: 'novel' } } });
  // In a storm of known alerts it reaches its incident in full.
  const { facts: _, ...known } = alert;
  expect(kindOf(alert)).not.toBe(kindOf(known));
});

test('the cell remembers what it has seen after a restart', async () => {
  const directory = freshDirectory();
  const first = open(directory);
  const stamps = stampsOf(first);
  for (const at of [0, 3, 5]) stamps.stamp(alertOf('nginx'), began + at * day, 'falco');
  await stamps.stop();
  await first.close();
  opened.splice(0);
  const again = stampsOf(open(directory));
  expect(again.stamp(alertOf('nginx'), began + 10 * day, 'falco').alert.facts).toBeUndefined();
  expect(again.stamp(alertOf('curl'), began + 10 * day, 'falco').alert.facts?.novelty?.text).toContain('First time in 10 days');
});

test.each<[Severity, Severity]>([
  ['info', 'low'],
  ['low', 'medium'],
  ['medium', 'high'],
  ['high', 'high'],
  ['critical', 'critical'],
  ['unknown', 'unknown'],
])('if configured, a novel alert of severity %s becomes %s with a reason; a known one keeps its severity', (from, to) => {
  const stamps = stampsOf(open(freshDirectory()), true);
  expect(stamps.stamp(alertOf('nginx', from), began, 'falco').alert.severity).toBe(from);
  const { alert } = stamps.stamp(alertOf('curl', from), began + 10 * day, 'falco');
  expect(alert.severity).toBe(to);
  expect(alert.facts?.novelty?.text.endsWith(`The alert is therefore ${to}, not ${from}.`)).toBe(from !== to);
});

test('the running image, its age and its pod count come from the watch cache, not from the sensor', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const pod = (name: string, over: object = {}): PodRecord =>
    podRecord({
      metadata: {
        uid: `uid-${name}`,
        namespace: 'shop',
        name,
        creationTimestamp: '2026-11-01T00:00:00Z',
        ownerReferences: [{ kind: 'StatefulSet', name: 'cart', uid: 'u', controller: true, apiVersion: 'apps/v1' }],
        ...over,
      },
      spec: { containers: [{ name: 'app', image: 'shop/cart:1' }] },
      status: { containerStatuses: [{ name: 'app', image: 'shop/cart:1', imageID: `shop/cart@${digest}` }] },
    } as Parameters<typeof podRecord>[0]);
  const pods = [pod('cart-0'), pod('cart-1'), pod('other', { ownerReferences: [] })];
  const { imageOf, podsOf } = runningIn({
    podByUid: (uid) => pods.find((one) => one.uid === uid),
    pods: () => pods,
    ownersOf: () => undefined,
  });
  const alert: Alert = {
    ...alertOf('nginx'),
    pod: { namespace: 'shop', name: 'cart-0', uid: 'uid-cart-0' },
    workload: { kind: 'StatefulSet', namespace: 'shop', name: 'cart' },
    container: { name: 'app', digest: `sha256:${'f'.repeat(64)}` },
  };
  expect(imageOf(alert)).toEqual({ digest, since: Date.parse('2026-11-01T00:00:00Z') });
  expect(imageOf({ ...alert, rollout: { revision: '3', at: '2026-11-20T00:00:00Z' } })).toEqual({
    digest,
    since: Date.parse('2026-11-20T00:00:00Z'),
  });
  // An older template that was rolled out again: nothing records when.
  expect(imageOf({ ...alert, rollout: { revision: '2' } })).toEqual({ digest });
  expect(imageOf({ ...alert, pod: { namespace: 'shop', name: 'cart-0' } })).toBeUndefined();
  expect(podsOf(alert)).toBe(2);
});
