import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { snapshotFilesystemImplementation } from '../activities/actions/evidence/snapshot-filesystem.ts';
import { EvidenceStreams } from '../activities/evidence/evidence-streams.ts';
import { Uploads } from '../activities/evidence/uploads.ts';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../integrations/kubernetes/kubeconfig.ts';
import { readPod } from '../integrations/kubernetes/pods/pods.ts';
import { openUploadDoor } from '../integrations/uploads/door.ts';
import { forensics } from '../service/config/sections/forensics-section.ts';
import type { LabAddresses } from '../test/node/lab/start-lab.ts';
import { resolved, stepContext } from '../test/platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../test/platform/kubernetes/parts/evidence.ts';
import type { KubernetesServer } from '../tools/platform/kubernetes/kubernetes-api.ts';
import { cpuMs } from './parts/clock.ts';
import { cpuSecondsUnder, machineSeconds } from './parts/node-cpu.ts';
import { makeNamespace } from './parts/stage.ts';
import { type Goal, round } from './report.ts';

const namespace = 'bench-snapshot';
const million = 1_000_000;

/** Copies a tree out of a container on a real node, and compares that with doing it by hand. */
export async function measureSnapshot(options: {
  readonly stateDir: string;
  readonly megabytes: number;
  readonly addresses: LabAddresses;
  readonly kubernetes: KubernetesServer;
}): Promise<{ readonly figures: Readonly<Record<string, number>>; readonly goals: readonly Goal[] }> {
  const { stateDir, megabytes, addresses, kubernetes } = options;
  const tree = join(stateDir, 'tree');
  // In another process, so that its memory does not count as ours.
  execFileSync(process.execPath, [join(import.meta.dirname, 'parts/make-tree.ts'), tree, String(megabytes)]);
  // The first read brings the tree into the page cache, for both.
  const pipe = (): number => seconds(() => execFileSync('sh', ['-c', `tar -C '${tree}' -cf - . | zstd -q | sha256sum`]));
  pipe();
  // Again after each snapshot: the best time counts.
  const byHands = [pipe()];
  const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: addresses.kubeconfig }) });
  const { hostAddress, toolsImage } = addresses;
  const door = await openUploadDoor({ host: hostAddress, port: 0, address: `https://${hostAddress}:0` });
  try {
    const pod = await podWithTree({ api, image: addresses.image, tree });
    const evidence = await folderEvidence(stateDir);
    const streams = new EvidenceStreams(forensics.parse({}).streams);
    // One step: its tools are started once, and their start is not measured.
    const step = stepContext({ signal: AbortSignal.timeout(900_000) });
    const take = async (path: string, straight: boolean) => {
      const parts = { api, toolsImage, streams, ...evidence, ...(straight && { uploads: new Uploads(door) }) };
      const input = { pod, files: 'all' as const, paths: [path], volumes: ['/tree'] };
      const { evidence: kept } = await snapshotFilesystemImplementation(parts).apply(input, step);
      return kept.artefacts.find(({ name }) => name === 'filesystem.tar.zst')?.bytes ?? 0;
    };
    const figures: Record<string, number> = { 'tree, MB': megabytes };
    const ways: { readonly way: string; readonly taken: number; readonly memory: number }[] = [];
    for (const straight of [false, true]) {
      const way = straight ? 'straight from the pod' : 'through the API server';
      const idle = process.memoryUsage.rss();
      // One-time loading must not count as the time of a snapshot.
      await take('/tree/0', straight);
      await sleep(2_000);
      const { taken, highest, cpu, result } = await watched(kubernetes, () => take('/tree', straight));
      byHands.push(pipe());
      const memory = round((highest - idle) / million);
      ways.push({ way, taken, memory });
      figures['compressed, MB'] = round(result / million);
      figures[`snapshot ${way}, MB/s`] = round(megabytes / taken);
      figures[`snapshot ${way}, MB above idle`] = memory;
      for (const [name, used] of Object.entries(cpu)) figures[`snapshot ${way}, CPU seconds of ${name}`] = used;
    }
    const byHand = Math.min(...byHands);
    figures['tar | zstd | sha256sum, MB/s'] = round(megabytes / byHand);
    const goals = ways.flatMap(({ way, taken, memory }): Goal[] => {
      const share = round((100 * byHand) / taken);
      console.log(`snapshot ${way}: ${share} % of tar | zstd | sha256sum, ${memory} MB above idle`);
      return [
        { what: `snapshot ${way}`, goal: '60 % of tar | zstd | sha256sum', measured: `${share} %`, met: share >= 60 },
        { what: 'memory of that', goal: 'less than 100 MB above idle', measured: `${memory} MB`, met: memory < 100 },
      ];
    });
    return { figures, goals };
  } finally {
    await door.close();
    api.close();
  }
}

/** Seconds of wall and processor time that the work takes, and our own peak memory. */
async function watched<T>(kubernetes: KubernetesServer, work: () => Promise<T>) {
  let highest = process.memoryUsage.rss();
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss());
  }, 20);
  const before = cpuSeconds(kubernetes);
  const machineBefore = machineSeconds();
  const started = performance.now();
  const result = await work();
  const taken = (performance.now() - started) / 1_000;
  clearInterval(watch);
  const used = Object.entries(cpuSeconds(kubernetes)).map(
    ([name, seconds]) => [name, round(seconds - (before[name] ?? 0))] as const,
  );
  const rest = machineSeconds() - machineBefore - used.reduce((sum, [, seconds]) => sum + seconds, 0);
  used.push(['all others on the machine', round(Math.max(0, rest))]);
  return { result, taken, highest, cpu: Object.fromEntries(used) };
}

/** Processor time of each program so far: the bytes of a snapshot pass through all of them. */
function cpuSeconds(kubernetes: KubernetesServer): Readonly<Record<string, number>> {
  const node = cpuSecondsUnder(Object.values(kubernetes.realNodes?.pids() ?? {})[0] ?? 0);
  const of = (name: string): number => node.get(name) ?? 0;
  const { user, system } = process.cpuUsage();
  return {
    'the tools': of('in containers'),
    'runtime and its shim': of('containerd') + of('containerd-shim'),
    kubelet: of('kubelet'),
    'API server': cpuMs(kubernetes.pids()['kube-apiserver'] ?? 0) / 1_000,
    Firebreak: (user + system) / million,
  };
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
