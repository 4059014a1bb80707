import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { stringify } from 'yaml';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { findOnPath } from '../../../service/parts/command.ts';
import { argoCd, argoDefinitions } from '../../../tools/platform/gitops/argo-cd.ts';
import { freePorts } from '../../../tools/platform/ports.ts';
import { ServerGroup } from '../../../tools/platform/server-group.ts';
import { comparable } from '../../comparable.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, stepContext } from '../kubernetes/parts/cluster.ts';

jest.setTimeout(3_600_000);

// Building it takes a quarter of an hour of CPU time: done only on request. Its cache of manifests is Redis.
const isWanted = process.env.FIREBREAK_TEST_ARGO_CD === '1';
const redis = findOnPath('redis-server');
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const program = isWanted && redis ? await argoCd(say) : undefined;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-argo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const platform = program === undefined ? undefined : await testPlatform();

type Application = ObjectJson & {
  readonly status?: {
    readonly reconciledAt?: string;
    readonly sync?: { readonly status?: string };
    readonly resources?: readonly object[];
  };
};

(platform ? describe : describe.skip)('what the real Argo CD declares', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let namespace: string;
  const group = new ServerGroup();
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const argoPath = (resource: string, name?: string) =>
    pathOf({ group: 'argoproj.io', version: 'v1alpha1', resource, namespace, ...(name !== undefined && { name }) });
  const cronJob = () => pathOf({ group: 'batch', resource: 'cronjobs', namespace, name: 'bill' });
  const deployment = () => pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
  const bill = () => cluster.get<ObjectJson & { readonly spec: { readonly suspend?: boolean } }>(cronJob());
  const cart = () => cluster.get<ObjectJson & { readonly spec: { readonly replicas?: number } }>(deployment());
  const application = () => cluster.get<Application>(argoPath('applications', 'shop'));

  beforeAll(async () => {
    if (!platform || !program || !redis) return;
    cluster = await openCluster(platform.kubeconfig);
    namespace = await platform.freshNamespace();
    const kinds = await argoDefinitions();
    for (const kind of kinds) await cluster.post(definitions, kind);
    platform.cleanUp(async () => {
      for (const { metadata } of kinds)
        await cluster.api.json({ method: 'DELETE', path: `${definitions}/${metadata.name}`, what: 'remove a kind' });
    });
    const repository = writeRepository();
    const settings = (name: string, data: object) => ({
      apiVersion: 'v1',
      metadata: { name, namespace, labels: { 'app.kubernetes.io/part-of': 'argocd' } },
      ...data,
    });
    const configMaps = pathOf({ resource: 'configmaps', namespace });
    await cluster.post(configMaps, settings('argocd-cm', { kind: 'ConfigMap', data: { 'timeout.reconciliation': '3s' } }));
    for (const name of ['argocd-rbac-cm', 'argocd-ssh-known-hosts-cm', 'argocd-tls-certs-cm', 'argocd-gpg-keys-cm'])
      await cluster.post(configMaps, settings(name, { kind: 'ConfigMap', data: {} }));
    await cluster.post(
      pathOf({ resource: 'secrets', namespace }),
      settings('argocd-secret', { kind: 'Secret', stringData: { 'server.secretkey': 'of-this-test' } }),
    );
    const ports = await freePorts({ names: ['redis', 'repository', 'repositoryMetrics', 'metrics'] });
    const env = {
      HOME: folder,
      KUBECONFIG: platform.kubeconfig,
      ARGOCD_FAKE_IN_CLUSTER: 'true',
      ARGOCD_GPG_ENABLED: 'false',
      ...Object.fromEntries(
        ['TLS_DATA_PATH', 'SSH_DATA_PATH', 'GPG_DATA_PATH', 'GNUPGHOME', 'PLUGINSOCKFILEPATH'].map((name) => [
          `ARGOCD_${name}`,
          made(join(folder, name)),
        ]),
      ),
    };
    group.start({
      name: 'redis',
      command: redis,
      args: ['--port', String(ports.redis), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
      logFile: join(folder, 'redis.log'),
    });
    group.start({
      name: 'argocd-repo-server',
      command: program,
      args: [
        ...['--disable-tls', '--address', '127.0.0.1', '--port', String(ports.repository)],
        ...['--metrics-address', '127.0.0.1', '--metrics-port', String(ports.repositoryMetrics)],
        ...['--redis', `127.0.0.1:${ports.redis}`],
      ],
      env: { ...env, ARGOCD_BINARY_NAME: 'argocd-repo-server' },
      logFile: join(folder, 'repository.log'),
    });
    group.start({
      name: 'argocd-application-controller',
      command: program,
      args: [
        ...['--kubeconfig', env.KUBECONFIG, '--namespace', namespace, '--metrics-port', String(ports.metrics)],
        ...['--repo-server', `127.0.0.1:${ports.repository}`, '--repo-server-plaintext', '--redis', `127.0.0.1:${ports.redis}`],
        ...['--app-resync', '3', '--app-resync-jitter', '0', '--self-heal-backoff-cap-seconds', '3'],
      ],
      env: { ...env, ARGOCD_BINARY_NAME: 'argocd-application-controller' },
      logFile: join(folder, 'controller.log'),
    });
    const argo = 'argoproj.io/v1alpha1';
    await eventually('the kind of applications', () => cluster.get<object>(argoPath('applications')).catch(() => undefined));
    await cluster.post(argoPath('appprojects'), {
      ...{ apiVersion: argo, kind: 'AppProject', metadata: { name: 'default', namespace } },
      spec: { sourceRepos: ['*'], destinations: [{ server: '*', namespace: '*' }], clusterResourceWhitelist: [] },
    });
    await cluster.post(argoPath('applications'), {
      ...{ apiVersion: argo, kind: 'Application', metadata: { name: 'shop', namespace } },
      spec: {
        project: 'default',
        source: { repoURL: `file://${repository}`, path: '.', targetRevision: 'HEAD' },
        destination: { server: 'https://kubernetes.default.svc', namespace },
        syncPolicy: { automated: { selfHeal: true, prune: true } },
      },
    });
  });
  afterAll(async () => {
    await group.stop();
    await cluster.close();
  });

  /** Writes a CronJob that is not suspended and a Deployment of two into a git repository. Returns its folder. */
  function writeRepository(): string {
    const container = { name: 'main', image: 'registry.example/shop/cart:1' };
    const template = { metadata: { labels: { app: 'cart' } }, spec: { containers: [container] } };
    const jobTemplate = { spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } } };
    const objects = [
      {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'cart', namespace } },
        spec: { replicas: 2, selector: { matchLabels: { app: 'cart' } }, template },
      },
      {
        ...{ apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'bill', namespace } },
        spec: { schedule: '17 3 1 1 *', suspend: false, jobTemplate },
      },
    ];
    const repository = made(join(folder, 'shop'));
    writeFileSync(join(repository, 'shop.yaml'), objects.map((object) => stringify(object)).join('---\n'));
    const person = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    for (const args of [
      ['init', '--quiet'],
      ['add', '.'],
      [...person, 'commit', '--quiet', '--message', 'Add the shop'],
    ])
      execFileSync('git', args, { cwd: repository });
    return repository;
  }

  const context = (key: string) => stepContext({ incident: `incident/test/${namespace}/CronJob/bill`, key });
  const input = () => ({ cronJob: { namespace, name: 'bill' } });
  /** Waits until it has looked at the application again this many times. */
  const looksAgain = async (times: number) => {
    for (let look = 0; look < times; look += 1) {
      const before = (await application()).status?.reconciledAt;
      await eventually('its next look', async () => (await application()).status?.reconciledAt !== before);
    }
  };
  const isSynced = () =>
    eventually('all of it is as declared', async () => (await application()).status?.sync?.status === 'Synced');

  test('is reverted by it within seconds unless it is paused', async () => {
    await eventually('the CronJob that Argo CD makes', () => bill().catch(() => undefined));
    await isSynced();
    const action = suspendCronJobImplementation({ api: cluster.api, cellKey, pausing: undefined });
    const plan = await action.plan(input(), context('one'));
    expect(plan.notes.join()).toContain('Argo CD');
    await action.apply(input(), context('one')).catch(() => undefined);
    await eventually('Argo CD puts it back', async () => (await bill()).spec.suspend !== true);
    // The step has drifted: its note stays for people to look at, and does not belong to the next test.
    const note = { metadata: { annotations: { 'firebreak.dev/before-suspend-cron-job': null } } };
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path: cronJob(), body: note, what: 'remove the note' });
    await isSynced();
  });

  test('is left alone by it while the step is in force, and is restored exactly', async () => {
    const pausing = { argocd: { namespace } };
    const action = suspendCronJobImplementation({ api: cluster.api, cellKey, pausing });
    await looksAgain(1);
    const before = comparable(await bill());
    const plan = await action.plan(input(), context('two'));
    expect(plan.blastRadius).toContain(`application/${namespace}/shop`);
    await action.apply(input(), context('two'));
    // It reconciles nothing while it is paused: waits for three of its intervals.
    const reconciled = (await application()).status?.reconciledAt;
    await sleep(10_000);
    expect((await application()).status?.reconciledAt).toBe(reconciled);
    expect((await bill()).spec.suspend).toBe(true);
    await action.undo({ input: input(), key: 'two' }, context('two'));
    expect(comparable(await bill())).toEqual(before);
    await looksAgain(2);
    expect((await bill()).spec.suspend).not.toBe(true);
    await isSynced();
  });

  test('stays scaled to zero for as long as it is paused', async () => {
    const { api, view } = cluster;
    const action = scaleToZeroImplementation({ api, view, cellKey, pausing: { argocd: { namespace } } });
    const suspect = { namespace, name: 'cart-gone', uid: randomUUID() };
    const scaled = { workload: { kind: 'Deployment' as const, namespace, name: 'cart' }, suspect };
    await action.apply(scaled, context('three'));
    await sleep(10_000);
    expect((await cart()).spec.replicas).toBe(0);
    await action.undo({ input: scaled, key: 'three' }, context('three'));
    await looksAgain(1);
    expect((await cart()).spec.replicas).toBe(2);
  });
});

function made(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
