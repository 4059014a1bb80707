import { setTimeout as sleep } from 'node:timers/promises';
import { auditReport } from '../../service/commands/records/audit.ts';
import { within } from '../eventually.ts';
import { alertAbout } from '../platform/e2e/parts/alerts.ts';
import { until, type Workload } from '../platform/e2e/parts/cluster.ts';
import { containedAt, differences, ended, voteUntilAccepted } from '../platform/e2e/parts/oracle.ts';
import { Chance, seedOf } from '../platform/e2e/parts/random.ts';
import { ana, ben, labels, Service } from '../platform/e2e/parts/service.ts';
import { ownServers } from './own-servers.ts';

interface RandomKillsOptions {
  readonly seed: number;
  /** How long it is killed again and again. */
  readonly seconds: number;
  readonly incidents: number;
  readonly say: (line: string) => void;
}

interface RandomKillsReport {
  readonly kills: number;
  /** Empty if nothing was lost and nothing was done twice. */
  readonly differences: readonly string[];
}

/** Minimum number of kills, for which a slow machine takes longer than its time. */
const leastKills = 5;

type Fate = 'remove' | 'release' | 'silence';

/**
 * Incidents arrive and people answer, while Firebreak and Temporal are killed at times that a seed determines. At the end compares what should have been done
 * with what was done.
 */
export async function randomKills({ seed, seconds, incidents, say }: RandomKillsOptions): Promise<RandomKillsReport> {
  const own = await ownServers();
  const service = await Service.create(own.servers);
  const calm = setInterval(() => service.slack.calm(), 200);
  try {
    const chance = new Chance(seed);
    const names = Array.from({ length: incidents }, (_, index) => `w${index}`);
    const workloads: Workload[] = [];
    for (let start = 0; start < names.length; start += 12)
      workloads.push(
        ...(await service.workloads.deploy(await service.workloads.namespace('e2e'), names.slice(start, start + 12))),
      );
    await service.start();
    const end = Date.now() + seconds * 1_000;
    const fates = new Map(workloads.map((workload) => [workload, fateOf(chance.next())]));
    const histories = workloads.map((workload) => {
      const startsAfter = chance.upTo(seconds * 800);
      const thinks = chance.upTo(6_000);
      return live({ service, workload, fate: fates.get(workload) ?? 'silence', startsAfter, thinks });
    });
    const kills = await killUntil({ end, chance, service, own, say });
    await Promise.all(histories);
    const those = (fate: Fate): readonly Workload[] => workloads.filter((workload) => fates.get(workload) === fate);
    await ended(service, [...those('remove'), ...those('release')], 90_000);
    const expected = { all: workloads, removed: those('remove'), released: those('release') };
    // The last records and card edits are on their way.
    await within(120_000, () => differences(service, expected).length === 0);
    const { findings } = await auditReport({ config: service.settings.configFile });
    return { kills, differences: [...differences(service, expected), ...findings.map((finding) => JSON.stringify(finding))] };
  } finally {
    clearInterval(calm);
    await service.stop();
    await own.stop();
  }
}

function fateOf(chance: number): Fate {
  if (chance < 0.55) return 'remove';
  return chance < 0.8 ? 'release' : 'silence';
}

/** Plays one incident: a sender that retries until it gets a 200, and people who click until they get an answer. */
async function live(life: {
  readonly service: Service;
  readonly workload: Workload;
  readonly fate: Fate;
  readonly startsAfter: number;
  readonly thinks: number;
}): Promise<void> {
  const { service, workload, fate, startsAfter, thinks } = life;
  await sleep(startsAfter);
  const alert = alertAbout(workload);
  await until(`an answer to the alert about ${workload.name}`, 120_000, async () => {
    if ((await service.post([alert])).status === 200) return true;
    await sleep(200);
    return false;
  });
  await containedAt(service, [workload], 120_000);
  await service.cardOf(workload, 90_000);
  await sleep(thinks);
  if (fate === 'silence') return;
  await voteUntilAccepted(service, workload, ana, labels[fate], 120_000);
  if (fate === 'release') await voteUntilAccepted(service, workload, ben, labels[fate], 120_000);
  await service.effect(fate === 'remove' ? 'delete' : 'give-back', workload, 120_000);
}

async function killUntil(options: {
  readonly end: number;
  readonly chance: Chance;
  readonly service: Service;
  readonly own: Awaited<ReturnType<typeof ownServers>>;
  readonly say: (line: string) => void;
}): Promise<number> {
  const { end, chance, service, own, say } = options;
  const started = Date.now();
  let kills = 0;
  for (;;) {
    await sleep(500 + chance.upTo(5_500));
    if (Date.now() > end && kills >= leastKills) return kills;
    kills += 1;
    const which = chance.next();
    const at = `${((Date.now() - started) / 1_000).toFixed(2)} s`;
    if (which < 0.25) {
      say(`${at}: kill -9 of Temporal`);
      await own.platform.temporal.restart();
    } else {
      say(`${at}: kill -9 of Firebreak`);
      await service.kill();
      await sleep(chance.upTo(1_000));
      if (which > 0.85) {
        say(`${at}: and of Temporal`);
        await own.platform.temporal.restart();
      }
      await service.start();
    }
    if (!service.isRunning) throw new Error(`Firebreak has ended by itself: ${service.log.slice(-2_000)}`);
  }
}

/** `node kill-at-random.ts [SECONDS [INCIDENTS [SEED]]]` */
if (process.argv[1] === import.meta.filename) {
  const [seconds = '300', incidents = '60', seed] = process.argv.slice(2);
  const options = { seed: seedOf(seed), seconds: Number(seconds), incidents: Number(incidents), say: console.log };
  console.log(`seed ${options.seed}`);
  const report = await randomKills(options);
  console.log(`${report.kills} kills, ${report.differences.length} differences`);
  for (const line of report.differences) console.log(`  ${line}`);
  process.exitCode = report.differences.length === 0 ? 0 : 1;
}
