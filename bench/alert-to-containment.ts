import { spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../core/cluster/labels.ts';
import { createKubernetesApi, pathOf } from '../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../integrations/kubernetes/kubeconfig.ts';
import { replacePodLabels } from '../integrations/kubernetes/pods/pods.ts';
import { AuditLog } from '../tools/demo/audit-log.ts';
import { AlertSender } from './parts/alerts.ts';
import { cpuMs, idle, setClock, settle, wallClock } from './parts/clock.ts';
import { patchedAt } from './parts/patched.ts';
import { deployPods, inParallel, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { type Distribution, distribution, loadNow, round, writeResult } from './report.ts';

const count = Number(process.env.BENCH_COUNT ?? 100);
const warmUps = 10;
/** Each kind of measurement has its pods in its own namespace. */
const namespaces = {
  'bench-warm-up': warmUps * 2,
  'bench-alert-single': count,
  'bench-plain-single': count,
  'bench-alert-burst': count,
  'bench-plain-burst': count,
  'bench-alert-used': count,
  'bench-plain-used': count,
  'bench-alert-crowded': count,
  'bench-plain-crowded': count,
} as const;
const openIncidents = Number(process.env.BENCH_OPEN ?? 1_000);
/** No playbook matches it: its incident is open, but asks nobody. */
const isOnlySeen = { rule: 'Create Symlink Over Sensitive Files', priority: 'Notice' } as const;
/** As many labels and bytes as the quarantine writes, under names that Firebreak ignores. */
const plainLabels = { 'benchmark.dev/quarantine': 'active', 'benchmark.dev/incident': '0'.repeat(32) };

type Namespace = keyof typeof namespaces;

const stage = await openStage({
  nodes: ['node-a', 'node-b'],
  flushes: true,
  prepare: (api) => deployPods(api, namespaces),
  configure: (config) => ({ ...config, incidents: { lingerSeconds: 86_400 } }),
});
try {
  await measure();
} finally {
  await stage.stop();
}

async function measure(): Promise<void> {
  const { platform, settings, pids } = stage;
  const log = new AuditLog(platform.kubernetes.auditLog);
  const sender = new AlertSender(settings);
  const plain = createKubernetesApi({
    access: await accessFromKubeconfig({ file: platform.kubernetes.kubeconfig }),
    maxSockets: 100,
  });
  const targets = new Map<Namespace, readonly PodTarget[]>();
  for (const [namespace, pods] of Object.entries(namespaces))
    targets.set(namespace as Namespace, await podsWhenRunning(stage.api, namespace, pods));
  const podsOf = (namespace: Namespace): readonly PodTarget[] => targets.get(namespace) ?? [];
  const answers: number[] = [];
  const alert = async (pod: PodTarget): Promise<number> => {
    const { sentAt, answered } = await sender.alert(pod);
    answers.push(answered);
    return sentAt;
  };
  const [first, ...others] = podsOf('bench-warm-up');
  if (!first) throw new Error('no pods');
  await alert(first);
  await patchedAt(log, first);
  const annotations = await sampleAnnotations(first);
  const patch = async (pod: PodTarget): Promise<number> => {
    const sentAt = wallClock();
    await replacePodLabels({ api: plain, pod, labels: plainLabels, annotations });
    return sentAt;
  };
  for (const [index, pod] of others.entries()) {
    await settle(pids);
    await (index % 2 === 0 ? patch(pod) : alert(pod));
  }

  const single = { alert: [] as number[], plain: [] as number[] };
  answers.length = 0;
  for (const [index, pod] of podsOf('bench-alert-single').entries()) {
    await settle(pids);
    const sentAt = await alert(pod);
    single.alert.push((await patchedAt(log, pod)) - sentAt);
    const other = podsOf('bench-plain-single')[index];
    if (!other) continue;
    await settle(pids);
    const patchSentAt = await patch(other);
    single.plain.push((await patchedAt(log, other)) - patchSentAt);
  }
  const answered = distribution(answers);

  await settle(pids);
  const burst = async (pods: readonly PodTarget[], send: (pod: PodTarget) => Promise<number>): Promise<Burst> => {
    await idle({ pids, share: 0.3, withinMs: 15_000 });
    setClock();
    const cpuBefore = cpuMs(stage.servicePid);
    const begun = wallClock();
    const sent = Promise.all(pods.map(send));
    const patched: number[] = [];
    for (const pod of pods) patched.push((await patchedAt(log, pod, 60_000)) - begun);
    const cpuEach = round((cpuMs(stage.servicePid) - cpuBefore) / pods.length);
    await sent;
    return { ...distribution(patched), cpuEach };
  };
  const warmPlain = Array.from({ length: 100 }, () =>
    plain.json({ method: 'GET', path: pathOf({ resource: 'namespaces', name: 'default' }), what: 'get namespaces' }),
  );
  await Promise.all(warmPlain);
  const plainBurst = await burst(podsOf('bench-plain-burst'), patch);
  await sender.warm(100);
  const alertBurst = await burst(podsOf('bench-alert-burst'), alert);
  await sleep(3_000);
  // The alert and the plain call, each under the same load.
  const used = await besideBusyLoop(async () => ({
    plain: await burst(podsOf('bench-plain-used'), patch),
    alert: await burst(podsOf('bench-alert-used'), alert),
  }));
  // Before those that ask nobody.
  const histories = distribution(await stage.historyLengths(50));
  await inParallel(Array.from({ length: openIncidents }), 10, (_, index) =>
    sender.alert({ namespace: 'bench-open', name: `open${index}` }, isOnlySeen),
  );
  const open = await stage.incidentsOpen(openIncidents, 300_000);
  const crowded = {
    plain: await burst(podsOf('bench-plain-crowded'), patch),
    alert: await burst(podsOf('bench-alert-crowded'), alert),
  };

  const alone = { alert: distribution(single.alert), plain: distribution(single.plain) };
  const ratio = { p50: round(alone.alert.p50 / alone.plain.p50), p99: round(alone.alert.p99 / alone.plain.p99) };
  writeResult({
    name: 'alert-to-containment',
    what: 'Milliseconds from the POST of an alert until the API server has answered the label patch of the quarantine (its audit log, ResponseComplete; the standing policy is in place), and the same for the bare patch of another pod. cpuEach: processor time of the whole service for each pod of a burst until the last is contained, ms',
    figures: {
      'one at a time': alone.alert,
      'one at a time, plain call': alone.plain,
      'ratio p50': ratio.p50,
      'ratio p99': ratio.p99,
      'answer to the sender': answered,
      [`burst of ${count}`]: alertBurst,
      [`burst of ${count}, plain calls`]: plainBurst,
      'ratio of the last of the burst': round(alertBurst.max / plainBurst.max),
      [`burst of ${count} beside a busy loop`]: used.alert,
      [`burst of ${count} beside a busy loop, plain calls`]: used.plain,
      'ratio of the last beside a busy loop': round(used.alert.max / used.plain.max),
      [`burst of ${count} with ${open} incidents open`]: crowded.alert,
      [`burst of ${count} with ${open} incidents open, plain calls`]: crowded.plain,
      'ratio of the last with incidents open': round(crowded.alert.max / crowded.plain.max),
      'events per incident with its question open': histories,
    },
    goals: [
      goal('one at a time, p50', ratio.p50, 2, '× plain', `${alone.alert.p50} ms, plain ${alone.plain.p50} ms`),
      goal('one at a time, p99', ratio.p99, 4, '× plain', `${alone.alert.p99} ms, plain ${alone.plain.p99} ms`),
      lastOf(`burst of ${count}, last`, { alert: alertBurst, plain: plainBurst }, 3),
      lastOf(`burst of ${count} beside a busy loop, last`, used, 4),
    ],
    limitedBy: [
      'One at a time: the alert is decoded, resolved and flushed to the disk of the spool while its containment is planned; then comes the same patch as the plain one.',
      'etcd flushes each write to the disk, as in a cluster. Earlier figures are without that, for both kinds of call.',
      'The burst: processor time of service, Temporal and API server. The starts of the incidents wait until no containment is underway.',
      `${loadNow()} Everything here ran at priority ${getPriority()} (0 is the usual one).`,
    ],
  });
  sender.close();
  plain.close();
}

function goal(what: string, value: number, most: number, unit: string, beside: string) {
  return { what, goal: `at most ${most}${unit}`, measured: `${value}${unit} (${beside})`, met: value <= most };
}

/** When each pod was patched, and the processor time of the whole service per pod until the last patch. */
type Burst = Distribution & { readonly cpuEach: number };

function lastOf(what: string, { alert, plain }: { readonly alert: Burst; readonly plain: Burst }, most: number) {
  return goal(what, round(alert.max / plain.max), most, '× plain', `${alert.max} ms, plain ${plain.max} ms`);
}

/** The same, while another program uses as much as it can get of one core. */
async function besideBusyLoop<T>(work: () => Promise<T>): Promise<T> {
  // Ends by itself if this process is killed.
  const loop = spawn(process.execPath, ['-e', 'for (const end = Date.now() + 180_000; Date.now() < end; );'], {
    stdio: 'ignore',
  });
  try {
    return await work();
  } finally {
    loop.kill('SIGKILL');
  }
}

async function sampleAnnotations(pod: PodTarget): Promise<Readonly<Record<string, string>>> {
  const path = pathOf({ namespace: pod.namespace, resource: 'pods', name: pod.name });
  const { metadata } = await stage.api.json<{ readonly metadata: { readonly annotations: Readonly<Record<string, string>> } }>({
    method: 'GET',
    path,
    what: 'get pods',
  });
  const written = [names.incidentAnnotation, names.stepAnnotation, names.beforeAnnotation];
  return Object.fromEntries(
    written.map((name, index) => [
      `benchmark.dev/n${index}`.padEnd(name.length, 'x').slice(0, name.length),
      metadata.annotations[name] ?? '',
    ]),
  );
}
