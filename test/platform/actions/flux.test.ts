import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { stringify } from 'yaml';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { fluxController, fluxDefinitions } from '../../../tools/platform/gitops/flux-controller.ts';
import { freePorts } from '../../../tools/platform/ports.ts';
import { ServerGroup } from '../../../tools/platform/server-group.ts';
import { comparable } from '../../comparable.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, stepContext } from '../kubernetes/parts/cluster.ts';

jest.setTimeout(1_200_000);

// Building it takes five minutes of CPU time: done only on request.
const isWanted = process.env.FIREBREAK_TEST_FLUX === '1';
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const program = isWanted ? await fluxController(say) : undefined;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-flux-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const platform = program === undefined ? undefined : await testPlatform();

(platform ? describe : describe.skip)('what the real kustomize-controller of Flux declares', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let namespace: string;
  const group = new ServerGroup();
  const logFile = join(folder, 'flux.log');
  const source = createServer((_, response) => void response.end(readFileSync(join(folder, 'shop.tar.gz'))));
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const sources = () => pathOf({ group: 'source.toolkit.fluxcd.io', version: 'v1', resource: 'gitrepositories', namespace });
  const cronJob = () => pathOf({ group: 'batch', resource: 'cronjobs', namespace, name: 'bill' });
  const deployment = () => pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
  const bill = () => cluster.get<ObjectJson & { readonly spec: { readonly suspend?: boolean } }>(cronJob());
  const cart = () => cluster.get<ObjectJson & { readonly spec: { readonly paused?: boolean } }>(deployment());
  const rounds = () => readFileSync(logFile, 'utf8').split('Reconciliation finished').length;

  beforeAll(async () => {
    if (!platform) return;
    cluster = await openCluster(platform.kubeconfig);
    namespace = await platform.freshNamespace();
    const kinds = await fluxDefinitions();
    for (const kind of kinds) await cluster.post(definitions, kind);
    platform.cleanUp(async () => {
      for (const { metadata } of kinds)
        await cluster.api.json({ method: 'DELETE', path: `${definitions}/${metadata.name}`, what: 'remove a kind' });
    });
    const digest = writeSource();
    await new Promise<void>((done) => source.listen(0, '127.0.0.1', done));
    const { port } = source.address() as AddressInfo;
    await eventually('the kind of sources', () => cluster.get<object>(sources()).catch(() => undefined));
    await cluster.post(sources(), {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name: 'shop' },
      spec: { interval: '1h', url: 'https://git.example.com/shop' },
    });
    // What Flux's source-controller would write after fetching it.
    const lastUpdateTime = new Date().toISOString();
    const artifact = {
      url: `http://127.0.0.1:${port}/shop.tar.gz`,
      path: 'shop.tar.gz',
      revision: 'main@sha1:1',
      digest,
      lastUpdateTime,
    };
    await cluster.api.json({
      ...{ method: 'PATCH', patch: 'merge', path: `${sources()}/shop/status`, what: 'say what was fetched' },
      body: {
        status: {
          observedGeneration: 1,
          artifact,
          conditions: [
            { type: 'Ready', status: 'True', reason: 'Succeeded', message: 'stored', lastTransitionTime: lastUpdateTime },
          ],
        },
      },
    });
    const ports = await freePorts({ names: ['metrics', 'health'] });
    group.start({
      name: 'kustomize-controller',
      command: program ?? '',
      args: [
        ...['--enable-leader-election=false', '--events-addr=', '--interval-jitter-percentage=0', '--log-encoding=json'],
        ...[`--metrics-addr=127.0.0.1:${ports.metrics}`, `--health-addr=127.0.0.1:${ports.health}`],
      ],
      env: { KUBECONFIG: platform.kubeconfig, RUNTIME_NAMESPACE: namespace },
      logFile,
    });
    const kustomizations = pathOf({ group: 'kustomize.toolkit.fluxcd.io', version: 'v1', resource: 'kustomizations', namespace });
    await cluster.post(kustomizations, {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name: 'shop' },
      spec: { interval: '3s', path: './', prune: true, sourceRef: { kind: 'GitRepository', name: 'shop' } },
    });
  });
  afterAll(async () => {
    await group.stop();
    source.close();
    await cluster.close();
  });

  /** Writes a CronJob that is not suspended and a Deployment that is not paused, as an archive. Returns its digest. */
  function writeSource(): string {
    const container = { name: 'main', image: 'registry.example/shop/cart:1' };
    const template = { metadata: { labels: { app: 'cart' } }, spec: { containers: [container] } };
    const jobTemplate = { spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } } };
    const objects = [
      {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'cart', namespace } },
        spec: { replicas: 1, paused: false, selector: { matchLabels: { app: 'cart' } }, template },
      },
      {
        ...{ apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'bill', namespace } },
        spec: { schedule: '17 3 1 1 *', suspend: false, jobTemplate },
      },
    ];
    writeFileSync(join(folder, 'shop.yaml'), objects.map((object) => stringify(object)).join('---\n'));
    execFileSync('tar', ['-czf', 'shop.tar.gz', 'shop.yaml'], { cwd: folder });
    return `sha256:${createHash('sha256')
      .update(readFileSync(join(folder, 'shop.tar.gz')))
      .digest('hex')}`;
  }

  const context = (key: string) => stepContext({ incident: `incident/test/${namespace}/CronJob/bill`, key });
  const input = () => ({ cronJob: { namespace, name: 'bill' } });
  const looksAgain = async (times: number) => {
    const before = rounds();
    await eventually('its next rounds', async () => rounds() >= before + times);
  };

  test('is reverted by it within seconds unless it is told to leave it alone', async () => {
    await eventually('the CronJob that Flux makes', () => bill().catch(() => undefined));
    const action = suspendCronJobImplementation({ api: cluster.api, cellKey, pausing: undefined });
    const plan = await action.plan(input(), context('one'));
    expect(plan.notes.join()).toContain('Flux');
    await action.apply(input(), context('one')).catch(() => undefined);
    await eventually('Flux puts it back', async () => (await bill()).spec.suspend !== true);
    // The step has drifted: its note stays for people to look at, and does not belong to the next test.
    const note = { metadata: { annotations: { 'firebreak.dev/before-suspend-cron-job': null } } };
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path: cronJob(), body: note, what: 'remove the note' });
  });

  test('is left alone by it while the step is in force, and is restored exactly', async () => {
    const action = suspendCronJobImplementation({ api: cluster.api, cellKey, pausing: { flux: true } });
    await looksAgain(1);
    const before = comparable(await bill());
    await action.apply(input(), context('two'));
    await looksAgain(3);
    expect((await bill()).spec.suspend).toBe(true);
    await action.undo({ input: input(), key: 'two' }, context('two'));
    expect(comparable(await bill())).toEqual(before);
    await looksAgain(2);
    expect((await bill()).spec.suspend).not.toBe(true);
  });

  test('keeps a rollout paused even without that, since what Flux applies does not set `paused: false`', async () => {
    const action = suspendRolloutImplementation({ api: cluster.api, cellKey, pausing: undefined });
    const rollout = { deployment: { namespace, name: 'cart' } };
    await action.apply(rollout, context('three'));
    await looksAgain(3);
    expect((await cart()).spec.paused).toBe(true);
    await action.undo({ input: rollout, key: 'three' }, context('three'));
  });
});
