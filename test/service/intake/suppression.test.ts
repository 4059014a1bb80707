import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { OpenSteps } from '../../../core/action/own-steps.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { subjectOf } from '../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { incidentIdOf } from '../../../core/incident/incident.ts';
import { type ActiveSuppression, hides, suppressionKey, suppressionKeyOf } from '../../../core/orders/suppression.ts';
import type { ScreenSources } from '../../../service/intake/read/screen.ts';
import type { readHidden } from '../../../service/intake/spool/hidden-alerts.ts';
import { startIntake } from '../../../service/intake/start.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { falcoEvent, freshDirectory, removeDirectory, silent, token, until } from './parts/intake-fixture.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const incident = 'incident/lab/shop/Deployment/web';
const open: { stop: () => Promise<void>; directory: string }[] = [];

/** Completes an alert as the cell's cache would. */
const resolver: SubjectResolver = {
  resolve: (alert) => {
    const full: Alert = alert.pod
      ? {
          ...alert,
          pod: { ...alert.pod, uid: 'uid-1' },
          workload: { kind: 'Deployment', namespace: 'shop', name: 'web' },
          container: { ...alert.container, digest },
        }
      : alert;
    return { alert: full, subject: subjectOf(full) };
  },
};

function suppressionOf(rule: string, over: Partial<ActiveSuppression['terms']> = {}): ActiveSuppression {
  return {
    terms: {
      version: 1,
      id: '0123456789abcdef',
      cluster: 'lab',
      match: { rule, namespace: 'shop', workload: { kind: 'Deployment', name: 'web' }, image: { digest } },
      upTo: 'medium',
      owner: 'ana',
      reason: 'known',
      from: new Date(Date.now() - 1_000).toISOString(),
      until: new Date(Date.now() + 86_400_000).toISOString(),
      ...over,
    },
    proposer: 'ana',
    approvers: ['ben'],
    accounts: [],
  };
}

function listOf(...all: readonly ActiveSuppression[]): NonNullable<ScreenSources['suppressions']> {
  return {
    hiding: (alert) =>
      all.find((one) => suppressionKey(one.terms.match) === suppressionKeyOf(alert) && hides(one, alert, Date.now())),
  };
}

async function openDoor(screen: ScreenSources, gateway = new FakeIncidentGateway(), directory = freshDirectory()) {
  const intake = await startIntake({
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [{ name: 'falco', token }],
    spoolDir: directory,
    maxBytes: 100_000_000,
    cluster: 'lab',
    resolver,
    gateway,
    screen,
    seal: (bytes) => bytes,
    log: silent,
  });
  const door = { gateway, directory, url: intake.url, stop: () => intake.stop(500) };
  open.push(door);
  return door;
}

type Shown = { readonly count: { readonly count: number }; readonly alerts: readonly { readonly alert: Alert }[] };

/** As the command line does it: from another process, while the intake runs. */
function shownOf(directory: string, by: string): Shown | undefined {
  const file = join(import.meta.dirname, '../../../service/intake/spool/hidden-alerts.ts');
  const read: keyof { readHidden: typeof readHidden } = 'readHidden';
  const code = `const { ${read} } = await import(${JSON.stringify(file)});
    console.log(JSON.stringify((await ${read}(${JSON.stringify(directory)}, [${JSON.stringify(by)}]))?.get(${JSON.stringify(by)}) ?? null));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })) ?? undefined;
}

async function post(url: string, body: unknown, path = '/v1/alerts/falco') {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}` },
  });
  const json: { readonly items: readonly Record<string, unknown>[] } & Record<string, unknown> = JSON.parse(
    await response.text(),
  );
  return { status: response.status, json };
}

afterEach(async () => {
  for (const door of open.splice(0)) {
    await door.stop();
    removeDirectory(door.directory);
  }
});

describe('a suppressed alert', () => {
  test('is answered, counted, kept, in the metrics, and starts nothing; a redelivery is not counted', async () => {
    const { url, gateway, directory } = await openDoor({ suppressions: listOf(suppressionOf('Terminal shell in container')) });
    const first = falcoEvent();
    const answer = await post(url, [first, falcoEvent(), falcoEvent({ rule: 'Another rule' })]);
    expect(answer).toMatchObject({ status: 200, json: { accepted: 1, suppressed: 2 } });
    expect(answer.json.items[0]).toMatchObject({ status: 'suppressed', suppression: '0123456789abcdef' });
    expect(await post(url, first)).toMatchObject({ status: 200, json: { duplicate: 1, suppressed: 0 } });
    await until(() => gateway.counted(incident) === 1);
    expect(gateway.batches(incident).flatMap(({ counts }) => counts.map(({ rule }) => rule))).toEqual(['Another rule']);

    const hidden = shownOf(directory, '0123456789abcdef');
    expect(hidden?.count.count).toBe(2);
    expect(hidden?.alerts.map(({ alert }) => alert.rule)).toEqual(['Terminal shell in container', 'Terminal shell in container']);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'firebreak_intake_alerts_hidden_total{by="0123456789abcdef"} 2',
    );
  });

  test('keeps being counted after a restart', async () => {
    const screen = { suppressions: listOf(suppressionOf('Terminal shell in container')) };
    const door = await openDoor(screen);
    await post(door.url, falcoEvent());
    await door.stop();
    open.length = 0;
    const again = await openDoor(screen, door.gateway, door.directory);
    await post(again.url, falcoEvent());
    expect(shownOf(door.directory, '0123456789abcdef')?.count.count).toBe(2);
  });

  test('is a line in an incident that is open, and one line for many', async () => {
    const { url, gateway } = await openDoor({ suppressions: listOf(suppressionOf('Terminal shell in container')) });
    await post(url, falcoEvent({ rule: 'Another rule' }));
    await until(() => gateway.counted(incident) === 1);
    await post(
      url,
      Array.from({ length: 50 }, () => falcoEvent()),
    );
    await until(() => gateway.notes.length > 0);
    expect(gateway.notes).toMatchObject([{ id: incident, note: { kind: 'alert.suppressed', about: '0123456789abcdef' } }]);
    expect(gateway.counted(incident)).toBe(1);
  });

  test('opens nothing if no incident is open', async () => {
    const { url, gateway } = await openDoor({ suppressions: listOf(suppressionOf('Terminal shell in container')) });
    await post(url, falcoEvent());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(gateway.runs.size).toBe(0);
    expect(gateway.notes).toEqual([]);
  });

  test('is not hidden if it is more severe than agreed, or after the end', async () => {
    const over = suppressionOf('Run shell untrusted', { until: new Date(Date.now() - 1).toISOString() });
    const { url } = await openDoor({ suppressions: listOf(suppressionOf('Terminal shell in container'), over) });
    expect(await post(url, falcoEvent({ priority: 'Critical' }))).toMatchObject({ json: { accepted: 1, suppressed: 0 } });
    expect(await post(url, falcoEvent({ rule: 'Run shell untrusted' }))).toMatchObject({ json: { accepted: 1, suppressed: 0 } });
  });

  test('a note waits on disk while Temporal is down', async () => {
    const gateway = new FakeIncidentGateway();
    const screen = { suppressions: listOf(suppressionOf('Terminal shell in container')) };
    const door = await openDoor(screen, gateway);
    await post(door.url, falcoEvent({ rule: 'Another rule' }));
    await until(() => gateway.counted(incident) === 1);
    gateway.failing = 'down';
    await post(door.url, falcoEvent());
    await door.stop();
    open.length = 0;
    gateway.failing = 'no';
    await openDoor(screen, gateway, door.directory);
    await until(() => gateway.notes.length === 1);
  });
});

function exec(user: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: crypto.randomUUID(),
    stage: 'ResponseComplete',
    requestURI: '/api/v1/namespaces/shop/pods/web-1/exec?command=tar',
    verb: 'create',
    user: { username: user },
    sourceIPs: ['10.0.0.1'],
    objectRef: { resource: 'pods', namespace: 'shop', name: 'web-1', apiVersion: 'v1', subresource: 'exec' },
    responseStatus: { code: 101 },
    requestReceivedTimestamp: new Date().toISOString(),
    stageTimestamp: new Date().toISOString(),
    ...over,
  };
}

describe('Firebreak’s own steps', () => {
  const me = 'system:serviceaccount:firebreak:firebreak-cell';
  const path = '/v1/alerts/kubernetes-audit';
  const emptyBatch = { id: 'b', alerts: [], counts: [] };
  const atOnce = { eager: false, priority: 1, searchAttributes: {} } as const;

  async function withOpenStep() {
    const steps = new OpenSteps();
    steps.knownAs(me);
    const door = await openDoor({ steps });
    await post(door.url, falcoEvent());
    await until(() => door.gateway.counted(incident) === 1);
    const end = steps.begin({ key: 'k', action: 'snapshotFilesystem', incident, targets: ['pod/shop/web-1'] });
    return { ...door, end };
  }

  test('seen by the API audit join their incident, and start nothing', async () => {
    const { url, gateway, end } = await withOpenStep();
    expect((await post(url, exec(me), path)).json).toMatchObject({ accepted: 0, ownSteps: 1, items: [{ incident }] });
    end();
    expect((await post(url, exec(me), path)).json).toMatchObject({ ownSteps: 1 });
    await until(() => gateway.notes.length === 2);
    expect(gateway.notes[0]).toMatchObject({ id: incident, note: { kind: 'step.seen', about: 'k' } });
    expect(gateway.counted(incident)).toBe(1);
  });

  test('seen before their incident has begun, as an early containment is, join it once it has', async () => {
    const steps = new OpenSteps();
    steps.knownAs(me);
    const { url, gateway } = await openDoor({ steps });
    const end = steps.begin({ key: 'k', action: 'quarantinePod', incident, targets: ['pod/shop/web-1'] });
    expect((await post(url, exec(me), path)).json).toMatchObject({ ownSteps: 1 });
    end();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(gateway.runs.size).toBe(0);
    await post(url, falcoEvent());
    await until(() => gateway.notes.length === 1);
    expect(gateway.notes).toMatchObject([{ id: incident, note: { kind: 'step.seen', about: 'k' } }]);
  });

  test('reach a run that is full for now later, and other runs do not wait for that', async () => {
    const steps = new OpenSteps();
    steps.knownAs(me);
    const { url, gateway } = await openDoor({ steps });
    await post(url, falcoEvent());
    await until(() => gateway.counted(incident) === 1);
    const other = await gateway.start(
      'incident/full',
      { subject: { kind: 'node', cluster: 'lab', node: 'n' }, batch: emptyBatch },
      atOnce,
    );
    expect(other.kind).toBe('started');
    gateway.full.add('incident/full');
    steps.begin({ key: 'waits', action: 'quarantinePod', incident: 'incident/full', targets: ['pod/shop/web-0'] });
    steps.begin({ key: 'k', action: 'quarantinePod', incident, targets: ['pod/shop/web-1'] });
    const onPod = (name: string) => exec(me, { objectRef: { resource: 'pods', namespace: 'shop', name, subresource: 'exec' } });
    expect((await post(url, onPod('web-0'), path)).json).toMatchObject({ ownSteps: 1 });
    expect((await post(url, onPod('web-1'), path)).json).toMatchObject({ ownSteps: 1 });
    await until(() => gateway.notes.some(({ note }) => note.about === 'k'));
    expect(gateway.notes.some(({ note }) => note.about === 'waits')).toBe(false);
    gateway.full.clear();
    await until(() => gateway.notes.some(({ note }) => note.about === 'waits'));
  });

  test.each([
    ['another account', () => exec('system:serviceaccount:shop:web')],
    ['another account that acts as ours', () => exec('mallory', { impersonatedUser: { username: me } })],
    ['our account that acts as another', () => exec(me, { impersonatedUser: { username: 'mallory' } })],
    [
      'our account on another pod',
      () => exec(me, { objectRef: { resource: 'pods', namespace: 'shop', name: 'web-2', subresource: 'exec' } }),
    ],
    ['our account, long before the step', () => exec(me, { requestReceivedTimestamp: '2026-01-01T00:00:00Z' })],
  ])('the same by %s is an alert', async (_what, event) => {
    const { url } = await withOpenStep();
    expect((await post(url, event(), path)).json).toMatchObject({ accepted: 1, ownSteps: 0 });
  });

  test('without an open step our account is like any other', async () => {
    const steps = new OpenSteps();
    steps.knownAs(me);
    const { url } = await openDoor({ steps });
    expect((await post(url, exec(me), path)).json).toMatchObject({ accepted: 1 });
  });

  test('what only looks like us is not us: names, images and labels of a Falco alert are the attacker’s', async () => {
    const { url } = await withOpenStep();
    const fields = { 'k8s.pod.name': 'web-1', 'user.name': me, 'container.image.repository': 'firebreak' };
    expect((await post(url, falcoEvent({}, fields))).json).toMatchObject({ accepted: 1, ownSteps: 0 });
  });

  test('the incident is the step’s', () => {
    expect(incidentIdOf({ kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'web' })).toBe(
      incident,
    );
  });
});
