import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { serviceNodeFlags } from '../service/launcher/node-flags.mjs';
import { startTemporal } from '../tools/platform/temporal-server.ts';
import { alertAbout, timeOf } from './parts/alerts.ts';
import { cpuMs } from './parts/clock.ts';
import { type DeliveredLoad, readDeliveredLoad } from './parts/delivered-load.ts';
import { type CpuCosts, type CriticalTimes, goals, type Measured, report } from './parts/intake/intake-report.ts';
import { type LoadResult, OpenLoop } from './parts/open-loop.ts';
import { distribution, say } from './report.ts';

const token = 'a-token-of-the-benchmark';
const connections = 64;
/** Alerts of each shape before anything is measured, at any scale: until V8 has compiled the code path, an alert costs three times as much. */
const warmUp = 30_000;
const scale = Number(process.env.BENCH_SCALE ?? 1);
const restSeconds = Number(process.env.BENCH_REST_S ?? 20);
/** `BENCH_ONLY=one,many`: only these loads, at once and without a result on disk, to see the effect of a change. */
const only = process.env.BENCH_ONLY?.split(',');
/** Where the intake's process writes a CPU profile. */
const profileTo = process.env.BENCH_PROFILE;

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-intake-'));
const temporal = await startTemporal({ stateDir: folder });
const bundle = join(folder, 'bundle.js');
const { code } = await bundleWorkflowCode({
  workflowsPath: join(import.meta.dirname, 'parts/intake/counting-incident.ts'),
  logger: new DefaultLogger('WARN'),
});
writeFileSync(bundle, code);
const program = join(import.meta.dirname, 'parts/intake/intake-server.ts');
const server = spawn(
  process.execPath,
  [
    ...serviceNodeFlags,
    ...(profileTo ? ['--cpu-prof', `--cpu-prof-dir=${profileTo}`] : []),
    program,
    temporal.address,
    temporal.namespace,
    join(folder, 'spool'),
    token,
    bundle,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const url = await new Promise<string>((done, fail) => {
  server.stdout.once('data', (data) => done(String(data).trim()));
  server.once('exit', (code) => fail(new Error(`the intake exited with ${code}`)));
});
const pid = server.pid ?? 0;
const client = new Client({ connection: await Connection.connect({ address: temporal.address }), namespace: temporal.namespace });
const loop = new OpenLoop({ path: '/v1/alerts/falco', token });

let serial = 0;

/** A captured alert with its own time and pod. */
function alertOf(namespace: string, workload: number, priority = 'Notice'): string {
  serial += 1;
  return alertAbout({ namespace, name: `app${workload}-0` }, { priority, time: timeOf(serial) });
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

interface Load {
  readonly workloads: number;
  readonly count: number;
  readonly goal: number;
  readonly perRequest?: number;
}

function inFlight(perRequest: number): number {
  return Math.ceil(512 / perRequest);
}

/** Processor time per 1 000 alerts: the figure that depends least on what else the machine does. */
async function withCpu(run: () => Promise<LoadResult>): Promise<{ readonly load: LoadResult } & CpuCosts> {
  const temporalPid = temporal.pid ?? 0;
  const before = [cpuMs(pid), cpuMs(temporalPid)] as const;
  const load = await run();
  const [own, temporals] = [cpuMs(pid) - before[0], cpuMs(temporalPid) - before[1]];
  const perThousand = (ms: number): number => (ms / load.sent) * 1_000;
  return { load, cpuMsPerThousand: perThousand(own), temporalCpuMsPerThousand: perThousand(temporals) };
}

/** One after another in both shapes. @returns the cost of the first ones, as for those that come right after a start */
async function warm(): Promise<number> {
  const batch = (perRequest: number): string =>
    Array.from({ length: perRequest }, (_, place) => alertOf('warm', place % 10)).join('\n');
  const send = (count: number, perRequest: number): Promise<LoadResult> =>
    loop.run({ count, inFlight: inFlight(perRequest), body: () => batch(perRequest), alerts: perRequest });
  const { cpuMsPerThousand } = await withCpu(() => send(2_000, 1));
  await send(warmUp, 1);
  await send(warmUp / 20, 20);
  return cpuMsPerThousand;
}

/** First at half the goal, then as fast as it accepts them; then everything is counted at the far end. */
async function measure(name: string, { workloads, count, goal, perRequest = 1 }: Load): Promise<Measured> {
  const body = (index: number): string =>
    Array.from({ length: perRequest }, (_, place) => alertOf(name, (index * perRequest + place) % workloads)).join('\n');
  const requests = Math.ceil((count * scale) / perRequest);
  const perSecond = goal / 2 / perRequest;
  const steady = await loop.run({ count: Math.round(perSecond * 8 * scale), perSecond, body, alerts: perRequest });
  const {
    load: fast,
    cpuMsPerThousand,
    temporalCpuMsPerThousand,
  } = await withCpu(() => loop.run({ count: requests, inFlight: inFlight(perRequest), body, alerts: perRequest }));
  const began = performance.now();
  const far = await drained(`incident/bench/${name}/`, fast.accepted + steady.accepted);
  const drainSeconds = (performance.now() - began) / 1_000;
  const measured = {
    name,
    fast,
    steady,
    perSecond: fast.accepted / fast.seconds,
    far,
    cpuMsPerThousand,
    temporalCpuMsPerThousand,
    drainSeconds,
  };
  const { p50, p99 } = distribution(steady.latenciesMs);
  console.log(
    `${name}: ${Math.round(measured.perSecond)}/s accepted, ${Math.round(cpuMsPerThousand)} ms of CPU for 1 000; at ${goal / 2}/s p50 ${p50} ms, p99 ${p99} ms (by second ${steady.p99BySecond.join(' ')}); far end ${JSON.stringify(far)} after ${Math.round(drainSeconds)} s`,
  );
  return measured;
}

/** The spool is empty when every accepted alert is in Temporal. */
async function drained(prefix: string, accepted: number): Promise<DeliveredLoad> {
  const until = Date.now() + 600_000;
  while (Date.now() < until) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/^firebreak_intake_waiting_incidents 0$/m.test(text)) break;
    await sleep(250);
  }
  let far = await readDeliveredLoad(client, prefix);
  // The list of incidents lags behind the incidents.
  for (let tries = 0; tries < 40 && far.counted < accepted; tries += 1) {
    await sleep(500);
    far = await readDeliveredLoad(client, prefix);
  }
  return far;
}

/** Critical alerts on workloads of their own, posted during the storm: the time until the incident's first task is done. */
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

const loads: readonly (readonly [name: string, load: Load])[] = [
  ['one', { workloads: 1, count: 100_000, goal: goals.oneWorkload }],
  ['forwarded', { workloads: 1, count: 200_000, goal: goals.forwarded, perRequest: 20 }],
  ['thousand', { workloads: 1_000, count: 50_000, goal: goals.manyWorkloads }],
  ['many', { workloads: 5_000, count: 100_000, goal: goals.manyWorkloads }],
];

/** At rest: by then the work that follows a start is done. */
async function shareAtRest(): Promise<number> {
  say(`measures it at rest, which takes ${restSeconds * 2.5} s`);
  await sleep(restSeconds * 1_500);
  const from = cpuMs(pid);
  await sleep(restSeconds * 1_000);
  return (cpuMs(pid) - from) / (restSeconds * 1_000);
}

try {
  const idleShare = only ? 0 : await shareAtRest();
  await loop.open(url, connections);
  say(`warms up with ${2 * warmUp} alerts`);
  const coldCpuMs = await warm();
  const all: Measured[] = [];
  let critical: readonly CriticalTimes[] = [];
  for (const [name, load] of loads) {
    if (only && !only.includes(name)) continue;
    // Critical alerts during the storm with the most workloads.
    const amid = name === 'many' ? criticals('critical', 40, 500) : Promise.resolve(critical);
    const [measured, times] = await Promise.all([measure(name, load), amid]);
    all.push(measured);
    critical = times;
  }
  const memory = { peakAnonMb, peakFileMb, peakRssMb };
  report({ idleShare, coldCpuMs, all, critical, memory, isWhole: only === undefined });
} finally {
  clearInterval(sampling);
  loop.close();
  server.removeAllListeners('exit');
  const ended = new Promise((done) => server.once('exit', done));
  // Only a process that exits by itself writes its profile.
  server.kill(profileTo ? 'SIGTERM' : 'SIGKILL');
  await ended;
  await temporal.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
