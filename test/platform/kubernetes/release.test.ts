import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isolateNamespaceImplementation } from '../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { cordonNodeImplementation } from '../../../activities/actions/nodes/cordon-node.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import { names } from '../../../core/cluster/labels.ts';
import { noteAnnotation } from '../../../core/cluster/object-note.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { findContainments } from '../../../service/offline/containments.ts';
import { findOnPath } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { kubernetesProgram } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { commandFile } from '../../command-line.ts';
import { comparable } from '../../comparable.ts';
import { testPlatform } from '../../platform.ts';
import { nodeNobodyUses } from '../actions/rows-cluster-wide.ts';
import { cellKey, openCluster, resolved, stepContext } from './parts/cluster.ts';

const platform = await testPlatform();

describe('releasing with nothing but a kubeconfig', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-release-'));
  const keyFile = join(folder, 'cell.key');
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
    writeFileSync(keyFile, Buffer.from(cellKey).toString('base64'));
  });
  afterAll(async () => {
    await cluster.close();
    rmSync(folder, { recursive: true });
  });

  const run = async (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, stdout, stderr };
  };
  /** Runs the program in a separate process, with nothing of Temporal, a database or Slack configured. */
  const offline = (...more: readonly string[]) =>
    run(process.execPath, [...['--disable-warning=ExperimentalWarning', commandFile(), 'release', '--offline', ...more]], {
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      NO_COLOR: '1',
    });
  const release = (namespace: string, ...more: readonly string[]) =>
    offline('--kubeconfig', platform.kubeconfig, '--namespace', namespace, ...more);
  const meant = (name: string) => ['--yes', '--target', name.slice(-4)];
  const contain = async (namespace: string, name: string) => {
    const before = await cluster.makePod(namespace, name, { metadata: { labels: { app: name, 'example.com/tier': 'web' } } });
    const context = stepContext({ incident: `incident/test/${namespace}/Pod/${name}` });
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply(
      { pod: resolved(before) },
      context,
    );
    return before;
  };
  const resume = (namespace: string, name: string) =>
    cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf({ group: 'apps', resource: 'deployments', namespace, name }),
      body: { spec: { paused: null } },
      what: 'resume for a test',
    });
  const now = async (namespace: string, name: string) => comparable({ ...(await cluster.pod(namespace, name)) });

  test('shows the difference first, changes nothing in a dry run or unconfirmed, and then restores everything exactly', async () => {
    const namespace = await platform.freshNamespace();
    const before = await contain(namespace, 'cart');
    const contained = await now(namespace, 'cart');
    const dry = await release(namespace, '--dry-run', '--cell-key', keyFile);
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(dry.stdout).toContain(`pod/${namespace}/cart  quarantinePod  authentic  incident/test/${namespace}/Pod/cart`);
    expect(dry.stdout).toContain('  + app=cart\n  + example.com/tier=web\n');
    expect(dry.stdout).toContain('  - firebreak.dev/quarantine=active');
    const unasked = await release(namespace);
    expect(unasked.code).toBe(2);
    expect(unasked.stdout).toContain('not authenticated');
    expect(unasked.stderr).toContain(`add --yes and --target with the last 4 characters of ${namespace}`);
    for (const less of [['--yes'], ['--target', namespace.slice(-4)]]) expect((await release(namespace, ...less)).code).toBe(2);
    expect((await release(namespace, ...meant('cart'))).stderr).toContain('FB_ERR_NOT_CONFIRMED');
    expect(await now(namespace, 'cart')).toEqual(contained);

    const done = await release(namespace, ...meant(namespace), '--json', '--cell-key', keyFile);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({
      containments: [{ target: `pod/${namespace}/cart`, authentic: 'yes', state: 'clear', before: { app: 'cart' } }],
      results: [{ target: `pod/${namespace}/cart`, state: 'undone' }],
    });
    expect(await now(namespace, 'cart')).toEqual(comparable({ ...before }));
    expect((await release(namespace, ...meant(namespace))).stdout).toContain('Nothing is contained');
  });

  test('refuses drifted and forged holds, releases the rest, and obeys --force', async () => {
    const namespace = await platform.freshNamespace();
    const [fine, drifted] = [await contain(namespace, 'fine'), await contain(namespace, 'drifted')];
    await contain(namespace, 'forged');
    await cluster.patchPod(namespace, 'drifted', { labels: { sneaky: 'yes' } });
    const note = (await cluster.pod(namespace, 'forged')).metadata?.annotations?.[names.beforeAnnotation] ?? '';
    await cluster.patchPod(namespace, 'forged', {
      annotations: { [names.beforeAnnotation]: note.replace('"app":"forged"', '"app":"admin"') },
    });
    const first = await release(namespace, ...meant(namespace), '--cell-key', keyFile);
    expect(first.code).toBe(1);
    expect(first.stdout).toContain(`pod/${namespace}/forged  quarantinePod  NOT AUTHENTIC`);
    expect(first.stdout).toContain('! label sneaky=yes was added');
    expect(await now(namespace, 'fine')).toEqual(comparable({ ...fine }));
    for (const name of ['drifted', 'forged'])
      expect((await cluster.pod(namespace, name)).metadata?.labels).toHaveProperty([names.quarantineLabel], 'active');
    expect((await release(namespace, ...meant('drifted'), '--force', '--cell-key', keyFile, `${namespace}/drifted`)).code).toBe(
      0,
    );
    expect(await now(namespace, 'drifted')).toEqual(comparable({ ...drifted }));
    expect((await cluster.pod(namespace, 'forged')).metadata?.labels).toHaveProperty([names.quarantineLabel], 'active');
    expect((await release(namespace, ...meant('nobody'), `${namespace}/nobody`)).stderr).toContain('not contained');
  });

  test('exactly restores what is held wider than a pod, and refuses what somebody changed since without --force', async () => {
    const namespace = await platform.freshNamespace();
    const parts = { api: cluster.api, cellKey };
    await cluster.makeDeployment(namespace, 'web', { replicas: 1 });
    await cluster.makeDeployment(namespace, 'api', { replicas: 1 });
    const spec = async (name: string) => (await cluster.deployment(namespace, name)).spec;
    const before = await spec('web');
    const { policy } = await isolateNamespaceImplementation(parts).apply({ namespace }, stepContext());
    for (const name of ['web', 'api'])
      await suspendRolloutImplementation(parts).apply({ deployment: { namespace, name } }, stepContext());
    expect(await spec('web')).toMatchObject({ paused: true });
    await resume(namespace, 'api');
    const dry = await release(namespace, '--dry-run', '--cell-key', keyFile);
    expect(dry.stdout).toContain(`networkpolicy/${namespace}/${policy}  isolateNamespace  authentic`);
    expect(dry.stdout).toMatch(
      new RegExp(`deployment/${namespace}/web  suspendRollout  authentic .*\\n  - spec.paused: true\\n`),
    );
    const first = await release(namespace, ...meant(namespace), '--cell-key', keyFile);
    expect(first.code).toBe(1);
    expect(first.stdout).toContain('! spec.paused was changed from true to absent');
    expect(await spec('web')).toEqual(before);
    expect(
      (await release(namespace, ...meant('api'), '--force', '--cell-key', keyFile, `deployment/${namespace}/api`)).code,
    ).toBe(0);
    expect((await release(namespace, ...meant(namespace))).stdout).toContain('Nothing is contained');
    const policies = await cluster.get<{ items: { metadata: { name: string } }[] }>(
      pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace }),
    );
    expect(policies.items.map(({ metadata }) => metadata.name)).not.toContain(policy);
  });

  test('releases despite unrelated changes since it was shown, but nothing that no longer matches what was shown', async () => {
    const namespace = await platform.freshNamespace();
    const deployments = ['beside', 'paused', 'noted'] as const;
    for (const name of deployments) {
      await cluster.makeDeployment(namespace, name, { replicas: 1 });
      await suspendRolloutImplementation({ api: cluster.api, cellKey }).apply({ deployment: { namespace, name } }, stepContext());
    }
    await contain(namespace, 'relabelled');
    const shown = await findContainments({ api: cluster.api, namespace, cellKey });
    await cluster.patchPod(namespace, 'relabelled', { labels: { sneaky: 'yes' } });
    const patch = (name: string, body: object, part = '') =>
      cluster.api.json({
        method: 'PATCH',
        patch: 'merge',
        path: `${pathOf({ group: 'apps', resource: 'deployments', namespace, name })}${part}`,
        body,
        what: 'change for a test',
      });
    await patch('beside', { status: { observedGeneration: 7 } }, '/status');
    await patch('paused', { spec: { paused: false } });
    await patch('noted', { metadata: { annotations: { [noteAnnotation('suspendRollout')]: 'another' } } });
    const released = async (name: string, force: boolean) =>
      shown.find(({ target }) => target.endsWith(`/${namespace}/${name}`))?.release(force);
    expect(await released('beside', false)).toMatchObject({ state: 'undone' });
    expect(await released('beside', false)).toMatchObject({ state: 'already' });
    for (const name of ['paused', 'noted'])
      expect(await released(name, true)).toMatchObject({
        state: 'drifted',
        difference: expect.arrayContaining([expect.stringContaining('look again')]),
      });
    expect(await released('relabelled', true)).toMatchObject({ state: 'drifted', difference: ['label sneaky=yes was added'] });
  });

  test('uncordons a node, and says what it does not undo at a provider', async () => {
    const namespace = await platform.freshNamespace();
    const ref = await nodeNobodyUses(cluster, namespace);
    await cordonNodeImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply({ node: namespace }, stepContext());
    const given = ['--kubeconfig', platform.kubeconfig, '--cell-key', keyFile, ...meant(namespace), `node/${namespace}`];
    const { code, stdout } = await offline(...given);
    expect(code).toBe(0);
    expect(stdout).toContain('not from here: if actions.nodeIsolation is configured');
    expect((await cluster.get<{ spec: { unschedulable?: boolean } }>(pathOf(ref))).spec.unschedulable).toBeUndefined();
    await cluster.api.json({ method: 'DELETE', path: pathOf(ref), what: 'clean up' });
  });

  test('works by the kubectl recipe of the documentation', async () => {
    const namespace = await platform.freshNamespace();
    const before = await contain(namespace, 'cart');
    const kubectl = join(folder, 'kubectl');
    const program = await kubernetesProgram('kubectl', () => {});
    writeFileSync(kubectl, `#!/bin/sh\nexec "${program ?? findOnPath('kubectl')}" "$@"\n`);
    chmodSync(kubectl, 0o755);
    const page = readFileSync(join(projectRoot(), 'docs', 'way-out.md'), 'utf8');
    const recipes = [...page.slice(page.indexOf('## With kubectl alone')).matchAll(/```sh\n([\s\S]*?)```/g)].map(
      ([, code]) => code ?? '',
    );
    const env = {
      KUBECONFIG: platform.kubeconfig,
      NAMESPACE: namespace,
      POD: 'cart',
      PATH: `${folder}${delimiter}${process.env.PATH}`,
    };
    const [list, look, undo, spare, policies, made, held] = recipes;
    expect((await run('sh', ['-euc', list ?? ''], env)).stdout).toMatch(
      new RegExp(`${namespace} +cart +incident/test/${namespace}/Pod/cart`),
    );
    expect(JSON.parse((await run('sh', ['-euc', look ?? ''], env)).stdout)).toMatchObject({ labels: { app: 'cart' } });
    for (const recipe of [undo, spare])
      expect(await run('sh', ['-euc', recipe ?? ''], env)).toMatchObject({ code: 0, stderr: '' });
    expect(await now(namespace, 'cart')).toEqual(comparable({ ...before }));
    expect(await run('sh', ['-euc', policies ?? ''], env)).toMatchObject({ code: 0, stderr: '' });

    const parts = { api: cluster.api, cellKey };
    const isolation = isolateNamespaceImplementation(parts);
    const { policy } = await isolation.apply({ namespace }, stepContext());
    expect((await run('sh', ['-euc', made ?? ''], env)).stdout).toMatch(new RegExp(`${namespace} +networkpolicy\\S*/${policy}`));
    await cluster.makeDeployment(namespace, 'web', { replicas: 1 });
    await suspendRolloutImplementation(parts).apply({ deployment: { namespace, name: 'web' } }, stepContext());
    expect((await run('sh', ['-euc', held ?? ''], env)).stdout).toMatch(
      new RegExp(`Deployment +${namespace} +web .*before-suspend-rollout`),
    );
  });
});
