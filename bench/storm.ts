import { setTimeout as sleep } from 'node:timers/promises';
import { AlertSender, alertAbout, timeOf } from './parts/alerts.ts';
import { setClock } from './parts/clock.ts';
import { OpenLoop } from './parts/open-loop.ts';
import { PatchedPods } from './parts/patched.ts';
import { anonMb } from './parts/process-stat.ts';
import { deployPods, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { distribution, round, say, writeResult } from './report.ts';

const scale = Number(process.env.BENCH_SCALE ?? 1);
const criticals = Number(process.env.BENCH_COUNT ?? 40);
const everyMs = 500;
const workloads = 5_000;
const namespace = 'bench-storm';
/** Longest wait until a pod is contained, ms. */
const longest = 120_000;

/** The whole service on real servers, a storm of low alerts as fast as it accepts them, and critical alerts about real pods in the middle of it. */
const stage = await openStage({
  nodes: ['node-a', 'node-b'],
  prepare: (api) => deployPods(api, { [namespace]: criticals + 1 }),
});
let peakMb = 0;
const sampling = setInterval(() => {
  peakMb = Math.max(peakMb, anonMb(stage.servicePid));
}, 100);
try {
  await measure();
} finally {
  clearInterval(sampling);
  await stage.stop();
}

async function measure(): Promise<void> {
  const { settings, platform } = stage;
  const patched = new PatchedPods(platform.kubernetes.auditLog);
  const [first, ...pods] = await podsWhenRunning(stage.api, namespace, criticals + 1);
  if (!first) throw new Error('no pods');
  const sender = new AlertSender(settings, 4);
  await sender.alert(first);
  await patched.at(first, longest);
  await sleep(3_000);
  setClock();

  const loop = new OpenLoop({ path: '/v1/alerts/falco', token: settings.falcoToken });
  await loop.open(settings.intakeUrl, 64);
  const storm = loop.run({ count: Math.round(100_000 * scale), inFlight: 512, body: (index) => lowAlert(index) });
  let isOver = false;
  void storm.then(() => {
    isOver = true;
  });
  const posted: { readonly pod: PodTarget; readonly sentAt: number; readonly answered: number; readonly inStorm: boolean }[] = [];
  for (const pod of pods) {
    await sleep(everyMs);
    posted.push({ pod, ...(await sender.alert(pod)), inStorm: !isOver });
    if (posted.length % 10 === 0)
      say(`${posted.length} of ${criticals} critical alerts posted${isOver ? ', after the storm' : ''}`);
  }
  const { accepted, sent, seconds } = await storm;
  const contained: number[] = [];
  const draining: number[] = [];
  for (const { pod, sentAt, inStorm } of posted) (inStorm ? contained : draining).push((await patched.at(pod, longest)) - sentAt);
  say(`${accepted} of ${sent} low alerts accepted in ${round(seconds)} s`);
  loop.close();
  sender.close();
  const during = distribution(contained);
  writeResult({
    name: 'storm',
    what: `Milliseconds from the POST of a critical alert until the API server has answered the quarantine’s patch, while low alerts over ${workloads} workloads arrive as fast as they are accepted (one per request, 64 connections); all roles, all servers and the senders on the same machine`,
    figures: {
      'contained, posted while the storm came in': during,
      ...(draining.length > 0 && { 'contained, posted while its incidents were still being started': distribution(draining) }),
      'answer to the critical alert': distribution(posted.map(({ answered }) => answered)),
      'low alerts sent': sent,
      'low alerts accepted': accepted,
      'low alerts accepted a second': round(accepted / seconds),
      'peak memory of the whole service, RssAnon, MB': round(peakMb),
    },
    goals: [
      {
        what: 'critical alert contained in the storm, p99',
        goal: 'at most 1000 ms',
        measured: `${during.p99} ms (n ${during.count})`,
        met: during.p99 <= 1_000,
      },
    ],
    limitedBy: ['Two cores for the senders, Temporal, the API server with its controllers, and all roles of Firebreak.'],
  });
}

function lowAlert(index: number): string {
  return alertAbout({ namespace: 'storm', name: `app${index % workloads}-0` }, { priority: 'Notice', time: timeOf(index) });
}
