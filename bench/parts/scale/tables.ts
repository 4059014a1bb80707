import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CellPoint,
  held,
  type IncidentPoint,
  modelOf,
  type OpenModel,
  openModelOf,
  sizingRows,
  type WorkerPoint,
  workerModelOf,
} from './model.ts';

/** The results of the last run of bench/scale. */
interface ScalePoints {
  readonly incidents: readonly IncidentPoint[];
  readonly cells: readonly CellPoint[];
}

const results = join(import.meta.dirname, '..', '..', 'results');
const page = join(import.meta.dirname, '..', '..', '..', 'docs', 'scaling.md');
const marks = ['<!-- written by bench/scale: begin -->', '<!-- written by bench/scale: end -->'] as const;

export function readScalePoints(): ScalePoints {
  const { points }: { readonly points: ScalePoints } = JSON.parse(readFileSync(join(results, 'scale.json'), 'utf8'));
  return points;
}

/** The same with nothing due for any incident after its question (`BENCH_FOLLOW_UPS=no`), and how many seconds each took. */
export function readOpenPoints(): readonly (IncidentPoint & { readonly seconds: number })[] {
  const { points }: { readonly points: { readonly incidents: readonly (IncidentPoint & { readonly seconds: number })[] } } =
    JSON.parse(readFileSync(join(results, 'scale-open.json'), 'utf8'));
  return points.incidents;
}

/** Empty until bench/workers has run. */
export function readWorkerPoints(): readonly WorkerPoint[] {
  const file = join(results, 'workers.json');
  if (!existsSync(file)) return [];
  const { points }: { readonly points: readonly WorkerPoint[] } = JSON.parse(readFileSync(file, 'utf8'));
  return points;
}

/** Memory per number of open incidents, as measured by bench/memory. */
export function readMemoryPoints(): readonly (readonly [open: number, mb: number])[] {
  const { figures }: { readonly figures: Readonly<Record<string, number>> } = JSON.parse(
    readFileSync(join(results, 'memory.json'), 'utf8'),
  );
  return Object.entries(figures).flatMap(([name, mb]): (readonly [number, number])[] => {
    const open = /^after (\d+|one) incidents?$/.exec(name)?.[1];
    return open === undefined ? [] : [[open === 'one' ? 1 : Number(open), mb]];
  });
}

/** Returns the page with the model's figures, from the stored results. */
export function withScalingTables(text: string): string {
  const { incidents, cells } = readScalePoints();
  const model = modelOf(incidents, readMemoryPoints());
  const line = ({ base, each }: { readonly base: number; readonly each: number }, unit: string): string =>
    `${figure(base)} + ${figure(each)} × N ${unit}`;
  const intake = figuresOf('intake')['thousand: CPU of the process for 1 000 alerts, ms'];
  if (typeof intake !== 'number') throw new Error('bench/intake has left no processor time for 1 000 alerts');
  const lines = [
    '| N incidents open | model |',
    '|---|---|',
    `| memory of Firebreak | ${memoryLine(model.firebreakMb)} |`,
    `| processor time of Firebreak until all wait for an answer | ${line(model.firebreakCpuSeconds, 's')} |`,
    `| the same of Temporal | ${line(model.temporalCpuSeconds, 's')} |`,
    `| Temporal's database | ${line(model.temporalDiskMb, 'MB')} |`,
    `| records | ${line(model.recordsDiskMb, 'MB')} |`,
    '',
    '| nodes | incidents a day | open at worst | alerts/s at worst | memory | processors, Firebreak | processors, Temporal | Temporal, 30 days | records, a year |',
    '|---|---|---|---|---|---|---|---|---|',
    ...sizingRows(model, intake, [10, 100, 1_000]),
    '',
    ...openLines(),
    '',
    '| simulated cells on one Temporal | its processor time idle | for each incident that begins and waits |',
    '|---|---|---|',
    ...cells.map(simulatedRow),
    ...replicaLines(model.recordsDiskMb.each * 1_000),
    ...alertLines(),
    ...historyLines(),
  ];
  const [begin, end] = marks;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error('docs/scaling.md has no place for what bench/scale writes');
  return `${text.slice(0, from)}${begin}\n${lines.join('\n')}\n${text.slice(to)}`;
}

function memoryLine({ base, held: ofHeld, each }: OpenModel['firebreakMb']): string {
  return `${figure(base)} + ${figure(ofHeld)} × (N, but ${held} at most) + ${figure(each)} × N MB`;
}

/** Cost of this many incidents that only wait for an answer: as modelled, and as measured. */
function openLines(): readonly string[] {
  const points = readOpenPoints();
  const { firebreakMb, firebreakCpuSeconds, temporalCpuSeconds } = openModelOf(points);
  const bent = ({ base, each, square }: typeof firebreakCpuSeconds): string =>
    `${figure(base)} + ${figure(each)} × N + ${figure(square * 1e6)} × (N / 1 000)² s`;
  return [
    '| N incidents open, nothing due of them | model |',
    '|---|---|',
    `| memory of Firebreak | ${memoryLine(firebreakMb)} |`,
    `| processor time of Firebreak until all wait for an answer | ${bent(firebreakCpuSeconds)} |`,
    `| the same of Temporal’s dev server | ${bent(temporalCpuSeconds)} |`,
    '',
    '| incidents open, nothing due of them | memory of Firebreak | of Temporal | processor time, Firebreak | Temporal | Temporal’s database | records | after |',
    '|---|---|---|---|---|---|---|---|',
    ...points.map((point) => {
      const cells = [
        `${figure(point.firebreakMb)} MB`,
        `${figure(point.temporalMb)} MB`,
        `${figure(point.firebreakCpuSeconds)} s`,
        `${figure(point.temporalCpuSeconds)} s`,
        `${figure(point.temporalDiskMb)} MB`,
        `${figure(point.recordsDiskMb)} MB`,
        `${point.seconds} s`,
      ];
      return `| ${point.open} | ${cells.join(' | ')} |`;
    }),
  ];
}

/** One to four replicas, from the model of their measured use, and the size of a thousand incidents in each kind of database. */
function replicaLines(sqliteMbPerThousand: number): readonly string[] {
  const points = readWorkerPoints();
  if (points.length === 0) return [];
  const { mb, recordsMbPerThousand } = workerModelOf(points);
  const open = points[0]?.open ?? 0;
  return [
    '',
    `| replicas of a cell, ${open} incidents open | memory of all, by the model | as measured |`,
    '|---|---|---|',
    ...points.map((point) => `| ${point.workers} | ${figure(mb.base + mb.each * point.workers)} MB | ${figure(point.mb)} MB |`),
    '',
    '| records of 1 000 incidents that wait for an answer | |',
    '|---|---|',
    `| SQLite | ${figure(sqliteMbPerThousand)} MB |`,
    `| PostgreSQL, with its indexes | ${figure(recordsMbPerThousand)} MB |`,
  ];
}

type Figures = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

function figuresOf(bench: string): Figures {
  const { figures }: { readonly figures: Figures } = JSON.parse(readFileSync(join(results, `${bench}.json`), 'utf8'));
  return figures;
}

/** Keyed by the names in bench/intake. */
const loads = { one: '1', thousand: '1 000', many: '5 000' } as const;

function alertLines(): readonly string[] {
  const figures = figuresOf('intake');
  const of = (load: string, name: string, share?: string): string => {
    const found = figures[`${load}: ${name}`];
    const value = typeof found === 'object' ? found[share ?? ''] : found;
    if (value === undefined) throw new Error(`bench/intake has left no “${name}” of “${load}”`);
    return figure(value);
  };
  return [
    '',
    '| alerts on so many workloads, as fast as one intake takes them | alerts/s | answered within, p99 | processor time of Firebreak for 1 000 | the same of Temporal |',
    '|---|---|---|---|---|',
    ...Object.entries(loads).map(([load, workloads]) => {
      const cells = [
        of(load, 'accepted a second, as fast as it takes them'),
        `${of(load, 'answer when as fast as possible, ms', 'p99')} ms`,
        `${of(load, 'CPU of the process for 1 000 alerts, ms')} ms`,
        `${of(load, 'CPU of Temporal’s server meanwhile, for 1 000 alerts, ms')} ms`,
      ];
      return `| ${workloads} | ${cells.join(' | ')} |`;
    }),
  ];
}

function historyLines(): readonly string[] {
  const events = figuresOf('alert-to-containment')['events per incident with its question open'];
  if (typeof events !== 'object') throw new Error('bench/alert-to-containment has left no events of histories');
  return [
    '',
    `| events in Temporal’s history of an incident whose question is open, ${events.count} incidents | |`,
    '|---|---|',
    `| median | ${events.p50} |`,
    `| most | ${events.max} |`,
  ];
}

function simulatedRow({ cells, idleShare, cpuMsPerStart }: CellPoint): string {
  return `| ${cells} | ${Math.round(idleShare * 1_000) / 10} % | ${figure(cpuMsPerStart)} ms |`;
}

export function writeScalingTables(): void {
  writeFileSync(page, withScalingTables(readFileSync(page, 'utf8')));
}

function figure(value: number): string {
  return value.toPrecision(2).includes('e') ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
