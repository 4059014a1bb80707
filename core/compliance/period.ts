/** How often a report of the past period is due. */
export const reportIntervals = ['week', 'month', 'quarter', 'year'] as const;
export type ReportInterval = (typeof reportIntervals)[number];

/** A range of days, in UTC. */
export interface ReportPeriod {
  /** `2026`, `2026-Q3`, `2026-11`, or `2026-11-01..2026-11-15` including the last day. */
  readonly name: string;
  /** Milliseconds since 1970; the end is exclusive. */
  readonly since: number;
  readonly until: number;
}

const dayMs = 86_400_000;
/** Milliseconds to wait: records of a period's last minutes reach the desk later, and those of a disconnected cell much later. */
const settleMs = 3_600_000;

/** Undefined if the text is no such period, or contains a day that does not exist. */
export function periodNamed(name: string): ReportPeriod | undefined {
  const period = daysNamed(name);
  // JavaScript takes the first hundred years as those from 1900 on.
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

/** JavaScript takes 30 February as 2 March. */
function dayNamed(text: string): number | undefined {
  const day = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(day) || dayOf(day) !== text ? undefined : day;
}

/** Returns a range of days for people, including the last day. ISO 8601, UTC; `until` itself is exclusive. */
export function daysText({ since, until }: { readonly since: string; readonly until: string }): string {
  return `${since.slice(0, 10)} to ${dayOf(Math.max(Date.parse(since), Date.parse(until) - 1))}`;
}

/**
 * Returns the past periods that were not reported yet, oldest first: all since the last reported one, at most twelve; only the last one if none was reported.
 * @param reported names of periods
 */
export function periodsDue(every: ReportInterval | 'day', reported: ReadonlySet<string>, now: number): readonly ReportPeriod[] {
  const due: ReportPeriod[] = [];
  let period = periodAround(every, now - settleMs);
  for (let count = 0; count < 12; count += 1) {
    period = periodAround(every, period.since - 1);
    if (reported.has(period.name)) return due;
    due.unshift(period);
  }
  return reported.size === 0 ? due.slice(-1) : due;
}

function periodAround(every: ReportInterval | 'day', at: number): ReportPeriod {
  const date = new Date(at);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const known = periodNamed(nameAround(every, date, { year, month }));
  if (!known) throw new TypeError(`no ${every} contains ${date.toISOString()}`);
  return known;
}

/** Weeks begin on Monday (ISO 8601). */
function nameAround(
  every: ReportInterval | 'day',
  date: Date,
  { year, month }: { readonly year: number; readonly month: number },
): string {
  const padded = String(year).padStart(4, '0');
  if (every === 'year') return padded;
  if (every === 'quarter') return `${padded}-Q${Math.floor(month / 3) + 1}`;
  if (every === 'month') return `${padded}-${String(month + 1).padStart(2, '0')}`;
  if (every === 'day') return `${dayOf(date.getTime())}..${dayOf(date.getTime())}`;
  const monday = Date.UTC(year, month, date.getUTCDate()) - ((date.getUTCDay() + 6) % 7) * dayMs;
  return `${dayOf(monday)}..${dayOf(monday + 6 * dayMs)}`;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
