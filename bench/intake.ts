import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { serviceNodeFlags } from '../service/dev/node-flags.mjs';
import { startTemporal } from '../service/dev/temporal-server.ts';
import { cpuMs } from './clock.ts';
import { type FarEnd, readFarEnd } from './far-end.ts';
import { type LoadResult, OpenLoop } from './open-loop.ts';
import { type BenchResult, distribution, round, writeResult } from './report.ts';

const token = 'a-token-of-the-benchmark';
const connections = 64;
const scale = Number(process.env.BENCH_SCALE ?? 1);
const goals = { oneWorkload: 10_000, manyWorkloads: 3_000, p99Ms: 50, memoryMb: 600, idleShare: 0.01 };

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-intake-'));
const temporal = await startTemporal({ stateDir: folder });
const bundle = join(folder, 'bundle.js');
const { code } = await bundleWorkflowCode({
  workflowsPath: join(import.meta.dirname, 'counting-incident.ts'),
  logger: new DefaultLogger('WARN'),
});
writeFileSync(bundle, code);
const program = join(import.meta.dirname, 'intake-server.ts');
const server = spawn(
  process.execPath,
  [...serviceNodeFlags, program, temporal.address, temporal.namespace, join(folder, 'spool'), token, bundle],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const url = await new Promise<string>((done, fail) => {
  server.stdout.once('data', (data) => done(String(data).trim()));
  server.once('exit', (code) => fail(new Error(`the intake ended with ${code}`)));
});
const pid = server.pid ?? 0;
const client = new Client({ connection: await Connection.connect({ address: temporal.address }), namespace: temporal.namespace });
const loop = new OpenLoop({ path: '/v1/alerts/falco', token });

const captured = JSON.parse(
  readFileSync(
    join(import.meta.dirname, '..', 'test', 'fixtures', 'alerts', 'falco', '05-fileless_execution_via_memfd_create.json'),
    'utf8',
  ),
);
let serial = 0;

/** A captured alert with a time and a pod of its own. */
function alertOf(namespace: string, workload: number, priority = 'Notice'): string {
  serial += 1;
  const fields = { ...captured.output_fields, 'k8s.ns.name': namespace, 'k8s.pod.name': `app${workload}-0` };
  const time = `${new Date().toISOString().slice(0, 19)}.${String(serial % 1e9).padStart(9, '0')}Z`;
  return JSON.stringify({ ...captured, priority, time, output_fields: fields });
}

let peakAnonMb = 0;
let peakFileMb = 0;
let peakRssMb = 0;
const sampling = setInterval(() => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1_024;
  peakAnonMb = Math.max(peakAnonMb, of('RssAnon'));
  peakFileMb = Math.max(peakFileMb, of('RssFile'));
  peakRssMb = Math.max(peakRssMb, of('VmHWM'));
}, 100);

interface Timestamp {
  readonly seconds?: unknown;
  readonly nanos?: number | null;
}

interface Measured {
  readonly name: string;
  readonly fast: LoadResult;
  readonly steady: LoadResult;
  readonly perSecond: number;
  readonly far: FarEnd;
  readonly cpuMsPerThousand: number;
  readonly drainSeconds: number;
}

interface Load {
  readonly workloads: number;
  readonly count: number;
  readonly goal: number;
  readonly perRequest?: number;
}

/** At half the goal, then as fast as it takes them; then everything is counted at the far end. */
async function measure(name: string, { workloads, count, goal, perRequest = 1 }: Load): Promise<Measured> {
  const body = (index: number): string =>
    Array.from({ length: perRequest }, (_, place) => alertOf(name, (index * perRequest + place) % workloads)).join('\n');
  const requests = Math.ceil(count / perRequest);
  const perSecond = goal / 2 / perRequest;
  const steady = await loop.run({ count: Math.round(perSecond * 8 * scale), perSecond, body, alerts: perRequest });
  const before = cpuMs(pid);
  const fast = await loop.run({ count: requests, inFlight: Math.ceil(512 / perRequest), body, alerts: perRequest });
  const cpu = cpuMs(pid) - before;
  const began = performance.now();
  const far = await drained(`incident/bench/${name}/`, fast.accepted + steady.accepted);
  const drainSeconds = (performance.now() - began) / 1_000;
  const measured = {
    name,
    fast,
    steady,
    perSecond: fast.accepted / fast.seconds,
    far,
    cpuMsPerThousand: (cpu / fast.sent) * 1_000,
    drainSeconds,
  };
  const { p50, p99 } = distribution(steady.latenciesMs);
  console.log(
    `${name}: ${Math.round(measured.perSecond)}/s accepted; at ${goal / 2}/s p50 ${p50} ms, p99 ${p99} ms; far end ${JSON.stringify(far)}`,
  );
  return measured;
}

/** The spool is empty when everything that was accepted is in Temporal. */
async function drained(prefix: string, accepted: number): Promise<FarEnd> {
  const until = Date.now() + 300_000;
  while (Date.now() < until) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/^firebreak_intake_waiting_incidents 0$/m.test(text)) break;
    await sleep(250);
  }
  let far = await readFarEnd(client, prefix);
  // The list of incidents lags behind the incidents.
  for (let tries = 0; tries < 40 && far.counted < accepted; tries += 1) {
    await sleep(500);
    far = await readFarEnd(client, prefix);
  }
  return far;
}

interface CriticalTimes {
  readonly answered: number;
  readonly started: number;
  readonly firstTask: number;
}

/** Critical alerts on workloads of their own, posted while the storm goes on: until the incident's first task is done. */
async function criticals(namespace: string, count: number, everyMs: number): Promise<readonly CriticalTimes[]> {
  const posted: { readonly at: number; readonly answered: number }[] = [];
  for (let index = 0; index < count; index += 1) {
    await sleep(everyMs);
    const at = Date.now();
    const headers = { authorization: `Bearer ${token}` };
    const body = alertOf(namespace, index, 'Critical');
    const { status } = await fetch(`${url}/v1/alerts/falco`, { method: 'POST', headers, body });
    if (status !== 200) throw new Error(`a critical alert was answered ${status}`);
    posted.push({ at, answered: Date.now() - at });
  }
  await sleep(5_000);
  return Promise.all(
    posted.map(async ({ at, answered }, index) => {
      const { events } = await client.workflow.getHandle(`incident/bench/${namespace}/StatefulSet/app${index}`).fetchHistory();
      const time = events?.find(({ workflowTaskCompletedEventAttributes: done }) => done)?.eventTime;
      return { answered, started: after(at, events?.[0]?.eventTime), firstTask: after(at, time) };
    }),
  );
}

function after(at: number, time: Timestamp | null | undefined): number {
  return time ? Number(time.seconds) * 1_000 + Number(time.nanos) / 1e6 - at : Number.POSITIVE_INFINITY;
}

try {
  // At rest: what a start leaves to do is done by then.
  await sleep(30_000);
  const idleFrom = cpuMs(pid);
  await sleep(20_000);
  const idleShare = (cpuMs(pid) - idleFrom) / 20_000;
  await loop.open(url, connections);
  await loop.run({ count: 2_000, inFlight: 64, body: (index) => alertOf('warm', index % 10) });
  const one = await measure('one', { workloads: 1, count: Math.round(100_000 * scale), goal: goals.oneWorkload });
  const forwarded = await measure('forwarded', {
    workloads: 1,
    count: Math.round(200_000 * scale),
    goal: goals.oneWorkload,
    perRequest: 20,
  });
  const thousand = await measure('thousand', { workloads: 1_000, count: Math.round(50_000 * scale), goal: goals.manyWorkloads });
  const [many, critical] = await Promise.all([
    measure('many', { workloads: 5_000, count: Math.round(100_000 * scale), goal: goals.manyWorkloads }),
    criticals('critical', 40, 500),
  ]);
  report({ idleShare, all: [one, forwarded, thousand, many], critical });
} finally {
  clearInterval(sampling);
  loop.close();
  server.removeAllListeners('exit');
  server.kill('SIGKILL');
  await temporal.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

function report({
  idleShare,
  all,
  critical,
}: {
  idleShare: number;
  all: readonly Measured[];
  critical: readonly CriticalTimes[];
}): void {
  const criticalMs = distribution(critical.map(({ firstTask }) => firstTask));
  const sent = all.reduce((sum, { fast, steady }) => sum + fast.sent + steady.sent, 0);
  const accepted = all.reduce((sum, { fast, steady }) => sum + fast.accepted + steady.accepted, 0);
  const counted = all.reduce((sum, { far }) => sum + far.counted, 0);
  const twice = all.reduce((sum, { far }) => sum + far.twice, 0);
  const lost = Math.max(0, accepted - counted);
  const duplicated = Math.max(0, counted - accepted) + twice;
  const [one, forwarded, , many] = all;
  const steady99 = all.map(({ name, steady }) => `${name} ${distribution(steady.latenciesMs).p99}`);
  const result: BenchResult = {
    name: 'intake',
    what: 'Alerts of Falco, one a request over 64 connections (`forwarded`: 20 a request, as forwarders send them), into the intake with its worker, a Temporal server and the client on the same machine; counted from the histories.',
    figures: {
      ...Object.fromEntries(
        all.flatMap(({ name, perSecond, steady, fast, cpuMsPerThousand, drainSeconds, far }) => [
          [`${name}: accepted a second, as fast as it takes them`, round(perSecond)],
          [`${name}: answer at half the goal, ms`, distribution(steady.latenciesMs)],
          [`${name}: answer when as fast as possible, ms`, distribution(fast.latenciesMs)],
          [`${name}: CPU of the process for 1 000 alerts, ms`, round(cpuMsPerThousand)],
          [`${name}: until Temporal has all, s`, round(drainSeconds)],
          [`${name}: incidents`, far.incidents],
        ]),
      ),
      'critical alert in the storm to its answer, ms': distribution(critical.map(({ answered }) => answered)),
      'critical alert in the storm to its start in Temporal, ms': distribution(critical.map(({ started }) => started)),
      'critical alert in the storm to its incident’s first task, ms': criticalMs,
      sent,
      accepted,
      'counted at the far end': counted,
      'peak memory, RssAnon, MB': round(peakAnonMb),
      'peak of mapped files (programs, and the spool’s pages, which the system takes back when it needs them), RssFile, MB':
        round(peakFileMb),
      'peak memory with both, VmHWM, MB': round(peakRssMb),
      'idle, share of one core': round(idleShare * 1_000) / 1_000,
    },
    goals: [
      goal(
        'accepted a second, one workload, 20 a request',
        `≥ ${goals.oneWorkload}`,
        forwarded?.perSecond ?? 0,
        (value) => value >= goals.oneWorkload,
      ),
      goal(
        'accepted a second, one workload, one a request',
        `≥ ${goals.oneWorkload}`,
        one?.perSecond ?? 0,
        (value) => value >= goals.oneWorkload,
      ),
      goal(
        'accepted a second, 5 000 workloads',
        `≥ ${goals.manyWorkloads}`,
        many?.perSecond ?? 0,
        (value) => value >= goals.manyWorkloads,
      ),
      {
        what: 'p99 of the answer at half of that, ms',
        goal: `≤ ${goals.p99Ms}`,
        measured: steady99.join(', '),
        met: all.every(({ steady }) => distribution(steady.latenciesMs).p99 <= goals.p99Ms),
      },
      goal('lost', '0', lost, (value) => value === 0),
      goal('duplicated', '0', duplicated, (value) => value === 0),
      goal(
        'peak memory that the system cannot take back (RssAnon), MB',
        `≤ ${goals.memoryMb}`,
        peakAnonMb,
        (value) => value <= goals.memoryMb,
      ),
      goal('idle, share of one core', `< ${goals.idleShare}`, idleShare, (value) => value < goals.idleShare),
    ],
    limitedBy: [
      'Containment does not wait for the incident’s first task: `storm` measures it, with the whole service and a real API server.',
      'Client, intake, worker and Temporal server share the two cores.',
      'Memory and idle CPU are those of the whole process: the intake, the Temporal client and the incidents’ worker.',
      'A start costs Temporal’s dev server and the worker several milliseconds of CPU: with many workloads the starts take the machine.',
    ],
  };
  writeResult(result);
  for (const { what, goal: wanted, measured, met } of result.goals)
    console.log(`${met ? 'met    ' : 'NOT MET'} ${what}: ${measured} (${wanted})`);
}

function goal(what: string, wanted: string, value: number, met: (value: number) => boolean): BenchResult['goals'][number] {
  return { what, goal: wanted, measured: String(Math.round(value * 1_000) / 1_000), met: met(value) };
}
