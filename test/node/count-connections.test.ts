import { afterAll, describe, expect, test } from '@jest/globals';
import { countConnectionsImplementation } from '../../activities/actions/containment/count-connections.ts';
import { cutConnectionsImplementation } from '../../activities/actions/containment/cut-connections.ts';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { counter } from '../../core/actions/containment/count-connections.ts';
import { countConnections } from '../../core/actions/index.ts';
import { runToEnd } from '../../integrations/kubernetes/pods/own-pod.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { echoesOf, echoServer, talkTo } from './lab/echoes.ts';
import { nodeLab } from './lab/lab.ts';
import { nodeShell } from './lab/node-shell.ts';
import { poolAccount } from './lab/pool-account.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());
const pool = await poolAccount(lab, countConnections);

const { toolsImage } = lab;
const { ownNamespace } = pool;
/** Read as a whole, they would take more than the container's 64 MiB. */
const crowd = 100_000;
const { echoes, grows } = echoesOf(lab);
const count = countConnectionsImplementation({ api: pool.api, toolsImage, ownNamespace });

/** Two pods that keep one connection open, and the one that opened it. */
async function talking(name: string) {
  const server = await lab.runPod({ name: `${name}-server`, command: echoServer });
  await lab.runPod({ name, command: talkTo(server) });
  await until(async () => ((await echoes(name)) > 2 ? true : undefined));
  return resolved(await lab.pod(name));
}

async function counted(pod: ReturnType<typeof resolved>) {
  const step = stepContext();
  const output = await count.apply({ pod }, step);
  expect(await cluster.pods(ownNamespace)).toEqual([]);
  return { output, verification: await count.verify(output, step) };
}

describe('countConnections on a real node, with exactly the rights of its manifest', () => {
  test('finds the connection that a quarantine left open, drops nothing, and finds none once it is cut', async () => {
    const pod = await talking('suspect');
    await talking('neighbour');
    const { api, view } = cluster;
    await quarantinePodImplementation({ api, view, cellKey }).apply({ pod }, stepContext());
    const before = await counted(pod);
    expect(before.output).toMatchObject({ open: 1, node: 'real-1' });
    expect(before.verification).toMatchObject({
      state: 'applied',
      detail: expect.stringMatching(/^1 established.* of node real-1$/),
    });
    expect(await grows('suspect')).toBe(true);

    await cutConnectionsImplementation({ api, toolsImage, ownNamespace }).apply({ pod }, stepContext());
    // What the pod still sends into the quarantine creates entries for a moment.
    const after = await until(async () => {
      const found = await counted(pod);
      return found.output.others === 0 ? found : undefined;
    }, 120_000);
    expect(after.output).toMatchObject({ open: 0, others: 0 });
    expect(after.output.neighbours).toBeGreaterThan(0);
    expect(after.verification).toMatchObject({
      state: 'applied',
      detail: expect.stringMatching(/^none: .* and none for this one$/),
    });
    expect(await grows('neighbour')).toBe(true);
  });

  test('counts and cuts among a busy node’s hundred thousand entries within the memory limit of its container', async () => {
    const pod = await talking('crowded');
    const { api, view } = cluster;
    await quarantinePodImplementation({ api, view, cellKey }).apply({ pod }, stepContext());
    const onNode = await nodeShell(lab, 'filler');
    const entry =
      '-A -t 600 -p tcp -s 10.201.%d.%d -d 10.96.0.1 --sport %d --dport 80 -r 10.96.0.1 -q 10.201.%d.%d --reply-port-src 80 --reply-port-dst %d --state ESTABLISHED -u SEEN_REPLY,ASSURED';
    const fields = 'i / 50000, 1 + i % 250, port, i / 50000, 1 + i % 250, port';
    const lines = `awk 'BEGIN { for (i = 0; i < ${crowd}; i++) { port = 1024 + i % 60000; printf "${entry}\\n", ${fields} } }'`;
    try {
      expect(await onNode(`file=$(mktemp); ${lines} > $file && conntrack -R $file; code=$?; rm $file; exit $code`)).toMatchObject(
        { code: 0 },
      );
      const { output } = await counted(pod);
      expect(output.table).toBeGreaterThan(crowd);
      expect(output.open).toBe(1);
      const cut = await cutConnectionsImplementation({ api, toolsImage, ownNamespace }).apply({ pod }, stepContext());
      expect(cut.table).toBeGreaterThan(crowd);
      expect(cut.dropped).toBeGreaterThan(0);
    } finally {
      await onNode('conntrack -D -d 10.96.0.1 --dport 80 > /dev/null');
    }
  });

  test.each([
    ['cut in its place', `${counter.namePrefix}cuts`, ['/firebreak-cut', '-address', '10.0.0.1', '-seconds', '1']],
    ['count under another name', 'counts', ['/firebreak-cut', '-count', '-address', '10.0.0.1']],
    ['run another program', `${counter.namePrefix}tools`, ['/firebreak-tools', '-count', '-address', '10.0.0.1']],
  ])('is not enough to %s', async (_, name, command) => {
    const pod = { namespace: ownNamespace, name, node: 'real-1', network: 'node', image: toolsImage, command } as const;
    const tried = () =>
      runToEnd({
        api: pool.api,
        pod: { ...pod, step: 'thief', livesSeconds: counter.livesSeconds },
        patienceMs: 1,
        signal: AbortSignal.timeout(20_000),
      }).then(String, String);
    // A policy takes effect a moment after it is created.
    const refusal = await until(async () => {
      const said = await tried();
      await lab.kubectl('--namespace', ownNamespace, 'delete', 'pod', name, '--ignore-not-found', '--now');
      return said.includes('(422 Invalid)') ? said : undefined;
    }, 120_000);
    expect(refusal).toContain('the API server rejected: create pods');
  });
});
