import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { parse } from 'yaml';
import { harden } from '../../../../core/action/hardening.ts';
import { actions } from '../../../../core/actions/index.ts';
import { names } from '../../../../core/cluster/labels.ts';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { HardeningReports } from '../../../../integrations/kubernetes/hardening-reports.ts';
import { ReportMirror } from '../../../../service/cell/resources/report-mirror.ts';
import { projectRoot } from '../../../../service/process/project-root.ts';
import { rbacManifests } from '../../../../service/rbac/manifests.ts';
import { testPlatform } from '../../../platform.ts';
import { until } from '../parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from '../parts/pool-accounts.ts';

const platform = await testPlatform();
const own = 'firebreak-reports-test';
const crds = pathOf({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' });
const definition = join(projectRoot(), 'test', 'fixtures', 'openreports', 'openreports.io_reports.yaml');
const place = { group: 'openreports.io', version: 'v1alpha1', resource: 'reports' };

interface Report {
  readonly metadata: { readonly name: string };
  readonly source: string;
  readonly scope: object;
  readonly summary: Readonly<Record<string, number>>;
  readonly results: readonly { readonly rule: string; readonly result: string }[];
}

describe('OpenReports reports of what workloads lack', () => {
  const ended = new AbortController();
  const open: string[] = [];
  let accounts: PoolAccounts;
  let mirror: ReportMirror;
  let isDefined = false;

  beforeAll(async () => {
    const manifests = rbacManifests({ actions: actions.filter(({ name }) => name === 'quarantinePod'), namespace: own }).values();
    accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['cell'] });
    const { api, view } = accounts.as('cell');
    mirror = new ReportMirror({
      reports: new HardeningReports(api, ended.signal),
      open: () => open,
      view,
      appArmorOnEveryNode: true,
      isAlone: true,
      log: pino({ level: 'silent' }),
    });
  });
  afterAll(async () => {
    ended.abort();
    const { api } = accounts.admin;
    if (isDefined) await api.json({ method: 'DELETE', path: `${crds}/reports.openreports.io`, what: 'clean up' });
    await accounts.remove();
  });

  test('are not written when the cluster does not have the kind', async () => {
    open.splice(0, open.length, 'incident/lab/shop/Deployment/cart');
    expect(await mirror.look()).toBe(false);
  });

  test('exist while the incident is open, are corrected, follow the workload, and leave others’ alone', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    await admin.post(crds, parse(readFileSync(definition, 'utf8')));
    isDefined = true;
    await admin.makeDeployment(namespace, 'cart');
    const reports = async (): Promise<readonly Report[]> =>
      (await admin.get<{ readonly items: readonly Report[] }>(pathOf({ ...place, namespace }))).items;
    const ours = async () => (await reports()).filter(({ source }) => source === 'firebreak');
    await until(async () => (await reports().catch(() => undefined)) && true);
    const others = { apiVersion: 'openreports.io/v1alpha1', kind: 'Report', metadata: { name: 'of-kyverno' }, source: 'kyverno' };
    // Even with Firebreak's label, it is not Firebreak's.
    await admin.post(pathOf({ ...place, namespace }), {
      ...others,
      metadata: { ...others.metadata, labels: { [names.managedByLabel]: 'firebreak' } },
    });

    open.splice(0, open.length, `incident/lab/${namespace}/Deployment/cart`, 'incident/lab/node/worker-1');
    const [report] = await until(async () => {
      await mirror.look();
      const found = await ours();
      return found.length > 0 ? found : undefined;
    });
    const { uid } = (await admin.deployment(namespace, 'cart')).metadata ?? {};
    expect(report).toMatchObject({
      scope: { kind: 'Deployment', name: 'cart', uid },
      summary: { pass: 9, fail: 4, warn: 4, error: 0, skip: 0 },
    });
    expect(report?.results.map(({ rule }) => rule)).toContain('writable-root');

    const path = pathOf({ ...place, namespace, name: report?.metadata.name ?? '' });
    const forged = { results: [], summary: { pass: 8, fail: 0 }, scope: { fieldPath: 'spec' } };
    await admin.api.json({ method: 'PATCH', patch: 'merge', path, body: forged, what: 'forge' });
    await mirror.look();
    expect(await ours()).toMatchObject([{ results: report?.results, summary: report?.summary }]);
    expect((await ours())[0]?.scope).toEqual(report?.scope);

    const workload = pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
    const { spec } = await admin.deployment(namespace, 'cart');
    await admin.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: workload,
      body: {
        spec: { template: { spec: harden({ ...spec?.template.spec, containers: spec?.template.spec?.containers ?? [] }) } },
      },
      what: 'harden',
    });
    await mirror.look();
    expect(await ours()).toMatchObject([{ summary: { pass: 17, fail: 0, warn: 0, error: 0, skip: 0 } }]);

    // Nor may the account touch it, whatever the cell believes.
    const ofOthers = pathOf({ ...place, namespace, name: 'of-kyverno' });
    const asCell = accounts.as('cell').api;
    const refused = await until(() =>
      asCell.json({ method: 'DELETE', path: ofOthers, query: { dryRun: 'All' }, what: 'delete it' }).then(
        () => undefined,
        (error: unknown) => String(error),
      ),
    );
    expect(refused).toContain('the API server rejected: delete it');

    open.length = 0;
    await mirror.look();
    expect(await ours()).toEqual([]);
    expect((await reports()).map(({ metadata }) => metadata.name)).toEqual(['of-kyverno']);
  });
});
