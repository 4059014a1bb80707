import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject } from '../core/text/plain-json.ts';
import { residentBytes } from '../tools/demo/processes.ts';
import { AlertSender } from './parts/alerts.ts';
import { cpuMs, idle } from './parts/clock.ts';
import { AskedIncidents, recordsFile } from './parts/scale/asked-incidents.ts';
import type { CellPoint, IncidentPoint } from './parts/scale/model.ts';
import { patientPack } from './parts/scale/patient-pack.ts';
import { simulateCells } from './parts/scale/simulated-cells.ts';
import { readScalePoints } from './parts/scale/tables.ts';
import { deployPods, inParallel, openStage, type PodTarget, podsWhenRunning } from './parts/stage.ts';
import { loadNow, round, writeResult } from './report.ts';

/** Stops at the level at which this many minutes have passed, so that it does not occupy this machine for an hour. */
const minutes = Number(process.env.BENCH_MINUTES ?? 10);
/** This many critical alerts at once, instead of one level after another. */
const burst = process.env.BENCH_BURST ? Number(process.env.BENCH_BURST) : undefined;
const levels = burst === undefined ? [1, 10, 30, 100, 300, 1_000, 3_000, 5_000, 7_000, 10_000] : [burst];
const most = burst ?? Number(process.env.BENCH_COUNT ?? 10_000);
const namespace = 'bench-scale';
/** Minutes after a containment at which the cell checks whether it helped; usually ten and sixty, which a short run hardly reaches. */
const effectChecks = process.env.BENCH_EFFECT_CHECKS?.split(',').map(Number);
/** With `BENCH_FOLLOW_UPS=no` nothing is due for an incident after its question: only the cost of being open is measured. */
const followUps = process.env.BENCH_FOLLOW_UPS !== 'no';
const packFolder = mkdtempSync(join(tmpdir(), 'firebreak-patient-'));
/** Pods that are created together, while the alerts about the previous ones are answered. */
const together = burst ?? 50;
/** Holds back further alerts until this many have reached their question: it measures open incidents, not a burst. */
const underway = burst ?? 40;
const atOnce = 5;
const cellCounts = (process.env.BENCH_CELLS ?? '1,5,10,20').split(',').map(Number);

const stage = await openStage({
  // Beyond some 500 pods, a node of the local cluster ran no more.
  nodes: Array.from({ length: Math.ceil(most / 400) + 1 }, (_, index) => `node-${index}`),
  prepare: (api) => deployPods(api, { [namespace]: 1 }),
  // Slack accepts one card per second: that is its limit, and not what is measured.
  configure: ({ slack: _, ...config }) => ({
    ...config,
    ...(!followUps && { ...patientPack(packFolder), incidents: { effectChecks: [] } }),
    ...(effectChecks && { incidents: { ...(isObject(config.incidents) && config.incidents), effectChecks } }),
  }),
});
try {
  await measure();
} finally {
  await stage.stop();
  rmSync(packFolder, { recursive: true, force: true });
}
process.exit(0);

async function measure(): Promise<void> {
  const temporalPid = stage.platform.temporal.pid ?? 0;
  const sender = new AlertSender(stage.settings, atOnce);
  const asked = new AskedIncidents(stage.settings);
  const until = Date.now() + minutes * 60_000;
  const cpu = { firebreak: cpuMs(stage.servicePid), temporal: cpuMs(temporalPid) };
  const points: (IncidentPoint & { readonly seconds: number })[] = [];
  const began = Date.now();
  let [open, known] = [0, 0];
  let looking: Promise<void> | undefined;
  // One look for all that wait: the more incidents there are, the longer a look takes.
  const lookAgain = (): Promise<void> => {
    looking ??= sleep(300).then(() => {
      known = asked.count();
      looking = undefined;
    });
    return looking;
  };
  const write = (cells: readonly CellPoint[], stopped: string): void =>
    writeResult({
      name: followUps ? 'scale' : 'scale-open',
      what: 'Open incidents (all roles in one process, no Slack, records in SQLite, Temporal’s dev server), and simulated cells on the same Temporal',
      figures: { ...figuresOf(points), 'by the minute': byMinute(), ...cellFigures(cells), stopped },
      goals: [],
      limitedBy: ['Firebreak, Temporal, the control plane and the sender share this machine.', loadNow()],
      points: { incidents: points, cells },
    });
  // Keeps the page's previous figures for cells until they are measured again: a run that is cut short keeps what it has measured so far.
  const cellsOfBefore = readScalePoints().cells;
  for (const level of levels.filter((one) => one <= most)) {
    const sizes = Array.from({ length: Math.ceil((level - open) / together) }, (_, batch) =>
      Math.min(together, level - open - batch * together),
    );
    const deployed = async (batch: number): Promise<readonly PodTarget[]> => {
      const [own, size] = [`${namespace}-${level}-${batch}`, sizes[batch] ?? 0];
      if (size === 0) return [];
      await deployPods(stage.api, { [own]: size });
      return podsWhenRunning(stage.api, own, size);
    };
    let ready = deployed(0);
    for (const [batch] of sizes.entries()) {
      const pods = await ready;
      ready = Date.now() < until ? deployed(batch + 1) : Promise.resolve([]);
      await inParallel(pods, atOnce, async (pod) => {
        while (open - known >= underway && Date.now() < until) await lookAgain();
        if (Date.now() >= until) return;
        open += 1;
        await sender.alert(pod);
      });
    }
    await ready;
    while (asked.count() < open && Date.now() < until) await sleep(500);
    if (open < level || asked.count() < open) break;
    await idle({ pids: [stage.servicePid, temporalPid], share: 0.3, withinMs: 30_000 });
    points.push({
      open,
      firebreakMb: megabytes(residentBytes(stage.servicePid) ?? 0),
      temporalMb: megabytes(residentBytes(temporalPid) ?? 0),
      temporalDiskMb: megabytes(bytesOf(join(stage.settings.folder, 'platform', 'temporal'), 'temporal.db')),
      recordsDiskMb: megabytes(recordBytes()),
      firebreakCpuSeconds: round((cpuMs(stage.servicePid) - cpu.firebreak) / 1_000),
      temporalCpuSeconds: round((cpuMs(temporalPid) - cpu.temporal) / 1_000),
      seconds: Math.round((Date.now() - began) / 1_000),
    });
    console.log(JSON.stringify(points.at(-1)));
    write(cellsOfBefore, `cut short after ${level} open incidents; the cells are from the previous run`);
  }
  sender.close();
  const { address, namespace: temporalNamespace } = stage.platform.temporal;
  const cells = await simulateCells({ address, namespace: temporalNamespace, temporalPid, counts: cellCounts });
  write(cells, open < most ? `stopped at ${open} open incidents after ${minutes} minutes` : `all ${most} incidents`);
}

/** Number of incidents that reached their question in each minute, and for how many the effect of the containment was checked. */
function byMinute(): string {
  const counted = fromRecords(
    `SELECT GROUP_CONCAT(asked || ' asked, ' || looked || ' looked at', '; ') AS value FROM (
       SELECT SUM(kind = 'question.asked') AS asked, SUM(kind = 'effect.checked') AS looked FROM audit_records
       WHERE kind IN ('question.asked', 'effect.checked') GROUP BY SUBSTR(at, 1, 16) ORDER BY SUBSTR(at, 1, 16))`,
  );
  return String(counted ?? '');
}

/** Size of its pages: the log next to it grows and is emptied whatever is stored. */
function recordBytes(): number {
  return Number(fromRecords('SELECT page_count * page_size AS value FROM pragma_page_count(), pragma_page_size()'));
}

function records(): DatabaseSync {
  return new DatabaseSync(recordsFile(stage.settings.folder), { readOnly: true });
}

function fromRecords(sql: string): unknown {
  const database = records();
  try {
    return database.prepare(sql).get()?.value;
  } finally {
    database.close();
  }
}

function figuresOf(points: readonly (IncidentPoint & { readonly seconds: number })[]): Record<string, string> {
  return Object.fromEntries(
    points.map(({ open, ...point }) => [
      `${open} open`,
      `${point.firebreakMb} MB, ${point.firebreakCpuSeconds} s of CPU; Temporal ${point.temporalMb} MB, ${point.temporalCpuSeconds} s, ${point.temporalDiskMb} MB on disk; records ${point.recordsDiskMb} MB; after ${point.seconds} s`,
    ]),
  );
}

function cellFigures(points: readonly CellPoint[]): Record<string, string> {
  return Object.fromEntries(
    points.map(({ cells, idleShare, cpuMsPerStart }) => [
      `${cells} cells`,
      `Temporal idle ${round(idleShare * 100)} % of a processor, ${round(cpuMsPerStart)} ms per start`,
    ]),
  );
}

function megabytes(bytes: number): number {
  return round(bytes / 1e6);
}

/** Size of a database file and the files next to it. */
function bytesOf(folder: string, name: string): number {
  return readdirSync(folder)
    .filter((file) => file.startsWith(name))
    .reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}
