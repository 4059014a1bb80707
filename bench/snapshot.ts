import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { snapshotFilesystemImplementation } from '../activities/actions/snapshot-filesystem.ts';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../integrations/kubernetes/kubeconfig.ts';
import { readPod } from '../integrations/kubernetes/pods.ts';
import { startLab } from '../test/node/start-lab.ts';
import { resolved, stepContext } from '../test/platform/kubernetes/cluster.ts';
import { folderEvidence } from '../test/platform/kubernetes/evidence.ts';
import { type Goal, round } from './report.ts';
import { makeNamespace } from './stage.ts';

const namespace = 'bench-snapshot';
const million = 1_000_000;

/** Takes a tree out of a container of a real node, and compares with what a person would do beside it. */
export async function measureSnapshot(options: { readonly stateDir: string; readonly megabytes: number }): Promise<{
  readonly figures: Readonly<Record<string, number>>;
  readonly goals: readonly Goal[];
}> {
  const { stateDir, megabytes } = options;
  const tree = join(stateDir, 'tree');
  makeTree(tree, megabytes);
  // The first look brings the tree into the page cache, for both.
  const pipe = (): number => seconds(() => execFileSync('sh', ['-c', `tar -C '${tree}' -cf - . | zstd -q | sha256sum`]));
  pipe();
  const byHand = pipe();
  const { addresses, kubernetes } = await startLab({ stateDir: join(stateDir, 'lab'), onProgress: console.log });
  const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: addresses.kubeconfig }) });
  try {
    const pod = await podWithTree({ api, image: addresses.image, tree });
    const evidence = await folderEvidence(stateDir);
    const action = snapshotFilesystemImplementation({ api, toolsImage: addresses.toolsImage, ...evidence });
    const take = async (path: string) => {
      const input = { pod, files: 'all' as const, paths: [path], volumes: ['/tree'] };
      return action.apply(input, stepContext({ signal: AbortSignal.timeout(900_000) }));
    };
    // What is loaded once, and the start of the tools, is not what a snapshot takes.
    await take('/tree/0');
    await sleep(2_000);
    const idle = process.memoryUsage.rss();
    let highest = idle;
    const watch = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage.rss());
    }, 20);
    const started = performance.now();
    const { evidence: kept } = await take('/tree');
    const taken = (performance.now() - started) / 1_000;
    clearInterval(watch);
    const stored = kept.artefacts.find(({ name }) => name === 'filesystem.tar.zst')?.bytes ?? 0;
    const [share, memory] = [round((100 * byHand) / taken), round((highest - idle) / million)];
    return {
      figures: {
        'tree, MB': megabytes,
        'compressed, MB': round(stored / million),
        'tar | zstd | sha256sum, MB/s': round(megabytes / byHand),
        'snapshotFilesystem, MB/s': round(megabytes / taken),
        'memory above idle, MB': memory,
      },
      goals: [
        {
          what: 'throughput of a snapshot',
          goal: 'at least 60 % of tar | zstd | sha256sum',
          measured: `${share} %`,
          met: share >= 60,
        },
        { what: 'memory of a snapshot', goal: 'less than 100 MB above idle', measured: `${memory} MB`, met: memory < 100 },
      ],
    };
  } finally {
    api.close();
    await kubernetes.stop();
  }
}

/** Files of 1 MB in folders of 100: one half that cannot be compressed, one half like text. */
function makeTree(tree: string, megabytes: number): void {
  const words =
    randomBytes(4_000)
      .toString('hex')
      .match(/.{1,7}/g) ?? [];
  for (let n = 0; n < megabytes; n += 1) {
    const folder = join(tree, String(Math.floor(n / 100)));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, String(n)), n % 2 === 0 ? randomBytes(million) : textLike(words));
  }
}

function textLike(words: readonly string[]): Buffer {
  const picks = randomBytes(million / 4);
  const parts: string[] = [];
  for (let at = 0; at + 1 < picks.length; at += 2) parts.push(words[picks.readUInt16LE(at) % words.length] ?? '');
  return Buffer.from(parts.join(' ').padEnd(million).slice(0, million));
}

async function podWithTree(options: { readonly api: KubernetesApi; readonly image: string; readonly tree: string }) {
  const { api, image, tree } = options;
  await makeNamespace(api, namespace);
  const main = { name: 'main', image, imagePullPolicy: 'IfNotPresent', volumeMounts: [{ name: 'tree', mountPath: '/tree' }] };
  const spec = { terminationGracePeriodSeconds: 0, containers: [main], volumes: [{ name: 'tree', hostPath: { path: tree } }] };
  const path = pathOf({ resource: 'pods', namespace });
  await api.json({ method: 'POST', path, body: { metadata: { name: 'suspect' }, spec }, what: 'create pods' });
  for (let tries = 0; ; tries += 1) {
    const pod = await readPod({ api, namespace, name: 'suspect' });
    if (pod?.status?.phase === 'Running') return resolved(pod);
    if (tries > 600) throw new Error('the pod does not run');
    await sleep(100);
  }
}

function seconds(work: () => unknown): number {
  const started = performance.now();
  work();
  return (performance.now() - started) / 1_000;
}
