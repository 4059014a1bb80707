/** What was measured with this many open incidents. */
export interface IncidentPoint {
  readonly open: number;
  /** Resident memory of the Firebreak process (all roles) and of Temporal, MB of 10^6 bytes. */
  readonly firebreakMb: number;
  readonly temporalMb: number;
  /** On disk. */
  readonly temporalDiskMb: number;
  readonly recordsDiskMb: number;
  /** Processor time since the start of the first incident, seconds. */
  readonly firebreakCpuSeconds: number;
  readonly temporalCpuSeconds: number;
}

/** What was measured with this many cells, each a worker on its own queue. */
export interface CellPoint {
  readonly cells: number;
  /** Share of one processor that Temporal uses while nothing happens. */
  readonly idleShare: number;
  /** Temporal's processor time for one workflow that starts and waits, milliseconds. */
  readonly cpuMsPerStart: number;
}

/** What was measured when this many replicas of a cell shared this many open incidents. */
export interface WorkerPoint {
  readonly workers: number;
  readonly open: number;
  /** Resident memory and processor time of all replicas together. */
  readonly mb: number;
  readonly cpuSeconds: number;
  /** Size of the records in PostgreSQL. */
  readonly recordsMb: number;
  readonly seconds: number;
}

/** A straight line. */
interface Line {
  readonly base: number;
  readonly each: number;
}

/** The few constants from which everything is computed. */
interface CapacityModel {
  readonly temporalDiskMb: Line;
  readonly recordsDiskMb: Line;
  readonly firebreakCpuSeconds: Line;
  readonly temporalCpuSeconds: Line;
  readonly firebreakMb: MemoryLine;
}

/** `base + held × min(N, 220) + each × N`: of incidents beyond the held ones, a cell keeps only what it needs to know. */
interface MemoryLine extends Line {
  readonly held: number;
}

/** Least squares of the relative error: small figures count as much as large ones. Returns a factor for each term. */
function fitted(points: readonly { readonly terms: readonly number[]; readonly y: number }[]): readonly number[] {
  const size = points[0]?.terms.length ?? 0;
  const rows = Array.from({ length: size }, (_, row) =>
    Array.from({ length: size + 1 }, (_, column) =>
      points.reduce((sum, { terms, y }) => {
        const other = column < size ? (terms[column] ?? 0) : y;
        return sum + ((terms[row] ?? 0) * other) / Math.max(y, 1e-9) ** 2;
      }, 0),
    ),
  );
  // Gauss-Jordan elimination: the terms are few and distinct.
  for (const [place, pivot] of rows.entries()) {
    const by = pivot[place] ?? 0;
    if (by === 0) continue;
    for (let column = 0; column <= size; column += 1) pivot[column] = (pivot[column] ?? 0) / by;
    for (const row of rows) {
      const factor = row === pivot ? 0 : (row[place] ?? 0);
      if (factor !== 0) for (const [column, value] of pivot.entries()) row[column] = (row[column] ?? 0) - factor * value;
    }
  }
  return rows.map((row) => row[size] ?? 0);
}

function lineThrough(points: readonly (readonly [x: number, y: number])[]): Line {
  const [base = 0, each = 0] = fitted(points.map(([x, y]) => ({ terms: [1, x], y })));
  return { base, each };
}

/** Number of waiting incidents held in memory when this was measured. */
export const held = 220;

function memoryLineThrough(points: readonly (readonly [open: number, mb: number])[]): MemoryLine {
  const [base = 0, ofHeld = 0, each = 0] = fitted(points.map(([open, y]) => ({ terms: [1, Math.min(open, held), open], y })));
  return { base, held: ofHeld, each };
}

const memoryAt = (line: MemoryLine, open: number): number => at(line, open) + line.held * Math.min(open, held);

/** The constants, from the measurements. Memory also comes from bench/memory, which opens a thousand, with Slack and tickets. */
export function modelOf(
  incidents: readonly IncidentPoint[],
  memory: readonly (readonly [open: number, mb: number])[],
): CapacityModel {
  const by = (of: (point: IncidentPoint) => number) => lineThrough(incidents.map((point) => [point.open, of(point)]));
  const inMemory = ({ open, firebreakMb }: IncidentPoint) => [open, firebreakMb] as const;
  return {
    temporalDiskMb: by(({ temporalDiskMb }) => temporalDiskMb),
    recordsDiskMb: by(({ recordsDiskMb }) => recordsDiskMb),
    firebreakCpuSeconds: by(({ firebreakCpuSeconds }) => firebreakCpuSeconds),
    temporalCpuSeconds: by(({ temporalCpuSeconds }) => temporalCpuSeconds),
    firebreakMb: memoryLineThrough([...memory, ...incidents.map(inMemory)]),
  };
}

const at = ({ base, each }: Line, x: number): number => base + each * x;

/** Cost of thousands of open incidents for which nothing is due. Each costs more the more there are, and those beyond the held ones take less memory. */
export interface OpenModel {
  /** `base + each × N + square × N²`, seconds. */
  readonly firebreakCpuSeconds: Line & { readonly square: number };
  readonly temporalCpuSeconds: Line & { readonly square: number };
  readonly firebreakMb: MemoryLine;
}

export function openModelOf(points: readonly IncidentPoint[]): OpenModel {
  const bent = (of: (point: IncidentPoint) => number) => {
    const [base = 0, each = 0, square = 0] = fitted(
      points.map((point) => ({ terms: [1, point.open, point.open ** 2], y: of(point) })),
    );
    return { base, each, square };
  };
  return {
    firebreakCpuSeconds: bent(({ firebreakCpuSeconds }) => firebreakCpuSeconds),
    temporalCpuSeconds: bent(({ temporalCpuSeconds }) => temporalCpuSeconds),
    firebreakMb: memoryLineThrough(points.map(({ open, firebreakMb }) => [open, firebreakMb])),
  };
}

export function predictedOpen(
  model: OpenModel,
  open: number,
): Pick<IncidentPoint, 'firebreakMb' | 'firebreakCpuSeconds' | 'temporalCpuSeconds'> {
  const bent = ({ square, ...line }: OpenModel['temporalCpuSeconds']): number => at(line, open) + square * open ** 2;
  return {
    firebreakMb: memoryAt(model.firebreakMb, open),
    firebreakCpuSeconds: bent(model.firebreakCpuSeconds),
    temporalCpuSeconds: bent(model.temporalCpuSeconds),
  };
}

/**
 * Memory of several replicas, by their number, and the size of an incident in PostgreSQL, whichever replica works on it. Processor time is measured but not
 * modelled: on a machine with other work, an unknown part of it is work that had to be done twice.
 */
export interface WorkerModel {
  readonly mb: Line;
  readonly recordsMbPerThousand: number;
}

export function workerModelOf(points: readonly WorkerPoint[]): WorkerModel {
  const by = (of: (point: WorkerPoint) => number) => lineThrough(points.map((point) => [point.workers, of(point)]));
  const perThousand = points.map(({ recordsMb, open }) => (recordsMb * 1_000) / open);
  return {
    mb: by(({ mb }) => mb),
    recordsMbPerThousand: perThousand.reduce((sum, one) => sum + one, 0) / perThousand.length,
  };
}

export function predictedOf(
  model: WorkerModel,
  { workers, open }: Pick<WorkerPoint, 'workers' | 'open'>,
): Pick<WorkerPoint, 'mb' | 'recordsMb'> {
  return {
    mb: at(model.mb, workers),
    recordsMb: (model.recordsMbPerThousand * open) / 1_000,
  };
}

/** What the model predicts for this many open incidents. */
export function predicted(model: CapacityModel, open: number): Omit<IncidentPoint, 'open' | 'temporalMb'> {
  return {
    firebreakMb: memoryAt(model.firebreakMb, open),
    temporalDiskMb: at(model.temporalDiskMb, open),
    recordsDiskMb: at(model.recordsDiskMb, open),
    firebreakCpuSeconds: at(model.firebreakCpuSeconds, open),
    temporalCpuSeconds: at(model.temporalCpuSeconds, open),
  };
}

/** What the sizing tables assume about a node; see docs/scaling.md. */
export const assumed = {
  incidentsADay: 0.2,
  /** Worst case: this many are open at once, and began within an hour. */
  openAtWorst: 0.5,
  alertsASecondAtWorst: 1,
} as const;

/** The rows of docs/scaling.md for clusters with these numbers of nodes. */
export function sizingRows(model: CapacityModel, intakeCpuMsPerThousand: number, sizes: readonly number[]): readonly string[] {
  return sizes.map((nodes) => {
    const open = Math.ceil(nodes * assumed.openAtWorst);
    const alerts = nodes * assumed.alertsASecondAtWorst;
    const aDay = nodes * assumed.incidentsADay;
    const { firebreakMb } = predicted(model, open);
    const busy = (line: Line): number => (line.each * open) / 3_600;
    const processors = (alerts * intakeCpuMsPerThousand) / 1_000_000 + busy(model.firebreakCpuSeconds);
    const cells = [
      nodes,
      round(aDay),
      open,
      alerts,
      `${Math.round(firebreakMb / 10) * 10} MB`,
      processors.toFixed(2),
      busy(model.temporalCpuSeconds).toFixed(2),
      `${round(model.temporalDiskMb.base + model.temporalDiskMb.each * aDay * 30)} MB`,
      `${round(model.recordsDiskMb.base + model.recordsDiskMb.each * aDay * 365)} MB`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

function round(value: number): number {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
}
