import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Alert, AlertFacts } from '../../../core/alert/alert.ts';
import { subjectOf } from '../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { AlertStamps, askedFacts } from '../../../core/playbook/alert-stamps.ts';
import type { Match } from '../../../core/playbook/match.ts';
import { matchAlert } from '../../../core/playbook/match-alert.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { podRecord, serviceRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { tellingFacts } from '../../../service/cell/alert-stamps.ts';
import type { StampSource } from '../../../service/intake/read/receive.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { killed } from '../../processes.ts';
import {
  type Door,
  falcoEvent,
  freshDirectory,
  openDoor,
  removeDirectory,
  startIntakeProcess,
  token,
  until,
} from './parts/intake-fixture.ts';

const doors: Door[] = [];
const children: ChildProcess[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(children.splice(0).map(killed));
  await Promise.all(doors.splice(0).map(({ intake }) => intake.stop(500)));
  for (const directory of directories.splice(0)) removeDirectory(directory);
});

function playbook(id: string, match: Match | 'unanswered'): AnyPlaybook {
  return { id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {} };
}

const rule = 'Terminal shell in container';
const often = playbook('often', { rule, count: { times: 3, within: '1h' } });
const rest = playbook('rest', 'unanswered');

async function doorWith(playbooks: readonly AnyPlaybook[], resolver?: SubjectResolver) {
  const gateway = new FakeIncidentGateway();
  const stamps = new AlertStamps({ playbooks });
  const senders = new Set<string>();
  const source: StampSource = {
    heard: (alert) => stamps.heard(alert),
    stamp: (alert, now, sender) => {
      senders.add(sender);
      return { alert: stamps.stamp(alert, now) };
    },
  };
  const door = await openDoor(gateway, { stamps: source, ...(resolver && { resolver }) });
  doors.push(door);
  directories.push(door.directory);
  const alerts = (): readonly Alert[] =>
    [...gateway.runs.values()].flat().flatMap(({ batches }) => batches.flatMap((batch) => batch.alerts));
  return {
    door,
    stamps,
    senders,
    alerts,
    post: (event: object, path = '/v1/alerts/falco') => door.post(JSON.stringify(event), { path }),
  };
}

describe('an alert that completes a count', () => {
  test('goes to its incident whole, even though it is like the ones before', async () => {
    const { alerts, post } = await doorWith([often, rest]);
    for (let times = 0; times < 8; times += 1) expect((await post(falcoEvent())).status).toBe(200);
    await until(() => alerts().some(({ calls }) => calls?.includes('often')));
    expect(alerts()[0]).toMatchObject({ countedFor: ['often'] });
    expect(alerts().filter(({ calls }) => calls?.includes('rest'))).toEqual([]);
  });

  test('does so by what this process has counted, not by what a sensor says', async () => {
    const { alerts, senders, post } = await doorWith([often, rest]);
    const facts = {
      facts: { counts: { any: 9 }, missing: ['any'], novelty: { state: 'novel', text: 'x' } },
      calls: ['often'],
      againFor: ['often'],
      countedFor: ['often'],
    };
    await post({ ...falcoEvent({ rule: 'Another' }), ...facts });
    const generic = {
      schema: 'firebreak.alert.v1',
      sensor: 'mine',
      rule: 'Another',
      severity: 'high',
      time: new Date().toISOString(),
    };
    expect((await post({ ...generic, title: 'x', ...facts }, '/v1/alerts')).status).toBe(200);
    await until(() => alerts().length >= 2);
    for (const { facts: told, againFor, countedFor, calls } of alerts())
      expect({ told, againFor, countedFor, calls }).toEqual({ calls: ['rest'] });
    // Determined by the token it came with, not by the sensor that the alert names.
    expect([...senders]).toEqual(['falco']);
  });
});

describe('an alert that calls for another playbook than those like it', () => {
  test('goes to its incident whole: a noisy one that came first shields nobody', async () => {
    const miner = playbook('miner', { rule, process: { name: 'xmrig' } });
    const { alerts, post } = await doorWith([miner, playbook('each', { rule })]);
    for (let times = 0; times < 30; times += 1) await post(falcoEvent({}, { 'proc.name': 'bash' }));
    await post(falcoEvent({}, { 'proc.name': 'xmrig' }));
    await until(() => alerts().some(({ calls }) => calls?.includes('miner')));
    expect(alerts().find(({ calls }) => calls?.includes('miner'))).toMatchObject({ calls: ['miner', 'each'] });
  });
});

describe('an alert that nothing followed', () => {
  test('is sent once more by the intake, with its own time, for its playbook', async () => {
    const missing = playbook('missing', { rule: 'Backup begins', absent: { of: { rule: 'Backup ends' }, within: '10m' } });
    const { door, stamps, alerts, post } = await doorWith([missing]);
    await post(falcoEvent({ rule: 'Backup begins' }));
    const [over] = stamps.over(Date.now() + 600_000);
    if (!over) throw new Error('nothing is over');
    expect(await door.intake.tell(over.alert)).toBe(true);
    expect(await door.intake.tell(over.alert)).toBe(true);
    await until(() => alerts().some(({ calls }) => calls?.includes('missing')));
    expect(alerts().filter(({ againFor }) => againFor)).toMatchObject([{ receivedAt: over.of.receivedAt, calls: ['missing'] }]);
  });
});

describe('what a playbook asks about the cluster', () => {
  const uid = 'uid-1';
  const pod = podRecord({
    metadata: { uid, namespace: 'shop', name: 'web-1', labels: { app: 'web', team: 'shop' } },
    spec: { containers: [{ name: 'a', image: 'a', securityContext: { privileged: true } }] },
  });
  const services = [
    serviceRecord({ metadata: { namespace: 'shop', name: 'web' }, spec: { selector: { app: 'web' }, type: 'LoadBalancer' } }),
    serviceRecord({ metadata: { namespace: 'shop', name: 'manual' }, spec: {} }),
  ];
  const alert: Alert = {
    id: '0'.repeat(32),
    sensor: 'falco',
    rule,
    severity: 'high',
    time: '2026-11-27T22:30:00Z',
    title: 'x',
    cluster: 'lab',
    pod: { namespace: 'shop', name: 'web-1', uid },
    observables: [],
    tags: [],
    mitre: [],
  };
  const asking = askedFacts([playbook('p', { labels: { team: 'shop', tier: 'x' }, privileged: true, exposure: 'ingress' })]);
  const factsOf = (record: PodRecord | undefined, ingresses: readonly string[] | undefined, asked = asking) => {
    const view = {
      podByUid: () => record,
      services: () => services,
      ingresses: () => ingresses && [{ namespace: 'shop', name: 'i', services: ingresses }],
    };
    const resolver: SubjectResolver = { resolve: (given) => ({ alert: given, subject: subjectOf(given) }) };
    return tellingFacts(resolver, view, asked).resolve(alert).alert.facts;
  };

  test('is read from the watch cache', () => {
    expect(factsOf(pod, ['web'])).toEqual({
      labels: { app: 'web', team: 'shop', tier: null },
      hasAllLabels: true,
      privileged: true,
      hostAccess: false,
      exposure: ['service', 'external', 'ingress'],
    });
    expect(factsOf(pod, ['other'])).toMatchObject({ exposure: ['service', 'external'] });
    expect(factsOf({ ...pod, labels: {} }, [])).toMatchObject({ labels: { team: null }, exposure: [] });
  });

  test('is unknown if nobody knows it, and costly facts are only looked up if asked for', () => {
    expect(factsOf(undefined, ['web'])).toBeUndefined();
    const cheap = { labels: { app: 'web', team: 'shop', tier: null }, hasAllLabels: true, privileged: true, hostAccess: false };
    expect(factsOf(pod, undefined)).toEqual(cheap);
    expect(factsOf(pod, ['web'], askedFacts([often]))).toEqual({ ...cheap, labels: { app: 'web', team: 'shop' } });
  });

  test('has limited room for labels, and claims nothing about those left out', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, nth) => [`l${nth}`, 'x']));
    const { labels = {}, hasAllLabels } = factsOf({ ...pod, labels: { ...many, team: 'shop' } }, []) ?? {};
    expect(Object.keys(labels).length).toBe(66);
    expect(labels).toMatchObject({ team: 'shop', tier: null });
    expect(hasAllLabels).toBeUndefined();
    const alertWith = (facts: AlertFacts) => matchAlert({ labels: { other: 'x' } }, { ...alert, facts });
    expect(alertWith({ labels })).toBeUndefined();
    expect(alertWith({ labels, hasAllLabels: true })).toBe(false);
  });
});

describe('what was counted', () => {
  async function startProcess(directory: string) {
    const { url, child } = await startIntakeProcess(directory, { playbooks: [often] });
    children.push(child);
    const post = async (): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${url}/v1/alerts/falco`, { method: 'POST', body: JSON.stringify(falcoEvent()), headers });
      return response.status;
    };
    return { post, kill: () => killed(child) };
  }

  test('still counts after a crash', async () => {
    const directory = freshDirectory();
    directories.push(directory);
    const first = await startProcess(directory);
    expect([await first.post(), await first.post()]).toEqual([200, 200]);
    await first.kill();
    const second = await startProcess(directory);
    const taken = (): string => (existsSync(join(directory, 'taken')) ? readFileSync(join(directory, 'taken'), 'utf8') : '');
    expect(taken()).not.toContain('"calls":["often"]');
    expect(await second.post()).toBe(200);
    await until(() => taken().includes('"calls":["often"]'));
  });
});
