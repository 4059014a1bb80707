import { instantOf, isTimeZone, wallClockAt } from '../people/local-time.ts';
import { type Duration, durationMs, isDuration } from './duration.ts';
import type { Params } from './params.ts';

/**
 * When a playbook is due: at equal intervals, counted from 1970 in UTC so that everyone computes the same times, or by a cron line in the wall-clock time of a
 * time zone. The schedule in Temporal only says when to check.
 */
export type Times =
  | { readonly every: Duration; readonly cron?: never; readonly timeZone?: never }
  /** Five fields: minute, hour, day of the month, month, day of the week. At most one of the two day fields may be set. */
  | { readonly cron: string; readonly timeZone: string; readonly every?: never };

/**
 * The target of a run, by names of the envelope's parameters. While one of them is empty there is no run: a playbook ships without a target, and does nothing
 * until somebody names one. Absent: the cluster.
 */
export type ScheduledTarget =
  | { readonly namespace: string }
  | { readonly kind: string; readonly namespace: string; readonly name: string }
  /** The newest ready pod of the namespace with this label: `{ label: 'app', value: 'drill' }`. */
  | { readonly namespace: string; readonly pod: { readonly label: string; readonly value: string } };

export type RunSchedule = Times & {
  readonly about?: ScheduledTarget;
  /** A missed run is made up for within this time, and skipped after it. Default: six hours, or the interval between two runs. */
  readonly catchUp?: Duration;
};

const minuteMs = 60_000;
const dayMs = 86_400_000;
const shortestMs = minuteMs;
const longestMs = 366 * dayMs;
const usualCatchUpMs = 6 * 3_600_000;
/** How far ahead a cron line is evaluated: the 29th of February occurs at least every eight years. */
const farthestDays = 3_000;

interface CronTimes {
  /** Minutes of the day. */
  readonly minutes: readonly number[];
  readonly days: ReadonlySet<number> | undefined;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number> | undefined;
}

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly words?: readonly string[];
}

const fields: readonly [Field, Field, Field, Field, Field] = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of the month', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12, words: monthNames },
  { name: 'day of the week', from: 0, to: 7, words: weekdayNames },
];

/** The numbers that a cron field stands for. @throws RangeError */
function numbersIn(text: string, { name, from, to, words = [] }: Field): ReadonlySet<number> {
  const bad = (): never => {
    throw new RangeError(
      `“${text}” is not a valid ${name}: write *, a number from ${from} to ${to}, 1-5, */2 or a list of these`,
    );
  };
  const numberOf = (word: string): number => {
    const named = words.indexOf(word.toLowerCase());
    const value = named >= 0 ? named + from : /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
    return value >= from && value <= to ? value : bad();
  };
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [, whole, first, last, step] = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (whole === undefined && first === undefined) bad();
    const by = step === undefined ? 1 : Number(step);
    const begin = first === undefined ? from : numberOf(first);
    const end =
      whole !== undefined || (first !== undefined && last === undefined && step !== undefined)
        ? to
        : numberOf(last ?? first ?? '');
    if (by === 0 || end < begin) bad();
    for (let value = begin; value <= end; value += by) found.add(value);
  }
  return found;
}

const parsed = new Map<string, CronTimes>();

/** @throws RangeError that says what to write instead */
function cronOf(text: string): CronTimes {
  const known = parsed.get(text);
  if (known) return known;
  const [minute, hour, day, month, weekday, ...more] = text.trim().split(/\s+/);
  if (
    minute === undefined ||
    hour === undefined ||
    day === undefined ||
    month === undefined ||
    weekday === undefined ||
    more.length > 0
  )
    throw new RangeError(`“${text}” is not a cron line: write five fields, such as 0 9 * * mon`);
  if (day !== '*' && weekday !== '*')
    throw new RangeError(
      `“${text}” sets both a day of the month and a day of the week, which programs interpret differently: write * for one`,
    );
  const [minutes, hours] = [numbersIn(minute, fields[0]), numbersIn(hour, fields[1])];
  const weekdays = weekday === '*' ? undefined : numbersIn(weekday, fields[4]);
  const times: CronTimes = {
    minutes: [...hours].flatMap((of) => [...minutes].map((at) => of * 60 + at)).toSorted((a, b) => a - b),
    days: day === '*' ? undefined : numbersIn(day, fields[2]),
    months: numbersIn(month, fields[3]),
    // 7 also means Sunday.
    weekdays: weekdays && new Set([...weekdays].map((one) => one % 7)),
  };
  parsed.set(text, times);
  return times;
}

/** Whether a cron line runs on that wall-clock day. */
function runsOn({ days, months, weekdays }: CronTimes, midnight: number): boolean {
  const date = new Date(midnight);
  return (
    months.has(date.getUTCMonth() + 1) && (days?.has(date.getUTCDate()) ?? true) && (weekdays?.has(date.getUTCDay()) ?? true)
  );
}

/** The times of a day, in order. A time skipped when the clock goes forward is later by the size of the jump. */
function momentsOn(times: CronTimes, midnight: number, timeZone: string): readonly number[] {
  if (!runsOn(times, midnight)) return [];
  return times.minutes.map((minute) => instantOf(midnight + minute * minuteMs, timeZone)).toSorted((a, b) => a - b);
}

function midnightAt(instant: number, timeZone: string): number {
  return Math.floor(wallClockAt(instant, timeZone) / dayMs) * dayMs;
}

/** When it was last due, in milliseconds since 1970; undefined if there is no such time within the search range. */
export function dueLast(times: Times, now: number): number | undefined {
  if (times.every !== undefined) return Math.floor(now / durationMs(times.every)) * durationMs(times.every);
  const [cron, today] = [cronOf(times.cron), midnightAt(now, times.timeZone)];
  for (let day = 0; day < farthestDays; day += 1) {
    const last = momentsOn(cron, today - day * dayMs, times.timeZone).findLast((moment) => moment <= now);
    if (last !== undefined) return last;
  }
  return undefined;
}

/** When it is next due, after this moment; undefined if there is no such time within the search range. */
export function dueNext(times: Times, now: number): number | undefined {
  if (times.every !== undefined) return (Math.floor(now / durationMs(times.every)) + 1) * durationMs(times.every);
  const [cron, today] = [cronOf(times.cron), midnightAt(now, times.timeZone)];
  for (let day = 0; day < farthestDays; day += 1) {
    const next = momentsOn(cron, today + day * dayMs, times.timeZone).find((moment) => moment > now);
    if (next !== undefined) return next;
  }
  return undefined;
}

/** How long after a missed run it may still be made up for. */
export function catchUpMs(schedule: RunSchedule, due: number): number {
  if (schedule.catchUp !== undefined) return durationMs(schedule.catchUp);
  return Math.min(usualCatchUpMs, (dueNext(schedule, due) ?? Number.POSITIVE_INFINITY) - due);
}

/** For people: `every 30d`, `at 0 9 * * mon (Europe/Berlin)`. */
export function timesText(times: Times): string {
  return times.every === undefined ? `at ${times.cron} (${times.timeZone})` : `every ${times.every}`;
}

/** What is wrong with the schedule, each with what to write instead; empty if nothing is. */
export function problemsOfSchedule(schedule: RunSchedule, params: Params = {}): readonly string[] {
  const { every, cron, timeZone, about, catchUp } = schedule;
  const problems: string[] = [];
  if ((every === undefined) === (cron === undefined)) problems.push('set either every or cron');
  if (every !== undefined && (!isDuration(every) || durationMs(every) < shortestMs || durationMs(every) > longestMs))
    problems.push(`every cannot be ${JSON.stringify(every)}: write a duration from 1m to 366d`);
  if (catchUp !== undefined && !isDuration(catchUp))
    problems.push(`catchUp cannot be ${JSON.stringify(catchUp)}: write a duration such as 6h`);
  if (cron !== undefined) {
    if (timeZone === undefined || !isTimeZone(timeZone))
      problems.push(`a cron line needs a timeZone such as Europe/Berlin; ${JSON.stringify(timeZone)} is not one`);
    try {
      cronOf(cron);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : 'it is not a cron line');
    }
  }
  const wanted = about ? [about.namespace, ...('name' in about ? [about.name] : [])] : [];
  for (const name of wanted) {
    const of = Object.hasOwn(params, name) ? params[name] : undefined;
    if (of?.kind !== 'text' && of?.kind !== 'namespace')
      problems.push(`about names ${name}, which is not a parameter of the kind text or namespace: add it to params`);
  }
  return problems;
}
