import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerTable } from '../test/node/lab/container-table.ts';
import { startLab } from '../test/node/lab/start-lab.ts';
import { table } from '../test/platform/actions/table.ts';
import { startKubernetes } from '../tools/platform/kubernetes/kubernetes-server.ts';
import { missingForRealNodes } from '../tools/platform/nodes/parts.mjs';
import { callsOfActions } from './parts/action-calls.ts';
import { ownPodRows } from './parts/own-pod-rows.ts';
import { measureSmallArtefacts } from './parts/small-artefacts.ts';
import { type BenchResult, writeResult } from './report.ts';
import { measureSnapshot } from './snapshot.ts';

/** Size of the tree in megabytes (10^6 bytes), and how often each action is run. */
const megabytes = Number(process.env.BENCH_MEGABYTES ?? 2_000);
const times = Number(process.env.BENCH_COUNT ?? 5);
const artefacts = Number(process.env.BENCH_ARTEFACTS ?? 200);

type Figures = Pick<BenchResult, 'figures' | 'goals'>;

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-'));
const placeFor = (what: string): string => {
  mkdirSync(join(folder, what));
  return join(folder, what);
};
try {
  const kept = await measureSmallArtefacts({ stateDir: placeFor('kept'), times: artefacts });
  const calls = await callsOnPlayedNodes();
  const missing = missingForRealNodes();
  const onNode =
    missing === undefined ? await onRealNode() : { figures: { 'in containers': `not measured: ${missing}` }, goals: [] };
  writeResult({
    name: 'actions',
    what: `Each action on an otherwise idle API server: calls, bytes of JSON bodies in both directions and milliseconds, for plan, apply and verify together; and snapshotFilesystem of a tree of ${megabytes} MB in a container of a real node, through the API server and straight from the pod, into a folder; and each small artefact sealed, hashed twice and stored`,
    figures: { ...calls, ...kept, ...onNode.figures },
    goals: onNode.goals,
    limitedBy: [
      'Actions that wait for controllers, or for pods to end, take as long as those do; captureTraffic listens for one second.',
      'Snapshot: the node, the API server, Firebreak and the commands that it is compared with run on the same cores. The bytes are read, compressed and hashed by the tools, and go through shim, runtime, kubelet and API server, each of which copies them, before Firebreak hashes, seals and writes them; straight from the pod, the four in between are skipped.',
      'Through the API server those four, which are not ours, take almost half of the processors’ time. If `all others on the machine` worked for seconds, the speed measured with it is too low.',
    ],
  });
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function callsOnPlayedNodes(): Promise<Figures['figures']> {
  const stateDir = placeFor('calls');
  const kubernetes = await startKubernetes({ stateDir });
  try {
    return await callsOfActions({ rows: table, kubeconfig: kubernetes.kubeconfig, stateDir, times });
  } finally {
    await kubernetes.stop();
  }
}

async function onRealNode(): Promise<Figures> {
  const { addresses, kubernetes } = await startLab({ stateDir: placeFor('lab'), onProgress: console.log });
  try {
    const { kubeconfig } = addresses;
    const inside = placeFor('inside');
    const rows = [...containerTable(addresses), ...(await ownPodRows(addresses, 'beside'))];
    const calls = await callsOfActions({ rows, kubeconfig, stateDir: inside, times, ownNamespace: 'beside' });
    const { figures, goals } = await measureSnapshot({ stateDir: placeFor('snapshot'), megabytes, addresses, kubernetes });
    return { figures: { ...calls, ...figures }, goals };
  } finally {
    await kubernetes.stop();
  }
}
