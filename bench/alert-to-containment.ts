import { spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../core/cluster/labels.ts';
import { createKubernetesApi, pathOf } from '../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../integrations/kubernetes/kubeconfig.ts';
import { replacePodLabels } from '../integrations/kubernetes/pods/pods.ts';
import { AlertSender } from './parts/alerts.ts';
import { cpuMs, idle, settle, wallClock } from './parts/clock.ts';
import { PatchedPods } from './parts/patched.ts';
import { deployPods, inParallel, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { type Distribution, distribution, loadNow, round, say, writeResult } from './report.ts';

const count = Number(process.env.BENCH_COUNT ?? 100);
const warmUps = 10;
/** One burst says little: the plain one alone took from 150 to 380 ms within an hour. So each kind comes several times, in turns. */
const mostRounds = Number(process.env.BENCH_ROUNDS ?? 5);
const rounds = { quiet: mostRounds, used: Math.min(3, mostRounds), crowded: Math.min(3, mostRounds) } as const;
/** Longest wait for the service to rest before a quiet burst: the incidents of the burst before ask people, a card a second. */
const restSeconds = Number(process.env.BENCH_REST_S ?? 180);

type Surrounding = keyof typeof rounds;

/** Each kind of measurement, and each burst, has its pods in its own namespace. */
const namespaces: Readonly<Record<string, number>> = {
  'bench-warm-up': warmUps * 2,
  'bench-alert-single': count,
  'bench-plain-single': count,
  ...Object.fromEntries(
    Object.entries(rounds).flatMap(([name, times]) =>
      Array.from({ length: times }, (_, at) => [
        [`bench-alert-${name}-${at}`, count],
        [`bench-plain-${name}-${at}`, count],
      ]).flat(),
    ),
  ),
};
const openIncidents = Number(process.env.BENCH_OPEN ?? 1_000);
/** No playbook matches it: its incident is open, but asks nobody. */
const isOnlySeen = { rule: 'Create Symlink Over Sensitive Files', priority: 'Notice' } as const;
/** As many labels and bytes as the quarantine writes, under names that Firebreak ignores. */
const plainLabels = { 'benchmark.dev/quarantine': 'active', 'benchmark.dev/incident': '0'.repeat(32) };

const stage = await openStage({
  // A node has room for 1 000 pods.
  nodes: ['node-a', 'node-b', 'node-c'],
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
  const patched = new PatchedPods(platform.kubernetes.auditLog);
  const sender = new AlertSender(settings);
  const plain = createKubernetesApi({
    access: await accessFromKubeconfig({ file: platform.kubernetes.kubeconfig }),
    maxSockets: 100,
  });
  say(`waits for ${Object.values(namespaces).reduce((sum, pods) => sum + pods, 0)} pods`);
  const targets = new Map<string, readonly PodTarget[]>();
  for (const [namespace, pods] of Object.entries(namespaces))
    targets.set(namespace, await podsWhenRunning(stage.api, namespace, pods));
  const podsOf = (namespace: string): readonly PodTarget[] => targets.get(namespace) ?? [];
  const answers: number[] = [];
  const alert = async (pod: PodTarget): Promise<number> => {
    const { sentAt, answered } = await sender.alert(pod);
    answers.push(answered);
    return sentAt;
  };
  say('warms up');
  const [first, ...others] = podsOf('bench-warm-up');
  if (!first) throw new Error('no pods');
  await alert(first);
  await patched.at(first);
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
    single.alert.push((await patched.at(pod)) - sentAt);
    const other = podsOf('bench-plain-single')[index];
    if (!other) continue;
    await settle(pids);
    const patchSentAt = await patch(other);
    single.plain.push((await patched.at(other)) - patchSentAt);
    if (index % 10 === 9)
      say(
        `${index + 1} of ${count} one at a time: p50 ${distribution(single.alert).p50} ms, plain ${distribution(single.plain).p50} ms`,
      );
  }
  const answered = distribution(answers);

  await settle(pids);
  const namespace = { method: 'GET', path: pathOf({ resource: 'namespaces', name: 'default' }), what: 'get namespaces' } as const;
  const kinds: Readonly<Record<'plain' | 'alert', Sending>> = {
    plain: {
      warm: () => Promise.all(Array.from({ length: count }, () => plain.json(namespace))),
      send: patch,
    },
    alert: { warm: () => sender.warm(count), send: alert },
  };
  const burst = async (surrounding: Surrounding, pods: readonly PodTarget[], { warm, send }: Sending): Promise<Burst> => {
    // The incidents of the burst before ask people, file tickets and look again for a while.
    const withinMs = Math.min(1_000 * restSeconds, surrounding === 'quiet' ? Number.POSITIVE_INFINITY : 15_000);
    const isAtRest = await idle({ pids, share: 0.1, forMs: 2_000, withinMs });
    if (!isAtRest && surrounding === 'quiet') restless += 1;
    // What sends has its connections, and its own code has been compiled. The service has rested.
    await warm();
    await settle(pids);
    const cpuBefore = cpuMs(stage.servicePid);
    const begun = wallClock();
    const sent = Promise.all(pods.map(send));
    const took: number[] = [];
    for (const pod of pods) took.push((await patched.at(pod, 60_000)) - begun);
    const cpuEach = round((cpuMs(stage.servicePid) - cpuBefore) / pods.length);
    await sent;
    return { ...distribution(took), cpuEach };
  };
  let restless = 0;
  const bursts = async (surrounding: Surrounding): Promise<Bursts> => {
    const all = { plain: [] as Burst[], alert: [] as Burst[] };
    for (let at = 0; at < rounds[surrounding]; at += 1) {
      for (const kind of ['plain', 'alert'] as const) {
        const one = await burst(surrounding, podsOf(`bench-${kind}-${surrounding}-${at}`), kinds[kind]);
        all[kind].push(one);
        say(`burst ${at + 1} of ${rounds[surrounding]} (${surrounding}, ${kind}): the last of ${count} after ${one.max} ms`);
      }
      await sleep(3_000);
    }
    return all;
  };
  const quiet = await bursts('quiet');
  const used = await besideBusyLoop(() => bursts('used'));
  // Before those that ask nobody.
  const histories = distribution(await stage.historyLengths(50));
  const openBefore = await stage.incidentsOpen(1, 60_000);
  say(`opens ${openIncidents} more incidents`);
  await inParallel(Array.from({ length: openIncidents }), 10, (_, index) =>
    sender.alert({ namespace: 'bench-open', name: `open${index}` }, isOnlySeen),
  );
  const open = await stage.incidentsOpen(openBefore + openIncidents, 300_000);
  const crowded = await bursts('crowded');

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
      ...burstRows(`burst of ${count}`, quiet),
      ...burstRows(`burst of ${count} beside a busy loop`, used),
      ...burstRows(`burst of ${count} with ${open} incidents open`, crowded),
      'events per incident with its question open': histories,
    },
    goals: [
      goal('one at a time, p50', ratio.p50, 2, '× plain', `${alone.alert.p50} ms, plain ${alone.plain.p50} ms`),
      goal('one at a time, p99', ratio.p99, 4, '× plain', `${alone.alert.p99} ms, plain ${alone.plain.p99} ms`),
      lastOf(`burst of ${count}, last`, quiet, 3),
      lastOf(`burst of ${count} beside a busy loop, last`, used, 4),
    ],
    limitedBy: [
      'One at a time: the alert is decoded, resolved and flushed to the disk of the spool while its containment is planned; then comes the same patch as the plain one.',
      'etcd flushes each write to the disk, as in a cluster. Earlier figures are without that, for both kinds of call.',
      'The burst: processor time of service, Temporal and API server. The starts of the incidents wait until no containment is underway.',
      `Before ${restless} of ${2 * rounds.quiet} quiet bursts the service was not at rest after ${restSeconds} s.`,
      `${loadNow()} Everything here ran at priority ${getPriority()} (0 is the usual one).`,
    ],
  });
  sender.close();
  plain.close();
}

function goal(what: string, value: number, most: number, unit: string, beside: string) {
  return { what, goal: `at most ${most}${unit}`, measured: `${value}${unit} (${beside})`, met: value <= most };
}

/** One of the two things that are compared. */
interface Sending {
  /** Opens the connections of what sends. */
  readonly warm: () => Promise<unknown>;
  /** Returns when it was sent, by `wallClock`. */
  readonly send: (pod: PodTarget) => Promise<number>;
}

/** When each pod was patched, and the processor time of the whole service per pod until the last patch. */
type Burst = Distribution & { readonly cpuEach: number };

/** One burst per round. */
interface Bursts {
  readonly alert: readonly Burst[];
  readonly plain: readonly Burst[];
}

/** The middle one of the rounds, by its last pod. */
function middle(bursts: readonly Burst[]): Burst {
  const found = bursts.toSorted((a, b) => a.max - b.max)[Math.floor(bursts.length / 2)];
  if (!found) throw new Error('no burst');
  return found;
}

function burstRows(name: string, { alert, plain }: Bursts): Readonly<Record<string, Burst | string>> {
  const each = alert.map(({ max }, at) => `${max} / ${plain[at]?.max} = ${round(max / (plain[at]?.max ?? Number.NaN))}`);
  return {
    [`${name} (the middle one of ${alert.length})`]: middle(alert),
    [`${name}, plain calls (the middle one of ${plain.length})`]: middle(plain),
    [`${name}, last / last of the plain calls, each round`]: each.join(', '),
  };
}

function lastOf(what: string, { alert, plain }: Bursts, most: number) {
  const [ours, bare] = [middle(alert).max, middle(plain).max];
  return goal(`${what} (the middle one of ${alert.length})`, round(ours / bare), most, '× plain', `${ours} ms, plain ${bare} ms`);
}

/** The same, while another program uses as much as it can get of one core. */
async function besideBusyLoop<T>(work: () => Promise<T>): Promise<T> {
  // Ends by itself if this process is killed.
  const loop = spawn(process.execPath, ['-e', 'for (const end = Date.now() + 600_000; Date.now() < end; );'], {
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
