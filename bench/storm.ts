import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AuditLog, isWrite } from '../service/demo/audit-log.ts';
import { AlertSender, alertAbout } from './alerts.ts';
import { microseconds, setClock, wallClock } from './clock.ts';
import { OpenLoop } from './open-loop.ts';
import { distribution, round, writeResult } from './report.ts';
import { inParallel, makeDeployment, makeNamespace, openStage, podsWhenRunning } from './stage.ts';

const scale = Number(process.env.BENCH_SCALE ?? 1);
const criticals = Number(process.env.BENCH_COUNT ?? 40);
const everyMs = 500;
const workloads = 5_000;
const namespace = 'bench-storm';

/** The whole service on real servers, as fast a storm of low alerts as it takes, and critical alerts about real pods in the middle of it. */
const stage = await openStage({
  nodes: ['node-a', 'node-b'],
  prepare: async (api) => {
    await makeNamespace(api, namespace);
    await inParallel(Array.from({ length: criticals + 1 }), 8, (_, index) => makeDeployment(api, namespace, `app-${index}`));
    await podsWhenRunning(api, namespace, criticals + 1);
  },
});
let peakMb = 0;
const sampling = setInterval(() => {
  const status = readFileSync(`/proc/${stage.servicePid}/status`, 'utf8');
  peakMb = Math.max(peakMb, Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}, 100);
try {
  await measure();
} finally {
  clearInterval(sampling);
  await stage.stop();
}

async function measure(): Promise<void> {
  const { settings, platform } = stage;
  const log = new AuditLog(platform.kubernetes.auditLog);
  const [first, ...pods] = await podsWhenRunning(stage.api, namespace, criticals + 1);
  if (!first) throw new Error('no pods');
  const sender = new AlertSender(settings, 4);
  const patchedAt = async (name: string): Promise<number> => {
    const event = await log.first(
      `label patch of ${name}`,
      120_000,
      (seen) => isWrite(seen) && seen.verb === 'patch' && seen.objectRef?.resource === 'pods' && seen.objectRef.name === name,
    );
    return microseconds(event.stageTimestamp);
  };
  await sender.post(alertAbout(first));
  await patchedAt(first.name);
  await sleep(3_000);
  setClock();

  const loop = new OpenLoop({ path: '/v1/alerts/falco', token: settings.falcoToken });
  await loop.open(settings.intakeUrl, 64);
  const storm = loop.run({ count: Math.round(100_000 * scale), inFlight: 512, body: (index) => lowAlert(index) });
  let isOver = false;
  void storm.then(() => {
    isOver = true;
  });
  const posted: { readonly name: string; readonly at: number; readonly answered: number; readonly inStorm: boolean }[] = [];
  for (const pod of pods) {
    await sleep(everyMs);
    const at = wallClock();
    const status = await sender.post(alertAbout(pod));
    if (status !== 200) throw new Error(`a critical alert was answered ${status}`);
    posted.push({ name: pod.name, at, answered: wallClock() - at, inStorm: !isOver });
  }
  const { accepted, sent, seconds } = await storm;
  const contained: number[] = [];
  const draining: number[] = [];
  for (const { name, at, inStorm } of posted) (inStorm ? contained : draining).push((await patchedAt(name)) - at);
  loop.close();
  sender.close();
  const during = distribution(contained);
  writeResult({
    name: 'storm',
    what: `Milliseconds from the POST of a critical alert until the API server has answered the quarantine’s patch, while low alerts over ${workloads} workloads come as fast as they are taken (one a request, 64 connections); all roles, all servers and the senders on the same machine`,
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
  const body = JSON.parse(alertAbout({ namespace: 'storm', name: `app${index % workloads}-0` }));
  const time = `${new Date().toISOString().slice(0, 19)}.${String(index % 1e9).padStart(9, '0')}Z`;
  return JSON.stringify({ ...body, priority: 'Notice', time });
}
