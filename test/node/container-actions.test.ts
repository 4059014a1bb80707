import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { captureTrafficImplementation } from '../../activities/actions/evidence/capture-traffic.ts';
import { actions, captureTraffic } from '../../core/actions/index.ts';
import { pathOf } from '../../integrations/kubernetes/client.ts';
import { callKubernetes, readAccess } from '../../tools/platform/kubernetes/kubernetes-api.ts';
import { observe } from '../platform/actions/observe.ts';
import { openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { freshNamespace } from '../platform.ts';
import { containerTable } from './lab/container-table.ts';
import { nodeLab } from './lab/lab.ts';
import { poolAccount } from './lab/pool-account.ts';

const lab = await nodeLab();
const { kubeconfig } = lab;
const cluster = await openCluster(kubeconfig);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-container-actions-'));
const access = readAccess(kubeconfig);
let made: string[] = [];
afterEach(async () => {
  for (const name of made) await callKubernetes({ access, path: `/api/v1/namespaces/${name}`, method: 'DELETE' });
  made = [];
});
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});
const world = {
  cluster,
  kubeconfig,
  folder,
  evidence: await folderEvidence(folder),
  async freshNamespace() {
    const name = await freshNamespace(access);
    made.push(name);
    return name;
  },
};
const table = containerTable(lab);
const pool = await poolAccount(lab, captureTraffic);

describe('every action inside containers, on a real node', () => {
  test('is in the table', () => {
    expect(table.map(({ declaration }) => declaration.name).sort()).toEqual(
      actions
        .filter(({ pool }) => pool === 'forensics')
        .map(({ name }) => name)
        // These work next to containers, from our own pods: see own-pod-actions.test.ts.
        .filter((name) => !['countConnections', 'cutConnections', 'probeQuarantine', 'checkpointContainer'].includes(name))
        .sort(),
    );
    for (const { declaration, input } of table) expect(input.safeParse(declaration.example)).toMatchObject({ success: true });
  });

  test.each(table.map((row) => [row.declaration.name, row] as const))(
    '%s does what its plan says, exactly once however often the process dies, and needs all of its rights',
    async (_, row) => {
      const seen = await observe(row, world);
      expect(seen.changed).toEqual(seen.planned);
      expect(seen.changedAgain).toEqual([]);
      expect(seen.verification.state).toBe(row.verification);
      expect(seen.ended.length > 0).toBe(row.declaration.effect === 'destructive');
      for (const one of seen.killed) expect(one).toEqual({ at: one.at, changed: seen.calls });
      expect(seen.rights.enough).toBe('ok');
      for (const [right, refusal] of Object.entries(seen.rights.oneLess))
        expect([right, refusal]).toEqual([right, expect.stringContaining(`does not allow us to ${right}`)]);
      expect(Object.keys(seen.rights.oneLess)).toHaveLength(4);
    },
  );

  test('works with the rights of the manifest, which give a thief of the account no shell', async () => {
    const pod = resolved(await lab.runPod({ name: 'cart' }));
    const as = (...words: readonly string[]) => lab.kubectl('--kubeconfig', pool.kubeconfig, ...words);
    // A policy takes effect a moment after it is created.
    const shell = await until(async () => {
      const { code, stderr } = await as('exec', 'cart', '--container', 'main', '--', 'true');
      return code === 0 ? undefined : stderr;
    }, 120_000);
    expect(shell).toContain('Firebreak may run only /firebreak-tools, in a container or a pod of its own');
    const add = (more: object) =>
      pool.api.json({
        method: 'PATCH',
        patch: 'strategic',
        path: pathOf({ resource: 'pods', namespace: lab.namespace, name: 'cart', subresource: 'ephemeralcontainers' }),
        body: { spec: { ephemeralContainers: [{ name: 'firebreak-thief', image: lab.toolsImage, ...more }] } },
        what: 'add a container',
      });
    const command = ['/firebreak-tools', 'wait', '-seconds', '9'];
    const securityContext = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
    for (const more of [
      { command: ['sh'], securityContext },
      { command, securityContext: { ...securityContext, capabilities: { add: ['SYS_ADMIN'] } } },
      { command, securityContext, image: lab.image },
      { command, securityContext, env: [{ name: 'LD_PRELOAD', value: 'x' }] },
    ])
      await expect(add(more)).rejects.toMatchObject({ code: 'FB_ERR_API_REFUSED' });
    const traffic = captureTrafficImplementation({ api: pool.api, toolsImage: lab.toolsImage, ...world.evidence });
    const context = stepContext({ signal: AbortSignal.timeout(120_000) });
    const output = await traffic.apply({ pod, seconds: 1 }, context);
    expect(await traffic.verify(output, context)).toMatchObject({ state: 'verified' });
    const [{ name } = { name: '' }] = (await lab.pod('cart')).spec?.ephemeralContainers ?? [];
    const other = await as('exec', 'cart', '--container', name, '--', 'sh', '-c', 'true');
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('Firebreak may run only') });
    const wait = { name: 'main', image: lab.toolsImage, command };
    await cluster.makePod(pool.ownNamespace, 'firebreak-fetch-one', { spec: { containers: [wait] } });
    const inOwn = (...words: readonly string[]) =>
      as('--namespace', pool.ownNamespace, 'exec', 'firebreak-fetch-one', '--container', 'main', '--', ...words);
    expect(await inOwn('/firebreak-tools', 'version')).toMatchObject({ code: 0 });
    expect(await inOwn('sh', '-c', 'true')).toMatchObject({ code: 1 });
  });
});
