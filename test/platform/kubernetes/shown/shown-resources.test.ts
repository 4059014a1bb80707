import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { parse } from 'yaml';
import { quarantinePodImplementation } from '../../../../activities/actions/containment/quarantine-pod.ts';
import { actions } from '../../../../core/actions/index.ts';
import type { ContainmentResourceStatus, IncidentResourceStatus } from '../../../../core/cluster/cluster-resources.schema.ts';
import {
  containmentResource,
  type HeldContainment,
  incidentResource,
  resourceGroup,
  resourcePlurals,
  resourceVersion,
} from '../../../../core/cluster/cluster-resources.ts';
import { subjectOfIncident } from '../../../../core/incident/incident.ts';
import type { IncidentState } from '../../../../core/incident/incident-state.ts';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { ShownResources } from '../../../../integrations/kubernetes/shown-resources.ts';
import { openKnowledge } from '../../../../service/cell/pools/durable-memory.ts';
import { type OpenRun, ResourceMirror } from '../../../../service/cell/resources/resource-mirror.ts';
import { findOnPath } from '../../../../service/parts/command.ts';
import { projectRoot } from '../../../../service/process/project-root.ts';
import { rbacManifests } from '../../../../service/rbac/manifests.ts';
import { kubernetesProgram } from '../../../../tools/platform/kubernetes/kubelab-binary.ts';
import { commandFile } from '../../../command-line.ts';
import { testPlatform } from '../../../platform.ts';
import { cellKey, resolved, stepContext, until } from '../parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from '../parts/pool-accounts.ts';

const platform = await testPlatform();
const own = 'firebreak-resources-test';
const crds = pathOf({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' });
const log = pino({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'firebreak-resources-'));
const plurals = Object.values(resourcePlurals);

/** The state as the incident reports it. */
function stateOf(id: string): IncidentState {
  const subject = subjectOfIncident(id);
  if (!subject) throw new Error('no such incident');
  const at = '2026-11-27T16:03:20Z';
  const rule = 'Drop and execute new binary in container';
  return {
    incident: { id, run: 'run-1' },
    subject,
    title: 'cart',
    severity: 'critical',
    verdict: 'unknown',
    reached: 'contained',
    open: true,
    openedAt: at,
    counts: [{ rule, severity: 'critical', count: 3, firstSeen: at, lastSeen: at }],
    total: 3,
    timeline: [],
    steps: [],
    bodies: [],
    questions: [],
    leases: [],
    evidence: [],
    audit: { acknowledged: 0, made: 0 },
  };
}

interface Shown<Status> {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly status?: Status;
}

describe('incidents and containments as resources of the cluster', () => {
  let accounts: PoolAccounts;
  beforeAll(async () => {
    const manifests = rbacManifests({ actions: actions.filter(({ name }) => name === 'quarantinePod'), namespace: own }).values();
    accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['cell'] });
    const { admin } = accounts;
    for (const plural of plurals)
      await admin.post(
        crds,
        parse(readFileSync(join(projectRoot(), 'deploy', 'crds', `${resourceGroup}_${plural}.yaml`), 'utf8')),
      );
    await until(async () => (await new ShownResources(admin.api, AbortSignal.timeout(60_000)).list()) && true);
  });
  afterAll(async () => {
    const { api } = accounts.admin;
    for (const plural of plurals)
      await api.json({ method: 'DELETE', path: `${crds}/${plural}.${resourceGroup}`, what: 'clean up' });
    await accounts.remove();
    rmSync(folder, { recursive: true });
  });

  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const program = (await kubernetesProgram('kubectl', () => {})) ?? findOnPath('kubectl');
    if (program === undefined) throw new Error('there is no kubectl');
    return text(spawn(program, ['--kubeconfig', platform.kubeconfig, ...args]).stdout);
  };

  /** Runs as kubectl starts it: as the first plugin on the path for `kubectl firebreak …`. */
  const plugin = async (...args: readonly string[]) => {
    writeFileSync(
      join(folder, 'kubectl-firebreak'),
      `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${commandFile()}" "$@"\n`,
    );
    chmodSync(join(folder, 'kubectl-firebreak'), 0o755);
    const program = (await kubernetesProgram('kubectl', () => {})) ?? findOnPath('kubectl');
    if (program === undefined) throw new Error('there is no kubectl');
    const env = {
      ...process.env,
      NO_COLOR: '1',
      KUBECONFIG: platform.kubeconfig,
      PATH: `${folder}${delimiter}${process.env.PATH}`,
    };
    const child = spawn(program, ['firebreak', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { stdout, stderr };
  };

  test('tell a pod’s owner, with nothing but a kubeconfig, why it is cut off (by its marks) and whom to ask (by its resource)', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    const pod = resolved(await admin.makePod(namespace, 'cart'));
    const incident = `incident/lab/${namespace}/Pod/cart`;
    expect((await plugin('why', 'cart', '-n', namespace)).stdout).toContain(`pod/${namespace}/cart is not held by Firebreak`);
    const taking = { severity: 'critical', reach: 'pod', lease: { durationMs: 60_000, onExpiry: 'renew' } } as const;
    const context = { ...stepContext({ incident }), taking };
    await quarantinePodImplementation({ api: admin.api, view: admin.view, cellKey }).apply({ pod }, context);
    const byMarks = (await plugin('why', 'pod/cart', '-n', namespace)).stdout;
    expect(byMarks).toContain(`pod/${namespace}/cart is held by Firebreak`);
    expect(byMarks).toMatch(new RegExp(`incident +${incident}\n`));
    expect(byMarks).toMatch(/severity +critical/);
    expect(byMarks).toContain(`firebreak release --offline --kubeconfig FILE ${namespace}/cart`);
    expect(byMarks).toContain('anyone who may change the pod may have changed it');
    const resources = new ShownResources(admin.api, AbortSignal.timeout(60_000));
    const terms = { ...taking, at: new Date().toISOString() };
    const held = {
      target: `pod/${namespace}/cart`,
      uid: pod.uid,
      action: 'quarantinePod',
      incident,
      step: 's',
      terms,
      problems: ['open: x'],
    };
    const words = { ownNamespace: own, groups: ['oncall'], contact: '#security' };
    await resources.write(containmentResource(held, { until: Number.POSITIVE_INFINITY, changedAt: Date.now(), words }));
    const byResource = (await plugin('why', `${namespace}/cart`)).stdout;
    expect(byResource).toMatch(/what +Quarantine the pod \(quarantinePod\)/);
    expect(byResource).toMatch(/until +people end it/);
    expect(byResource).toMatch(/not as it should be +open: x/);
    expect(byResource).toMatch(/ask +oncall \(#security\)/);
    expect((await plugin('get', '--namespace', namespace)).stdout).toMatch(new RegExp(`Pod ${namespace}/cart +quarantinePod`));
    expect((await plugin('why', 'nobody', '-n', namespace)).stderr).toContain(`there is no pod ${namespace}/nobody`);
    const released = await plugin(
      ...['release', 'cart', '-n', namespace, '--offline', '--kubeconfig', platform.kubeconfig],
      ...['--yes', '--target', 'cart'],
    );
    expect(released.stdout).toContain('undone');
  });

  test('are shown for one pod: what is open about it and its workload, what holds it, until when and whom to ask, and nothing about its neighbours', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    const [cart] = await admin.makeDeployment(namespace, 'cart', { replicas: 1 });
    const { name = '', uid = '' } = cart?.metadata ?? {};
    const mail = resolved(await admin.makePod(namespace, 'mail'));
    const nothing = await plugin('get', name, '-n', namespace);
    expect(nothing.stdout).toBe(`Nothing is open about pod/${namespace}/${name}, and nothing holds it.\n`);

    const resources = new ShownResources(admin.api, AbortSignal.timeout(60_000));
    const words = { ownNamespace: own, groups: ['oncall'], contact: '#security' };
    const incidentOf = (workload: string): string => `incident/lab/${namespace}/${workload}`;
    const held = (incident: string, target: string, more: Partial<HeldContainment> = {}): HeldContainment => ({
      ...{
        target: `${target.split('/')[0]}/${namespace}/${target.split('/')[1]}`,
        action: 'quarantinePod',
        incident,
        step: target,
      },
      terms: {
        severity: 'critical',
        reach: 'pod',
        lease: { durationMs: 60_000, onExpiry: 'renew' },
        at: new Date().toISOString(),
      },
      problems: [],
      ...more,
    });
    const until = Date.parse('2030-01-02T03:04:05Z');
    for (const one of [
      held(incidentOf('Deployment/cart'), `pod/${name}`, { uid }),
      held(incidentOf('Deployment/cart'), 'deployment/cart', { action: 'scaleToZero' }),
      held(incidentOf('Pod/mail'), 'pod/mail', { uid: mail.uid }),
    ])
      await resources.write(containmentResource(one, { until, changedAt: Date.now(), words }));
    for (const workload of ['Deployment/cart', 'Pod/mail']) {
      const shown = incidentResource({ id: incidentOf(workload), run: 'run-1', openedAt: Date.now() }, [], words);
      if (shown) await resources.write(shown);
    }

    const { stdout } = await plugin('get', `pod/${name}`, '-n', namespace);
    expect(stdout).toMatch(new RegExp(`${namespace}/Deployment/cart +Open .* oncall \\(#security\\)\n`));
    expect(stdout).toMatch(new RegExp(`Pod ${namespace}/${name} +quarantinePod +2030-01-02T03:04:05Z +oncall \\(#security\\)\n`));
    expect(stdout).toMatch(new RegExp(`Deployment ${namespace}/cart +scaleToZero`));
    expect(stdout).not.toContain('mail');
    const asJson = JSON.parse((await plugin('get', `${namespace}/mail`, '--json')).stdout);
    expect(asJson).toMatchObject({
      ...{ pod: `${namespace}/mail`, exists: true, unseen: [] },
      incidents: [{ status: { subject: { kind: 'Pod', name: 'mail' }, ask: 'oncall (#security)' } }],
      containments: [{ status: { action: 'quarantinePod', until: '2030-01-02T03:04:05Z' } }],
    });

    // An incident that is only open, and holds nothing, is also shown to anyone who asks why.
    await admin.makePod(namespace, 'web');
    const looked = incidentResource({ id: incidentOf('Pod/web'), run: 'run-1', openedAt: Date.now() }, [], words);
    if (looked) await resources.write(looked);
    expect((await plugin('why', 'web', '-n', namespace)).stdout).toContain(
      `Open: pod/${namespace}/web, unknown, unknown. Ask: oncall`,
    );
    expect((await plugin('get', 'nobody', '-n', namespace)).stderr).toContain(`there is no pod ${namespace}/nobody`);
    expect((await plugin('get', `${namespace}/mail`, '-n', 'shop')).stderr).toContain(`${namespace}/mail is not in shop`);
    expect((await plugin('get', 'mail', '-A')).stderr).toContain('leave out --all-namespaces');
  });

  test('are what kubectl shows; changing, forging or deleting one has no effect, and it is corrected', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    const { name: pod, uid } = resolved(await admin.makePod(namespace, 'cart'));
    const id = `incident/lab/${namespace}/Deployment/cart`;
    const open: OpenRun[] = [{ id, run: 'run-1', kinds: 1 }];
    const held: HeldContainment[] = [
      {
        target: `pod/${namespace}/${pod}`,
        uid,
        action: 'quarantinePod',
        incident: id,
        step: 'step-1',
        terms: {
          severity: 'critical',
          reach: 'pod',
          lease: { durationMs: 4 * 3_600_000, onExpiry: 'renew' },
          at: '2026-11-27T16:03:20.123Z',
        },
        problems: [],
      },
    ];
    let now = Date.parse('2026-11-27T16:04:00Z');
    const knowledge = openKnowledge(join(folder, 'memory'), log);
    const ended = new AbortController();
    const mirror = new ResourceMirror({
      resources: new ShownResources(accounts.as('cell').api, ended.signal),
      open: () => open,
      seen: knowledge.seenIncidents,
      releases: knowledge.stepReleases,
      leases: knowledge.votes.leases,
      containments: () => held,
      ask: async () => stateOf(id),
      words: { ownNamespace: own, groups: ['oncall', 'leads'], contact: '#security on Slack' },
      retentionMs: 86_400_000,
      isAlone: true,
      log,
      now: () => now,
    });
    const listed = async <Status>(plural: string): Promise<readonly Shown<Status>[]> =>
      (
        await admin.get<{ readonly items: readonly Shown<Status>[] }>(
          pathOf({ group: resourceGroup, version: resourceVersion, resource: plural, namespace }),
        )
      ).items;
    const incidents = () => listed<IncidentResourceStatus>('incidents');
    const containments = () => listed<ContainmentResourceStatus>('containments');

    expect(await mirror.look()).toBe(true);
    const table = await kubectl('get', 'incidents', '--all-namespaces');
    expect(table).toMatch(/NAMESPACE +NAME +STATE +SEVERITY +REACHED +VERDICT +IN FORCE +QUESTIONS +OPENED/);
    expect(table).toMatch(new RegExp(`${namespace} +deployment-cart-\\w+ +Open +critical +contained +unknown +1 +0 `));
    expect(await kubectl('get', 'containments', '-n', namespace)).toMatch(
      new RegExp(`pod-cart-\\w+ +Pod +cart +quarantinePod +True +deployment/${namespace}/cart +\\S+ +2026-11-27T20:03:20Z`),
    );
    const described = await kubectl('describe', 'incidents', '-n', namespace);
    expect(described).toMatch(/Ask: +oncall, leads \(#security on Slack\)/);
    expect(described).toContain('Drop and execute new binary in container');
    const wanted = { incidents: await incidents(), containments: await containments() };

    // Nothing has changed, so nothing is written.
    now += 60_000;
    await mirror.look();
    expect(await incidents()).toEqual(wanted.incidents);

    const [incident] = wanted.incidents;
    const [containment] = wanted.containments;
    const at = (plural: string, name = '', subresource?: string) =>
      pathOf({
        group: resourceGroup,
        version: resourceVersion,
        resource: plural,
        namespace,
        ...(name && { name }),
        ...(subresource && { subresource }),
      });
    const change = {
      status: { ...incident?.status, verdict: 'benign', severity: 'info', state: 'Ended', endedAt: '2026-11-27T16:04:00Z' },
    };
    const { api } = admin;
    const path = at('incidents', incident?.metadata.name, 'status');
    await api.json({ method: 'PATCH', patch: 'merge', path, body: change, what: 'forge' });
    await api.json({ method: 'DELETE', path: at('containments', containment?.metadata.name), what: 'forge' });
    const stranger = { apiVersion: `${resourceGroup}/${resourceVersion}`, kind: 'Incident', metadata: { name: 'stranger' } };
    await admin.post(at('incidents'), stranger);
    now += 60_000;
    await mirror.look();
    expect((await incidents()).map(({ status }) => status)).toEqual(wanted.incidents.map(({ status }) => status));
    expect((await containments()).map(({ status }) => status)).toEqual(wanted.containments.map(({ status }) => status));

    // After the release and the end: what is in force is shown, and what has ended is shown for the retention period.
    held.length = 0;
    open.length = 0;
    now += 60_000;
    await mirror.look();
    expect(await containments()).toEqual([]);
    expect(await incidents()).toMatchObject([{ status: { state: 'Ended', containments: 0, verdict: 'unknown' } }]);
    now += 2 * 86_400_000;
    await mirror.look();
    expect(await incidents()).toEqual([]);
    ended.abort();
    await knowledge.close();
  });

  test('get a second version without a converter: stored ones are served as both, a cell on the first goes on, and deletion migrates them all', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    const { api } = admin;
    const name = `incidents.${resourceGroup}`;
    const held: HeldContainment[] = [];
    const open: OpenRun[] = [{ id: `incident/lab/${namespace}/Deployment/cart`, run: 'run-1', kinds: 1 }];
    const knowledge = openKnowledge(join(folder, 'versions'), log);
    const ended = new AbortController();
    let now = Date.parse('2026-11-27T16:04:00Z');
    let severity: IncidentState['severity'] = 'high';
    const mirror = new ResourceMirror({
      resources: new ShownResources(accounts.as('cell').api, ended.signal),
      open: () => open,
      seen: knowledge.seenIncidents,
      releases: knowledge.stepReleases,
      leases: knowledge.votes.leases,
      containments: () => held,
      ask: async (id) => ({ ...stateOf(id), severity }),
      words: { ownNamespace: own, groups: ['oncall'] },
      retentionMs: 86_400_000,
      isAlone: true,
      log,
      now: () => now,
    });
    const look = async (): Promise<void> => {
      now += 61_000;
      await mirror.look();
    };
    const seen = async (version: string) =>
      (
        await admin.get<{ readonly items: readonly Shown<IncidentResourceStatus & { readonly note?: string }>[] }>(
          pathOf({ group: resourceGroup, version, resource: 'incidents', namespace }),
        )
      ).items;
    interface Definition {
      readonly spec: { readonly versions: readonly { readonly name: string; readonly schema: unknown }[] };
      readonly status: { readonly storedVersions: readonly string[] };
    }
    const patchDefinition = (body: object, subresource = ''): Promise<Definition> =>
      api.json({ method: 'PATCH', patch: 'merge', path: `${crds}/${name}${subresource}`, body, what: 'change the versions' });

    const stored = await until(async () => {
      await look();
      return (await seen(resourceVersion))[0];
    });
    const [first] = (await admin.get<Definition>(`${crds}/${name}`)).spec.versions;
    // The next version has one more field.
    const more = structuredClone(first);
    Object.assign(resolvedField(more, ['schema', 'openAPIV3Schema', 'properties', 'status', 'properties']), {
      note: { type: 'string' },
    });
    await patchDefinition({
      spec: {
        versions: [
          { ...first, storage: false },
          { ...more, name: 'v1alpha2', storage: true },
        ],
      },
    });
    const [asNext] = await until(async () => (await seen('v1alpha2').catch(() => undefined)) ?? undefined);
    expect(asNext?.status).toEqual(stored.status);

    // A cell of the next version writes its field; a cell of the first leaves it alone while it has nothing to report, and continues to report what it knows.
    const path = pathOf({
      ...{ group: resourceGroup, version: 'v1alpha2', resource: 'incidents', namespace, name: stored.metadata.name },
      subresource: 'status',
    });
    await api.json({ method: 'PATCH', patch: 'merge', path, body: { status: { note: 'of the next' } }, what: 'write' });
    await look();
    expect((await seen('v1alpha2'))[0]?.status?.note).toBe('of the next');
    // The cell, too, repeats a look that the API server does not answer.
    const isCritical = async () => {
      await look();
      return (await seen('v1alpha2'))[0]?.status?.severity === 'critical' || undefined;
    };
    severity = 'critical';
    await until(isCritical);
    expect((await seen(resourceVersion))[0]?.status?.severity).toBe('critical');

    // Objects that only show something are migrated by deleting them: they are written again, and the first version can go.
    for (const { metadata } of await seen(resourceVersion))
      await api.json({
        method: 'DELETE',
        path: pathOf({ group: resourceGroup, version: resourceVersion, resource: 'incidents', namespace, name: metadata.name }),
        what: 'move',
      });
    await until(isCritical);
    expect((await patchDefinition({ status: { storedVersions: ['v1alpha2'] } }, '/status')).status.storedVersions).toEqual([
      'v1alpha2',
    ]);
    expect((await seen('v1alpha2'))[0]?.status?.severity).toBe('critical');
    ended.abort();
    await knowledge.close();
  });
});

function resolvedField(from: unknown, path: readonly string[]): object {
  const found = path.reduce<unknown>(
    (now, key) => (typeof now === 'object' && now !== null ? Reflect.get(now, key) : undefined),
    from,
  );
  if (typeof found !== 'object' || found === null) throw new Error(`there is no ${path.join('.')}`);
  return found;
}
