import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkpointContainerImplementation } from '../../activities/actions/evidence/checkpoint-container.ts';
import { checkpointContainer } from '../../core/actions/index.ts';
import { FirebreakError } from '../../core/errors.ts';
import { asManifest } from '../../core/evidence/evidence-manifest.ts';
import { createKubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { askForCheckpoint, checkpointsFolder } from '../../integrations/kubernetes/pods/kubelet.ts';
import { runCommand } from '../../service/parts/command.ts';
import { asTemporal, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/parts/evidence.ts';
import { nodeLab } from './lab/lab.ts';
import { poolAccount } from './lab/pool-account.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-checkpoint-'));
const evidence = await folderEvidence(folder);
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});

const pool = await poolAccount(lab, checkpointContainer);
const { toolsImage } = lab;
const { ownNamespace } = pool;
const actionAs = async (kubeconfig: string) => {
  const access = await accessFromKubeconfig({ file: kubeconfig });
  const api = createKubernetesApi({ access });
  return { api, access, action: checkpointContainerImplementation({ api, access, toolsImage, ownNamespace, ...evidence }) };
};
const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });

/** Our files in the node's checkpoint folder, listed by a pod that looks into it: other suites use the node at the same time. */
async function archivesOnNode(): Promise<string> {
  await lab.runPod({
    name: 'looker',
    container: { volumeMounts: [{ name: 'folder', mountPath: '/checkpoints' }] },
    spec: { volumes: [{ name: 'folder', hostPath: { path: checkpointsFolder, type: 'DirectoryOrCreate' } }] },
  });
  const { stdout } = await lab.exec('looker', 'ls', '/checkpoints');
  await lab.kubectl('delete', 'pod', 'looker', '--now');
  return stdout
    .split('\n')
    .filter((name) => name.includes(`_${lab.namespace}-`))
    .join('\n');
}

/** Ends like a killed process: at the first look at the archive, with nothing cleaned up. */
async function killedWithArchive(pod: ReturnType<typeof resolved>, step: ReturnType<typeof context>): Promise<void> {
  const { api, access } = await actionAs(lab.kubeconfig);
  const dying = new AbortController();
  const socket: typeof api.socket = async () => {
    dying.abort();
    throw new Error('killed');
  };
  const parts = { access, toolsImage, ownNamespace, ...evidence };
  const killed = checkpointContainerImplementation({ ...parts, api: { ...api, socket } });
  await expect(killed.apply({ pod }, { ...step, signal: dying.signal })).rejects.toThrow();
  api.close();
}

describe('checkpointContainer on a real node', () => {
  test('keeps what is only in memory, with exactly its rights, and leaves nothing on the node', async () => {
    const secret = 'in-memory-canary';
    const command = ['sh', '-c', `X=$(echo ${secret} | tr a-z n-za-m); while :; do sleep 1; done`];
    const pod = resolved(await lab.runPod({ name: 'suspect', command }));
    const { api, action } = await actionAs(pool.kubeconfig);
    const step = context();
    expect((await action.plan({ pod }, step)).notes.join(' ')).toContain('It stays there for some seconds until it is fetched');
    const output = await action.apply({ pod }, step);
    expect(await action.verify(output, step)).toMatchObject({ state: 'verified' });
    expect(await archivesOnNode()).toBe('');
    expect((await lab.kubectl('--namespace', ownNamespace, 'get', 'pods', '-o', 'name')).stdout).not.toContain(
      'firebreak-fetch-',
    );

    const manifest = asManifest(JSON.parse(Buffer.from(await evidence.store.get(output.evidence.manifestSha256)).toString()));
    const [artefact] = manifest?.artefacts ?? [];
    if (!artefact) throw new Error('nothing was kept');
    expect(artefact).toMatchObject({ name: 'checkpoint/main.tar.zst', sealed: { keyId: expect.any(String) } });
    const archive = zstdDecompressSync(await evidence.bytesOf(output.evidence, artefact.name));
    const file = join(folder, 'checkpoint.tar');
    writeFileSync(file, archive);
    expect((await runCommand({ command: 'tar', args: ['-tf', file] })).stdout).toContain('checkpoint/pages-');
    // What the shell has made of it is in no file and in no argument.
    expect(archive.includes('va-zrzbel-pnanel')).toBe(true);
    // The container keeps running.
    expect((await lab.pod('suspect')).status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true });
    api.close();
  });

  test('lets a thief of the account mount nothing else of a node, and enter no other pod', async () => {
    const path = pathOf({ resource: 'pods', namespace: ownNamespace });
    const container = {
      name: 'main',
      image: toolsImage,
      command: ['/firebreak-tools', 'wait', '-seconds', '900'],
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    };
    const tried = (folder: string, name: string) =>
      pool.api.json({
        method: 'POST',
        path,
        body: {
          metadata: { name },
          spec: {
            nodeName: 'real-1',
            activeDeadlineSeconds: 900,
            automountServiceAccountToken: false,
            containers: [container],
            volumes: [{ name: 'folder', hostPath: { path: folder } }],
          },
        },
        what: 'try',
      });
    for (const folder of ['/', '/var/lib/kubelet', '/var/lib/kubelet/checkpoints/../pods'])
      await expect(tried(folder, 'firebreak-fetch-thief')).rejects.toMatchObject({ status: 422 });
    await expect(tried(checkpointsFolder, 'thief')).rejects.toMatchObject({ status: 422 });
    // Firebreak's own pods are in this namespace, and the right to run commands applies to all pods in it.
    await cluster.makePod(ownNamespace, 'firebreak-cell', {
      spec: { containers: [{ name: 'main', image: lab.image, command: ['sleep', '600'] }] },
    });
    const entered = await lab.kubectl(
      ...[
        '--kubeconfig',
        pool.kubeconfig,
        '--namespace',
        ownNamespace,
        'exec',
        'firebreak-cell',
        '--',
        '/firebreak-tools',
        'version',
      ],
    );
    expect(entered).toMatchObject({ code: 1, stderr: expect.stringContaining('Firebreak looks into no container') });
    await lab.kubectl('--namespace', ownNamespace, 'delete', 'pod', 'firebreak-cell', '--now');
    await tried(checkpointsFolder, 'firebreak-fetch-allowed');
    await lab.kubectl('--namespace', ownNamespace, 'delete', 'pod', 'firebreak-fetch-allowed', '--now');
  });

  test('removes from the node what it could not keep, and what an earlier attempt left there', async () => {
    const pod = resolved(await lab.runPod({ name: 'third' }));
    const { api, access } = await actionAs(lab.kubeconfig);
    const parts = { access, toolsImage, ownNamespace, ...evidence };
    const store = { ...evidence.store, put: () => Promise.reject(new FirebreakError('FB_ERR_UNAVAILABLE', 'the store is full')) };
    const full = checkpointContainerImplementation({ ...parts, api, store });
    await expect(full.apply({ pod }, context())).rejects.toMatchObject({ detail: 'the store is full' });
    expect(await archivesOnNode()).toBe('');

    const step = context();
    await killedWithArchive(pod, step);
    expect(await archivesOnNode()).toContain('checkpoint-third_');
    const again = checkpointContainerImplementation({ ...parts, api });
    expect(await again.started({ pod }, step)).toBe(true);
    const output = await again.apply({ pod }, step);
    expect(await again.verify(output, step)).toMatchObject({ state: 'verified' });
    expect(await archivesOnNode()).toBe('');
    api.close();
  });

  test('waits its turn when another step works on the same container, and both get the whole checkpoint', async () => {
    const pod = resolved(await lab.runPod({ name: 'wanted-twice' }));
    const { api, action } = await actionAs(pool.kubeconfig);
    const steps = [context(), context()];
    const outputs = await Promise.all(steps.map((step) => asTemporal(() => action.apply({ pod }, step))));
    for (const [at, output] of outputs.entries())
      expect(await action.verify(output, steps[at] ?? context())).toMatchObject({ state: 'verified' });
    expect(new Set(outputs.map(({ evidence: { manifestSha256 } }) => manifestSha256)).size).toBe(2);
    expect(await archivesOnNode()).toBe('');
    api.close();
  });

  test('removes what another step left whose pod has since died', async () => {
    const pod = resolved(await lab.runPod({ name: 'left' }));
    const { api, action } = await actionAs(pool.kubeconfig);
    await killedWithArchive(pod, context());
    expect(await archivesOnNode()).toContain('checkpoint-left_');
    const [fetching] = (await cluster.pods(ownNamespace)).filter(({ metadata }) =>
      metadata?.name?.startsWith('firebreak-fetch-'),
    );
    const name = fetching?.metadata?.name ?? '';
    const shorter = JSON.stringify({ spec: { activeDeadlineSeconds: 1 } });
    await lab.kubectl('--namespace', ownNamespace, 'patch', 'pod', name, '--patch', shorter);
    await until(async () => ((await cluster.pod(ownNamespace, name)).status?.phase === 'Failed' ? true : undefined));
    const step = context();
    expect(await action.verify(await asTemporal(() => action.apply({ pod }, step)), step)).toMatchObject({ state: 'verified' });
    expect(await archivesOnNode()).toBe('');
    expect(await cluster.pods(ownNamespace)).toEqual([]);
    api.close();
  });

  test('does not trust a kubelet that is not proven to belong to the cluster, and says so', async () => {
    const pod = resolved(await lab.runPod({ name: 'other' }));
    const { api, access } = await actionAs(lab.kubeconfig);
    const { ca: _, ...tls } = access.tls;
    const order = { node: 'real-1', namespace: pod.namespace, pod: pod.name, container: 'main' };
    const asked = askForCheckpoint({
      api,
      access: { ...access, tls },
      ...order,
      timeoutMs: 10_000,
      mayBeBusy: false,
      signal: AbortSignal.timeout(120_000),
    });
    await expect(asked).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('not signed by the cluster’s CA'),
    });
    api.close();
  });
});
