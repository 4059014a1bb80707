import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { OwnSteps } from '../../../activities/chokepoint/own-steps.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { apiRequestOf } from '../../../integrations/sensors/kubernetes-audit/kubernetes-audit.ts';
import { requestOf } from '../../../integrations/sensors/kubernetes-audit/request.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';
import { testPlatform } from '../../platform.ts';
import { AuditFeed, type Fed } from './parts/audit-feed.ts';
import { podOf, until, type Workload } from './parts/cluster.ts';
import { makePoolAccounts, removeBinding } from './parts/pool-accounts.ts';
import { ana, ben, labels, type SecondProcess, Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace, prefix, cleanUp } = await testPlatform();
const pools = ['cell', 'secrets'] as const;
const binding = `${prefix}-own-steps`;
let namespace: string;
let service: Service;
let secretsPool: SecondProcess;
let admin: KubernetesApi;
let feed: AuditFeed;
let removed: Workload;
let released: Workload;

const accountOf = (pool: (typeof pools)[number]): string => `system:serviceaccount:${namespace}:${pool}`;
const kubeconfigOf = (pool: string): string => join(service.folder, `${pool}.kubeconfig`);

beforeAll(async () => {
  admin = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
  namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
  });
  await makePoolAccounts({ admin, kubeconfig, namespace, binding, pools, kubeconfigOf });
  const config = parse(readFileSync(service.settings.configFile, 'utf8'));
  writeFileSync(service.settings.configFile, stringify({ ...config, kubernetes: { kubeconfig: kubeconfigOf('cell') } }));
  // Privileged: any change to such a pod is an audit alert, whoever makes it.
  const made = await service.workloads.deploy(namespace, ['removed', 'released'], { privileged: true });
  const [first, second] = made;
  if (!first || !second) throw new Error('not deployed');
  removed = first;
  released = second;
  service.keepTo('cell,desk');
  await service.start();
  secretsPool = await service.startProcess({
    name: 'secrets-pool',
    roles: 'secrets',
    change: (changed) => {
      changed.kubernetes = { kubeconfig: kubeconfigOf('secrets') };
    },
  });
  feed = new AuditFeed({
    file: auditLog,
    namespaces: [namespace],
    url: service.settings.intakeUrl,
    token: service.settings.falcoToken,
  });
});

cleanUp(async () => {
  await feed?.stop();
  await secretsPool?.end('SIGTERM');
  await service?.stop();
  if (admin) await removeBinding(admin, binding);
  admin?.close();
});

const byUs = ({ event }: Fed): boolean => pools.some((pool) => event.user.username === accountOf(pool));
const nameOf = ({ event: { verb, objectRef } }: Fed): string =>
  `${verb} ${[objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/')}`;

/** Which of its steps made the request of an event, according to the cell's key. */
function stepOf(own: OwnSteps, { event }: Fed): string | undefined {
  const apiRequest = apiRequestOf({ ...event }, requestOf({ ...event }));
  const alert = { id: event.auditID, sensor: 'kubernetes-audit', time: event.requestReceivedTimestamp, rule: 'any' } as const;
  return own.causing({
    ...alert,
    severity: 'low',
    title: '',
    cluster: service.cluster,
    observables: [],
    tags: [],
    mitre: [],
    ...(apiRequest && { apiRequest }),
  })?.action;
}

describe('with the API server’s audit as a sensor', () => {
  test('what Firebreak’s own steps do joins their incidents and starts nothing, whichever process does it', async () => {
    await Promise.all([service.alert(removed), service.alert(released)]);
    await Promise.all([service.cardOf(removed), service.cardOf(released)]);
    await service.click(removed, ana, labels.remove);
    for (const person of [ana, ben]) await service.click(released, person, labels.release);
    await until('the deletion', 120_000, () => service.effects.of('delete', podOf(removed)).length === 1);
    await until('the release', 120_000, () => service.effects.of('give-back', podOf(released)).length === 1);
    const events = () => feed.fed.filter(byUs);
    await until('the audit of the deletion', 120_000, () => events().some((fed) => nameOf(fed) === 'delete pods'));
    await until('the audit of the release', 120_000, () => events().filter((fed) => nameOf(fed) === 'patch pods').length >= 3);

    const own = events().filter(({ answer }) => answer.status === 'own-step');
    const incidents = [removed, released].map((workload) => service.incidentOf(workload));
    expect(events().filter(({ answer }) => answer.status !== 'own-step' && answer.status !== 'ignored')).toEqual([]);
    for (const { answer } of own) expect(incidents).toContain(answer.incident);
    const seen = new Set(own.map((fed) => `${nameOf(fed)} by ${fed.event.user.username}`));
    expect(seen).toContain(`patch pods by ${accountOf('cell')}`);
    expect(seen).toContain(`get secrets by ${accountOf('secrets')}`);
    const lines = await service.stateWhen('the lines', removed, 120_000, ({ timeline }) =>
      ['quarantinePod', 'rotateSecret'].every((action) =>
        timeline.some(({ kind, text }) => kind === 'step.seen' && text.includes(action)),
      ),
    );
    expect(lines.total).toBe(1);
  });

  test('each request of a step is marked as such, for every action', () => {
    const config = loadConfig({ path: service.settings.configFile, env: process.env });
    const { codecKeys } = resolveSecrets({ config, env: process.env, roles: [] });
    const own = new OwnSteps({ box: createBox({ keys: codecKeys }) });
    const events = feed.fed.filter(byUs);
    const steps = new Map(events.map((fed) => [fed, stepOf(own, fed)] as const));
    const isWrite = (fed: Fed): boolean => ['create', 'patch', 'update', 'delete'].includes(fed.event.verb);
    // The standing policy is not a step: it is there before anything happens.
    const unstamped = events.filter(
      // Events are written after the step, and no sensor asks about them.
      (fed) => isWrite(fed) && steps.get(fed) === undefined && !/ (networkpolicies|events)$/.test(nameOf(fed)),
    );
    expect(unstamped.map(nameOf)).toEqual([]);
    const done = new Set([...steps].flatMap(([fed, action]) => (action === undefined ? [] : [`${action}: ${nameOf(fed)}`])));
    for (const wanted of [
      'quarantinePod: patch pods',
      'snapshotPodState: get pods/log',
      'rotateSecret: get secrets',
      'rotateSecret: create secrets',
      'rotateSecret: patch deployments',
      'deletePod: delete pods',
    ])
      expect(done).toContain(wanted);
  });

  test('the same by another account starts an incident, and so does our own account outside a step', async () => {
    const since = feed.fed.length;
    const patch = { method: 'PATCH', patch: 'merge', body: { metadata: { annotations: { by: 'hand' } } }, what: 'try' } as const;
    await admin.json({ ...patch, path: pathOf({ resource: 'pods', namespace, name: released.pod }) });
    const thief = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfigOf('secrets') }) });
    await thief.json({ method: 'GET', path: pathOf({ resource: 'secrets', namespace, name: 'released-db' }), what: 'try' });
    thief.close();
    const later = () => feed.fed.slice(since);
    const accepted = (name: string) => later().find((fed) => nameOf(fed) === name && fed.answer.status === 'accepted');
    const [byHand, stolen] = await until('the alerts', 120_000, () => {
      const found = [accepted('patch pods'), accepted('get secrets')] as const;
      return found[0] && found[1] ? [found[0], found[1]] : undefined;
    });
    expect(byHand?.event.user.username).not.toContain('serviceaccount');
    expect(byHand?.answer.incident).toBe(service.incidentOf(released));
    expect(stolen?.event.user.username).toBe(accountOf('secrets'));
    // The intake has it on disk: its incident begins a moment later, or a few moments if the cell is busy.
    const { client } = await service.session();
    const incident = client.workflow.getHandle(stolen?.answer.incident ?? '');
    await until('the incident', 120_000, () => incident.describe().catch(() => undefined));
  });
});
