/**
 * Cost of one to four replicas of a cell that share the incidents of one cluster, with records in PostgreSQL. BENCH_COUNT incidents for each number of
 * replicas. They do not make this machine faster: it measures what grows, namely memory, processor time, and the size of the database.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { parse, stringify } from 'yaml';
import { startPostgres } from '../test/postgres-server.ts';
import { residentBytes, startService } from '../tools/demo/processes.ts';
import { freePorts } from '../tools/platform/ports.ts';
import { ServerGroup } from '../tools/platform/server-group.ts';
import { AlertSender } from './parts/alerts.ts';
import { cpuMs, idle } from './parts/clock.ts';
import type { WorkerPoint } from './parts/scale/model.ts';
import { deployPods, inParallel, openStage, podsWhenRunning } from './parts/stage.ts';
import { loadNow, round, writeResult } from './report.ts';

const count = Number(process.env.BENCH_COUNT ?? 100);
const namespace = 'bench-workers';
const atOnce = 5;
/** A port that is free when it is picked may be in use when the replica gets to it. */
const portTries = 5;

const points: WorkerPoint[] = [];
for (const workers of (process.env.BENCH_REPLICAS ?? '1,2,3,4').split(',').map(Number)) {
  points.push(await measured(workers));
  console.log(JSON.stringify(points.at(-1)));
}
writeResult({
  name: 'workers',
  what: `${count} open incidents shared by one to four replicas of a cell (the first process has all other roles, too), no Slack, records in PostgreSQL`,
  figures: Object.fromEntries(
    points.map(({ workers, mb, cpuSeconds, recordsMb, seconds }) => [
      `${workers} replicas`,
      `${mb} MB and ${cpuSeconds} s of CPU together, ${recordsMb} MB in PostgreSQL; after ${seconds} s`,
    ]),
  ),
  goals: [],
  limitedBy: ['The replicas, Temporal, PostgreSQL, the control plane and the sender share this machine.', loadNow()],
  points,
});
process.exit(0);

async function measured(workers: number): Promise<WorkerPoint> {
  const postgres = await startPostgres();
  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  const number = async (sql: string): Promise<number> => Number((await database.query(sql)).rows[0]?.value ?? 0);
  const size = () => number('SELECT pg_database_size(current_database()) AS value');
  const stage = await openStage({
    nodes: ['node-a', 'node-b'],
    prepare: (api) => deployPods(api, { [namespace]: count }),
    configure: ({ slack: _, audit, ...config }) => ({ ...config, audit: { ...Object(audit), url: { env: 'BENCH_DATABASE' } } }),
    env: { BENCH_DATABASE: postgres.url },
  });
  const group = new ServerGroup();
  const sender = new AlertSender(stage.settings, atOnce);
  try {
    const pids = [stage.servicePid];
    for (let worker = 2; worker <= workers; worker += 1)
      pids.push(await startReplica({ stage, group, worker, url: postgres.url }));
    const sizeBefore = await size();
    const cpu = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
    const cpuBefore = cpu();
    const began = Date.now();
    await inParallel(await podsWhenRunning(stage.api, namespace, count), atOnce, (pod) => sender.alert(pod));
    const asked = "SELECT COUNT(DISTINCT chain) AS value FROM audit_records WHERE kind = 'question.asked'";
    while ((await number(asked)) < count) await sleep(500);
    await idle({ pids, share: 0.3, withinMs: 30_000 });
    return {
      workers,
      open: count,
      mb: round(pids.reduce((sum, pid) => sum + (residentBytes(pid) ?? 0), 0) / 1e6),
      cpuSeconds: round((cpu() - cpuBefore) / 1_000),
      recordsMb: round(((await size()) - sizeBefore) / 1e6),
      seconds: Math.round((Date.now() - began) / 1_000),
    };
  } finally {
    sender.close();
    await group.stop();
    await stage.stop();
    await database.end();
    await postgres.stop();
  }
}

/** Starts another cell of the same cluster, with the keys of the first, and its own state directory and intake. Returns its process. */
async function startReplica(options: {
  readonly stage: Awaited<ReturnType<typeof openStage>>;
  readonly group: ServerGroup;
  readonly worker: number;
  readonly url: string;
}): Promise<number> {
  const { stage, group, worker, url } = options;
  const { settings } = stage;
  const folder = join(settings.folder, `replica-${worker}`);
  mkdirSync(join(folder, 'state'), { recursive: true });
  cpSync(join(settings.folder, 'state', 'keys'), join(folder, 'state', 'keys'), { recursive: true });
  cpSync(join(settings.folder, 'secrets'), join(folder, 'secrets'), { recursive: true });
  const config = parse(readFileSync(settings.configFile, 'utf8'));
  const configFile = join(folder, 'firebreak.yaml');
  for (let tries = 1; ; tries += 1) {
    const { intake: port } = await freePorts({ names: ['intake'] });
    writeFileSync(configFile, stringify({ ...config, intake: { ...config.intake, listen: { port } } }));
    try {
      const server = await startService({
        ...{ group, roles: 'cell', env: { BENCH_DATABASE: url } },
        settings: { ...settings, folder, configFile, intakeUrl: `http://127.0.0.1:${port}` },
      });
      return server.pid;
    } catch (error) {
      const isTaken = error instanceof Error && error.message.includes('something listens there already');
      if (!isTaken || tries === portTries) throw error;
    }
  }
}
