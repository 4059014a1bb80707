import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../service/commands/session.ts';
import { incidentState } from '../service/incidents/session.ts';
import { AuditLog, isFirebreaks, isWrite } from '../tools/demo/audit-log.ts';
import { AlertSender } from './parts/alerts.ts';
import { readArrived } from './parts/arrived.ts';
import { NumberedLoad } from './parts/numbered-load.ts';
import { OpenLoop } from './parts/open-loop.ts';
import { PatchedPods } from './parts/patched.ts';
import { deployPods, inParallel, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { watchService } from './parts/watch-service.ts';
import { distribution, type Goal, loadNow, printGoals, round, say, writeResult } from './report.ts';

const awaySeconds = Number(process.env.BENCH_AWAY_S ?? 600);
const perSecond = Number(process.env.BENCH_RATE ?? 64);
/** Seconds of load before Temporal goes away, and after it is back. */
const besideSeconds = Math.min(20, awaySeconds);
const connections = 64;
/** A multiple of the connections: each workload's alerts use one of them, so they arrive in the order in which they are sent. */
const workloads = 320;
const criticalEveryMs = 20_000;
const criticals = Math.ceil((awaySeconds * 1_000 - 1_000) / criticalEveryMs);
const namespaces = { load: 'bench-load', critical: 'bench-critical' } as const;

const stage = await openStage({
  nodes: ['node-a', 'node-b'],
  prepare: (api) => deployPods(api, { [namespaces.critical]: criticals + 1 }),
  // An incident that is open when Temporal goes away is due to end when it is back, as with ten minutes and the service's default.
  configure: (config) => ({ ...config, incidents: { lingerSeconds: awaySeconds / 2 } }),
});
const watched = watchService({ pid: stage.servicePid, url: stage.settings.intakeUrl });
try {
  await measure();
} finally {
  watched.stop();
  await stage.stop();
}

async function measure(): Promise<void> {
  const { platform, settings } = stage;
  const log = new AuditLog(platform.kubernetes.auditLog);
  const patched = new PatchedPods(platform.kubernetes.auditLog);
  const [first, ...pods] = await podsWhenRunning(stage.api, namespaces.critical, criticals + 1);
  if (!first) throw new Error('no pods');
  const sender = new AlertSender(settings, 4);
  await sender.alert(first);
  await patched.at(first);

  const load = new NumberedLoad({ namespace: namespaces.load, workloads });
  const loop = new OpenLoop({ path: '/v1/alerts/falco', token: settings.falcoToken });
  await loop.open(settings.intakeUrl, connections);
  // Whole rounds, so that a workload keeps its connection from part to part.
  const run = (seconds: number) =>
    loop.run({
      count: Math.ceil((perSecond * seconds) / connections) * connections,
      perSecond,
      ...load.part({ perSecond }),
    });
  say(`${perSecond} alerts a second for ${besideSeconds} s`);
  const before = await run(besideSeconds);

  const { pid } = platform.temporal;
  if (pid === undefined) throw new Error('the Temporal server of TEMPORAL_ADDRESS was not started here and cannot be stopped');
  say(`Temporal is killed, and stays away for ${awaySeconds} s`);
  process.kill(pid, 'SIGKILL');
  const wentAt = performance.now();
  const [away, contained] = await Promise.all([run(awaySeconds), contain(pods, { sender, patched, wentAt })]);
  const peak = watched.peak();
  say(`${away.accepted} alerts accepted meanwhile; Temporal is started again`);
  let [servesAt, awayForMs] = [0, 0];
  const restart = platform.temporal.restart().then(() => {
    [servesAt, awayForMs] = [Date.now(), performance.now() - wentAt];
  });
  const [after] = await Promise.all([run(besideSeconds), restart]);
  await watched.nothingWaits(600_000);
  loop.close();
  sender.close();

  const session = await connect({ config: settings.configFile });
  const prefix = `incident/bench/${namespaces.load}/`;
  const read = () => readArrived({ client: session.client, prefix, accepted: load.accepted(), until: servesAt });
  let arrived = await read();
  // The list of incidents lags behind the incidents.
  for (let tries = 0; tries < 10 && arrived.lost > 0; tries += 1) {
    await sleep(2_000);
    arrived = await read();
  }
  const adopted = await inAll(pods, async ({ name }) => {
    const id = `incident/bench/${namespaces.critical}/Deployment/${name.replace(/-[^-]+-[^-]+$/, '')}`;
    for (let tries = 0; tries < 240; tries += 1) {
      const { leases } = await incidentState(session, { id }).catch(() => ({ leases: [] }));
      if (leases.some(({ action, state }) => action === 'quarantinePod' && state === 'active')) return true;
      await sleep(250);
    }
    return false;
  });
  await session.close();
  const patches = log.events().filter((event) => isFirebreaks(event) && isWrite(event) && event.verb === 'patch');
  const timesOf = ({ name }: PodTarget): number =>
    patches.filter(({ objectRef }) => objectRef?.resource === 'pods' && objectRef.name === name).length;

  const answers = distribution(away.latenciesMs);
  const criticalMs = distribution(contained);
  const unanswered = [before, away, after].reduce((sum, { sent, latenciesMs }) => sum + sent - latenciesMs.length, 0);
  const allAfterS = round((arrived.lastAt - servesAt) / 1_000);
  const once = pods.filter((pod) => timesOf(pod) === 1).length;
  const result = {
    name: 'temporal-away',
    what: `The whole service on real servers while Temporal is killed and stays away for ${awaySeconds} s: ${perSecond} low and high alerts a second over ${workloads} workloads throughout (open loop, one a request, ${connections} connections), and a critical alert about another pod every ${criticalEveryMs / 1_000} s. Counted from what the incidents’ workflows report afterwards; the order is from their histories`,
    figures: {
      'Temporal away, s': round(awayForMs / 1_000),
      'critical alert to its pod’s containment while Temporal is away, ms': criticalMs,
      'answer while Temporal is away, ms': answers,
      'answer before, ms': distribution(before.latenciesMs),
      'answer after its return, while the backlog goes to it, ms': distribution(after.latenciesMs),
      'answers 503': load.answers(503),
      'answers but 200': load.answers(),
      'requests without an answer': unanswered,
      'alerts accepted': load.count,
      'answers 200 while Temporal was away': away.accepted,
      'sent again with the same bytes': load.answeredTwice,
      'counted by the incidents': arrived.counted,
      incidents: arrived.incidents,
      'runs of them': arrived.runs,
      lost: arrived.lost,
      'counted twice': arrived.twice,
      'out of order': arrived.outOfOrder,
      'from Temporal’s return until it had all of the outage, s': allAfterS,
      'spool at the peak, MB': round(peak.spoolBytes / 1e6),
      'memory of the whole service until Temporal’s return, peak of RssAnon, MB': round(peak.anonMb),
      'memory of the whole service over all, peak of RssAnon, MB': round(watched.peak().anonMb),
      'pods contained exactly once': once,
      'containments that their incidents hold': adopted.filter(Boolean).length,
    },
    goals: [
      zero('lost', arrived.lost),
      zero('counted twice', arrived.twice),
      zero('out of order', arrived.outOfOrder),
      zero('answers other than 200, or none', load.answers() + unanswered),
      {
        what: 'critical alert contained while Temporal is away, slowest',
        goal: 'at most 1000 ms',
        measured: `${criticalMs.max} ms (n ${criticalMs.count})`,
        met: criticalMs.max <= 1_000,
      },
      {
        what: 'pods contained once, and held by their incidents',
        goal: `${pods.length}`,
        measured: `${once}, ${adopted.filter(Boolean).length}`,
        met: once === pods.length && adopted.every(Boolean),
      },
    ],
    limitedBy: [
      'Once Temporal is back, its dev server and the worker share two cores with the sender, the API server and the service.',
      loadNow(),
    ],
  };
  say(JSON.stringify(result.figures));
  writeResult(result);
  printGoals(result.goals);
  if (result.goals.some(({ met }) => !met)) process.exitCode = 1;
}

/** Posts an alert about each pod when it is due, and waits until the API server has answered its patch; returns how long each took, ms. */
async function contain(
  pods: readonly PodTarget[],
  { sender, patched, wentAt }: { readonly sender: AlertSender; readonly patched: PatchedPods; readonly wentAt: number },
): Promise<readonly number[]> {
  const took: number[] = [];
  for (const [index, pod] of pods.entries()) {
    await sleep(Math.max(0, wentAt + 1_000 + index * criticalEveryMs - performance.now()));
    const { sentAt } = await sender.alert(pod);
    const ms = (await patched.at(pod)) - sentAt;
    say(`critical alert ${index + 1} of ${pods.length}: contained after ${round(ms)} ms`);
    took.push(ms);
  }
  return took;
}

async function inAll<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<readonly Result[]> {
  const results: Result[] = [];
  await inParallel(items, 8, async (item, index) => {
    results[index] = await work(item);
  });
  return results;
}

function zero(what: string, value: number): Goal {
  return { what, goal: '0', measured: String(value), met: value === 0 };
}
