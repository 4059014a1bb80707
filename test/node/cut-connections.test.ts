import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { cutConnectionsImplementation } from '../../activities/actions/containment/cut-connections.ts';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { cutConnections } from '../../core/actions/index.ts';
import { FirebreakError } from '../../core/errors.ts';
import { pathOf } from '../../integrations/kubernetes/client.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { echoesOf, echoServer, talkTo } from './lab/echoes.ts';
import { nodeLab } from './lab/lab.ts';
import { nodeShell } from './lab/node-shell.ts';
import { poolAccount } from './lab/pool-account.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());
const pool = await poolAccount(lab, cutConnections);

const { toolsImage } = lab;
const { ownNamespace } = pool;
const quarantine = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey });
const cut = cutConnectionsImplementation({ api: cluster.api, toolsImage, ownNamespace });

const { echoes, grows } = echoesOf(lab);
const nodePort = 31_080;

describe('cutConnections on a real node', () => {
  test('ends a connection opened before the quarantine, which the quarantine alone does not, and leaves nothing behind', async () => {
    const server = await lab.runPod({ name: 'server', command: echoServer });
    await lab.runPod({ name: 'suspect', command: talkTo(server) });
    await until(async () => ((await echoes('suspect')) > 2 ? true : undefined));

    const context = stepContext();
    const input = { pod: resolved(await lab.pod('suspect')) };
    await quarantine.apply(input, context);
    await until(async () => {
      const { stdout } = await lab.exec('suspect', 'sh', '-c', `echo once | nc -w 1 ${server.status?.podIP} 80 || echo refused`);
      return stdout === 'refused\n' ? true : undefined;
    });
    expect(await grows('suspect')).toBe(true);

    const step = stepContext();
    const output = await cut.apply(input, step);
    expect(output).toMatchObject({ left: 0, node: 'real-1' });
    expect(output.dropped).toBeGreaterThan(0);
    expect(await cut.verify(output, step)).toMatchObject({ state: 'verified' });
    expect(await grows('suspect')).toBe(false);
    expect(await cluster.pods(ownNamespace)).toEqual([]);
  });

  test('ends a connection that came through a node port, as NodePorts and load balancers do', async () => {
    const server = await lab.runPod({ name: 'published', command: echoServer });
    const { hostIP = '', podIP = '' } = server.status ?? {};
    // As kube-proxy does, with the node's own iptables.
    const rule = `PREROUTING -d ${hostIP} -p tcp --dport ${nodePort} -j DNAT --to-destination ${podIP}:80`;
    const onNode = await nodeShell(lab, 'proxy');
    const iptables = (command: string) => onNode(`iptables -t nat ${command} ${rule}`);
    expect(await iptables('-A')).toMatchObject({ code: 0 });
    const client = connect(nodePort, hostIP);
    try {
      client.write('before\n');
      expect(String((await once(client, 'data'))[0])).toBe('before\n');
      const pod = resolved(server);
      await quarantine.apply({ pod }, stepContext());
      const step = stepContext();
      const output = await cut.apply({ pod }, step);
      expect(output.dropped).toBeGreaterThan(0);
      const heard: string[] = [];
      client.on('data', (data) => heard.push(String(data)));
      client.write('after\n');
      await sleep(2_000);
      expect(heard).toEqual([]);
    } finally {
      client.destroy();
      await iptables('-D');
    }
  });

  test('says that connections may survive when the node’s table has none of the pod', async () => {
    await lab.runPod({ name: 'silent' });
    const input = { pod: resolved(await lab.pod('silent')) };
    await quarantine.apply(input, stepContext());
    const step = stepContext();
    expect(await cut.verify(await cut.apply(input, step), step)).toMatchObject({
      state: 'unverified',
      detail: expect.stringContaining('established connections may survive'),
    });
  });

  test('refuses a pod that is not quarantined, and creates no pod for it', async () => {
    await lab.runPod({ name: 'free' });
    const input = { pod: resolved(await lab.pod('free')) };
    const refused = cut.apply(input, stepContext());
    await expect(refused).rejects.toThrow(FirebreakError);
    await expect(refused).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
  });

  test('removes its pod from the node even when it could not run there', async () => {
    await lab.runPod({ name: 'other' });
    const input = { pod: resolved(await lab.pod('other')) };
    await quarantine.apply(input, stepContext());
    const image = `firebreak.local/none@sha256:${'0'.repeat(64)}`;
    const broken = cutConnectionsImplementation({ api: cluster.api, toolsImage: image, ownNamespace, patienceMs: 4_000 });
    const step = stepContext();
    await expect(broken.apply(input, step)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    expect(await broken.started(input, step)).toBe(false);
    const path = pathOf({ resource: 'pods', namespace: ownNamespace });
    const { items } = await cluster.get<{ items: { metadata: { name: string } }[] }>(path);
    expect(items.filter(({ metadata }) => metadata.name.startsWith('firebreak-cut-'))).toEqual([]);
  });

  test('works with exactly the rights of its manifest, which let nothing else run in a node’s network', async () => {
    await lab.runPod({ name: 'last' });
    const input = { pod: resolved(await lab.pod('last')) };
    await quarantine.apply(input, stepContext());
    const run = (image: string, name: string, ...more: readonly string[]) =>
      lab.kubectl(
        '--kubeconfig',
        pool.kubeconfig,
        '--namespace',
        ownNamespace,
        'run',
        name,
        '--image',
        image,
        '--restart',
        'Never',
        ...more,
      );
    // A policy takes effect a moment after it is created.
    const refusal = await until(async () => {
      const { code, stderr } = await run(lab.imageByDigest, 'firebreak-cut-thief', '--privileged');
      await lab.kubectl('--namespace', ownNamespace, 'delete', 'pod', 'firebreak-cut-thief', '--ignore-not-found', '--now');
      return code === 0 ? undefined : stderr;
    }, 120_000);
    expect(refusal).toContain('Firebreak may');
    await cluster.makePod(ownNamespace, 'not-ours', {
      spec: { containers: [{ name: 'main', image: lab.image, command: ['sleep', '600'] }] },
    });
    const remove = ['--kubeconfig', pool.kubeconfig, '--namespace', ownNamespace, 'delete', 'pod', 'not-ours'];
    expect(await lab.kubectl(...remove)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('may delete only its own pods'),
    });
    const step = stepContext();
    const narrow = cutConnectionsImplementation({ api: pool.api, toolsImage, ownNamespace });
    expect(await narrow.verify(await narrow.apply(input, step), step)).toMatchObject({ state: 'unverified' });
  });
});
