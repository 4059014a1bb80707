/** Wall clocks of time zones, from the JavaScript engine's own tables (IANA, through Intl). */

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone);
  if (known) return known;
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  clocks.set(timeZone, clock);
  return clock;
}

/** Whether the name is an IANA time zone that this engine knows. Offsets such as `+02:00` are rejected: they have no summer time. */
export function isTimeZone(name: string): boolean {
  // Known without creating a clock, which would cost each command that reads playbooks 20 ms.
  if (name === 'UTC') return true;
  if (/^[+-]?\d/.test(name)) return false;
  try {
    clockOf(name);
    return true;
  } catch {
    return false;
  }
}

const hourMs = 3_600_000;
/** Per zone: more than a year. */
const mostHours = 10_000;

/** Offset of each zone's wall clock from UTC, by hours since 1970, cached as asked. `changing` if it is not the same throughout the hour. */
const offsets = new Map<string, Map<number, number | 'changing'>>();

/** What the wall clock shows at an instant, expressed as UTC milliseconds: only for counting days and comparing. */
export function wallClockAt(instant: number, timeZone: string): number {
  const hour = Math.floor(instant / hourMs);
  const ofZone = offsets.get(timeZone) ?? new Map<number, number | 'changing'>();
  const known = ofZone.get(hour);
  if (typeof known === 'number') return Math.floor(instant / 1_000) * 1_000 + known;
  if (known === 'changing') return readClock(instant, timeZone);
  const [first, last] = [hour * hourMs, (hour + 1) * hourMs - 1_000];
  // No zone has ever changed twice within an hour.
  const offset = readClock(first, timeZone) - first;
  if (ofZone.size >= mostHours) ofZone.clear();
  ofZone.set(hour, readClock(last, timeZone) - last === offset ? offset : 'changing');
  offsets.set(timeZone, ofZone);
  return wallClockAt(instant, timeZone);
}

/** Uses Intl, which takes some microseconds. */
function readClock(instant: number, timeZone: string): number {
  const parts = new Map<string, number>(
    clockOf(timeZone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const of = (type: string): number => parts.get(type) ?? 0;
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
}

const dayMs = 86_400_000;

/**
 * The instant at which the wall clock shows this. A time skipped when summer time begins is later by the size of the gap; of a time that occurs twice, the
 * first is used. (The `compatible` of https://tc39.es/proposal-temporal/#sec-temporal-disambiguatepossibleepochnanoseconds)
 */
export function instantOf(wallClock: number, timeZone: string): number {
  const offsetAt = (instant: number): number => wallClockAt(instant, timeZone) - instant;
  const before = wallClock - offsetAt(wallClock - dayMs);
  const after = wallClock - offsetAt(wallClock + dayMs);
  const shown = [before, after].filter((instant) => wallClockAt(instant, timeZone) === wallClock);
  return shown.length > 0 ? Math.min(...shown) : before;
}

const written = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}))?$/;

/** Parses `2026-03-29T09:00`, or `2026-03-29` for its first minute, to wall-clock milliseconds; undefined for an invalid date. */
export function wallClockOf(text: string): number | undefined {
  const [, year, month, day, hour = '00', minute = '00'] = written.exec(text) ?? [];
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const wallClock = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
  return wallClockText(wallClock) === `${year}-${month}-${day} ${hour}:${minute}` ? wallClock : undefined;
}

/** `2026-03-29 09:00`. */
function wallClockText(wallClock: number): string {
  return new Date(wallClock).toISOString().slice(0, 16).replace('T', ' ');
}

/** `2026-03-29 09:00`, as people in that time zone see it. */
export function localText(instant: number, timeZone: string): string {
  return wallClockText(wallClockAt(instant, timeZone));
}
