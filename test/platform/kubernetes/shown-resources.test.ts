import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { parse } from 'yaml';
import { actions } from '../../../core/actions/index.ts';
import type { ContainmentResourceStatus, IncidentResourceStatus } from '../../../core/cluster/cluster-resources.schema.ts';
import {
  type HeldContainment,
  resourceGroup,
  resourcePlurals,
  resourceVersion,
} from '../../../core/cluster/cluster-resources.ts';
import { subjectOfIncident } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { ShownResources } from '../../../integrations/kubernetes/shown-resources.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { type OpenRun, ResourceMirror } from '../../../service/cell/resources/resource-mirror.ts';
import { findOnPath } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { kubectlBinary } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { testPlatform } from '../../platform.ts';
import { resolved, until } from './parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from './parts/pool-accounts.ts';

const platform = await testPlatform();
const own = 'firebreak-resources-test';
const crds = pathOf({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' });
const log = pino({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'firebreak-resources-'));
const plurals = Object.values(resourcePlurals);

/** What the incident says of itself. */
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
    const program = (await kubectlBinary(() => {})) ?? findOnPath('kubectl');
    if (program === undefined) throw new Error('there is no kubectl');
    return text(spawn(program, ['--kubeconfig', platform.kubeconfig, ...args]).stdout);
  };

  test('are what kubectl shows; whoever changes, forges or deletes one changes nothing, and it is put right', async () => {
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

    // Nothing has changed: nothing is written.
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

    // Given back, and ended: what is in force is shown, and what has ended for as long as the retention says.
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
});
