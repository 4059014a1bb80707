/** How often a report of the time that is over is due. */
export const reportIntervals = ['week', 'month', 'quarter', 'year'] as const;
export type ReportInterval = (typeof reportIntervals)[number];

/** Some days, in UTC. */
export interface ReportPeriod {
  /** `2026`, `2026-Q3`, `2026-11`, or `2026-11-01..2026-11-15` with the last day in it. */
  readonly name: string;
  /** Milliseconds since 1970; the end is not in it. */
  readonly since: number;
  readonly until: number;
}

const dayMs = 86_400_000;
/** Records of the last minutes of a period reach the desk later, those of a cell that was cut off much later. */
const settleMs = 3_600_000;

/** Undefined where nothing of the kind was written, or a day that no calendar has. */
export function periodNamed(name: string): ReportPeriod | undefined {
  const period = daysNamed(name);
  // JavaScript takes the first hundred years for those from 1900 on.
  return period && period.since >= 0 && period.since < period.until ? { name, ...period } : undefined;
}

function daysNamed(name: string): Omit<ReportPeriod, 'name'> | undefined {
  const [, year, part] = /^(\d{4})(?:-(Q[1-4]|0[1-9]|1[0-2]))?$/.exec(name) ?? [];
  if (year !== undefined) {
    const quarter = part?.startsWith('Q') ? Number(part.slice(1)) : undefined;
    const first = quarter !== undefined ? (quarter - 1) * 3 : part === undefined ? 0 : Number(part) - 1;
    const months = quarter !== undefined ? 3 : part === undefined ? 12 : 1;
    return { since: Date.UTC(Number(year), first), until: Date.UTC(Number(year), first + months) };
  }
  const [, from = '', to = ''] = /^(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})$/.exec(name) ?? [];
  const [since, last] = [dayNamed(from), dayNamed(to)];
  return since === undefined || last === undefined ? undefined : { since, until: last + dayMs };
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function dayNamed(text: string): number | undefined {
  const day = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(day) || dayOf(day) !== text ? undefined : day;
}

/** As people say it, with the last day in it. ISO 8601, UTC; `until` itself is not in it. */
export function daysText({ since, until }: { readonly since: string; readonly until: string }): string {
  return `${since.slice(0, 10)} to ${dayOf(Math.max(Date.parse(since), Date.parse(until) - 1))}`;
}

/**
 * Which periods are over and not yet reported, oldest first: all since the last one that was, twelve at most; the last one where none was.
 * @param reported names of periods
 */
export function periodsDue(every: ReportInterval, reported: ReadonlySet<string>, now: number): readonly ReportPeriod[] {
  const due: ReportPeriod[] = [];
  let period = periodAround(every, now - settleMs);
  for (let count = 0; count < 12; count += 1) {
    period = periodAround(every, period.since - 1);
    if (reported.has(period.name)) return due;
    due.unshift(period);
  }
  return reported.size === 0 ? due.slice(-1) : due;
}

function periodAround(every: ReportInterval, at: number): ReportPeriod {
  const date = new Date(at);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const known = periodNamed(nameAround(every, date, { year, month }));
  if (!known) throw new TypeError(`no ${every} is around ${date.toISOString()}`);
  return known;
}

/** Weeks begin on Monday (ISO 8601). */
function nameAround(
  every: ReportInterval,
  date: Date,
  { year, month }: { readonly year: number; readonly month: number },
): string {
  const padded = String(year).padStart(4, '0');
  if (every === 'year') return padded;
  if (every === 'quarter') return `${padded}-Q${Math.floor(month / 3) + 1}`;
  if (every === 'month') return `${padded}-${String(month + 1).padStart(2, '0')}`;
  const monday = Date.UTC(year, month, date.getUTCDate()) - ((date.getUTCDay() + 6) % 7) * dayMs;
  return `${dayOf(monday)}..${dayOf(monday + 6 * dayMs)}`;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
