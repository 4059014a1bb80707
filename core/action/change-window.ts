import { instantOf, wallClockAt } from '../people/local-time.ts';
import type { Effect, Plan, Reach } from './plan.ts';

export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
type Weekday = (typeof weekdays)[number];

/** Wall-clock times at which it is open on some days; a range that ends before it begins ends on the next day. */
export interface OpenTimes {
  readonly days: readonly Weekday[];
  /** `09:00` */
  readonly from: string;
  /** The first minute after it. */
  readonly until: string;
}

/** When destructive and wide steps may run. Steps outside any window's namespaces and playbooks always may. */
export interface ChangeWindow {
  readonly name: string;
  /** Absent: all. */
  readonly namespaces?: readonly string[];
  /** Absent: all. */
  readonly playbooks?: readonly string[];
  readonly timeZone: string;
  readonly open: readonly OpenTimes[];
  /** What applies while it is closed: one more person than usual must agree, or nobody can. */
  readonly outside: 'oneMore' | 'refuse';
}

const dayMs = 86_400_000;

function minutesOf(text: string): number {
  const [hours = '0', minutes = '0'] = text.split(':');
  return Number(hours) * 60 + Number(minutes);
}

function isOn(days: readonly Weekday[], wallClock: number): boolean {
  const day = weekdays[new Date(wallClock).getUTCDay()];
  return day !== undefined && days.includes(day);
}

export function isOpen({ timeZone, open }: Pick<ChangeWindow, 'timeZone' | 'open'>, now: number): boolean {
  const wallClock = wallClockAt(now, timeZone);
  const minute = Math.floor((wallClock % dayMs) / 60_000);
  return open.some(({ days, from, until }) => {
    const [begin, end] = [minutesOf(from), minutesOf(until)];
    if (begin < end) return isOn(days, wallClock) && begin <= minute && minute < end;
    return (isOn(days, wallClock) && begin <= minute) || (isOn(days, wallClock - dayMs) && minute < end);
  });
}

/** When it next opens, in milliseconds since 1970; undefined if never. */
export function opensNext({ timeZone, open }: Pick<ChangeWindow, 'timeZone' | 'open'>, now: number): number | undefined {
  const midnight = Math.floor(wallClockAt(now, timeZone) / dayMs) * dayMs;
  const begins = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((day) =>
    open
      .filter(({ days }) => isOn(days, midnight + day * dayMs))
      .map(({ from }) => instantOf(midnight + day * dayMs + minutesOf(from) * 60_000, timeZone)),
  );
  const later = begins.filter((begin) => begin > now);
  return later.length === 0 ? undefined : Math.min(...later);
}

/** The strictest window that is closed for a step; undefined if there is none. Reversible steps on one pod never wait. */
export function closedWindow(
  windows: readonly ChangeWindow[],
  step: {
    readonly effect: Effect;
    readonly reach: Reach;
    readonly namespaces: readonly string[];
    readonly playbook: string;
  },
  now: number,
): ChangeWindow | undefined {
  const { effect, reach, namespaces, playbook } = step;
  if (effect === 'read' || reach === 'outside' || (effect === 'reversible' && reach === 'pod')) return undefined;
  const closed = windows.filter(
    (window) =>
      // Anything without a namespace, such as a node, counts as being in all of them.
      (window.namespaces === undefined || namespaces.length === 0 || window.namespaces.some((one) => namespaces.includes(one))) &&
      (window.playbooks === undefined || window.playbooks.includes(playbook)) &&
      !isOpen(window, now),
  );
  return closed.find(({ outside }) => outside === 'refuse') ?? closed[0];
}

/** The plan as it is put to people while a window is closed: it tells the reader, and one more person must agree. */
export function outsideOf<P extends Plan>(plan: P, window: string): P {
  const note = `Outside the change window ${window}: one more person than usual must agree.`;
  return { ...plan, outsideWindow: window, notes: [...plan.notes, note] };
}

/** Why nobody can allow it now. */
export function closedText(window: ChangeWindow, now: number): string {
  const next = opensNext(window, now);
  const when =
    next === undefined ? 'it never opens' : `it opens at ${new Date(next).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `the change window ${window.name} is closed: ${when}`;
}
