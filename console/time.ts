/** Times as people say them, in the reader's zone. Pure: the current time is passed in. */

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

interface Reader {
  readonly locale?: string;
  readonly timeZone?: string;
}

function parts(at: number, options: Intl.DateTimeFormatOptions, { locale, timeZone }: Reader): string {
  return new Intl.DateTimeFormat(locale, { ...options, ...(timeZone === undefined ? {} : { timeZone }) }).format(at);
}

/** The time of day, with the day and the year if they differ from now: `14:02`, `Nov 26, 14:02`. */
export function timeText(iso: string, now: number, reader: Reader = {}): string {
  const at = Date.parse(iso);
  const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  const dateOf = (time: number): string => parts(time, { dateStyle: 'short' }, reader);
  if (dateOf(at) === dateOf(now)) return parts(at, clock, reader);
  const yearOf = (time: number): string => parts(time, { year: 'numeric' }, reader);
  const year: Intl.DateTimeFormatOptions = yearOf(at) === yearOf(now) ? {} : { year: 'numeric' };
  return parts(at, { month: 'short', day: 'numeric', ...year, ...clock }, reader);
}

/** A UTC day, `2026-11-26`, as `Nov 26`. */
export function dayText(day: string, { locale }: Pick<Reader, 'locale'> = {}): string {
  return parts(Date.parse(day), { month: 'short', day: 'numeric' }, { timeZone: 'UTC', ...(locale !== undefined && { locale }) });
}

/** The full time, for readers who want to be sure: with seconds and the zone. */
export function wholeTimeText(iso: string, reader: Reader = {}): string {
  return parts(Date.parse(iso), { dateStyle: 'full', timeStyle: 'long' }, reader);
}

/** A duration in its two largest units: `3 h 12 min`, `45 s`. Never negative. */
export function lengthText(ms: number): string {
  const left = Math.max(0, Math.round(ms / 1000) * 1000);
  const unit = (size: number, name: string, rest: number): string => (rest < size ? '' : `${Math.floor(rest / size)} ${name}`);
  const two = (...texts: readonly string[]): string => texts.filter((text) => text !== '').join(' ');
  if (left >= day) return two(unit(day, 'd', left), unit(hour, 'h', left % day));
  if (left >= hour) return two(unit(hour, 'h', left), unit(minute, 'min', left % hour));
  // Seconds only where they matter.
  if (left >= 10 * minute) return unit(minute, 'min', left);
  if (left >= minute) return two(unit(minute, 'min', left), unit(1000, 's', left % minute));
  return `${left / 1000} s`;
}

/** How long something took: rounded up, so that it never looks better than it was. */
export function tookText(seconds: number): string {
  if (seconds < 1) return `${Math.ceil(seconds * 1000)} ms`;
  return seconds < 10 ? `${Math.ceil(seconds * 10) / 10} s` : lengthText(Math.ceil(seconds) * 1000);
}

/** `2 min ago`; `just now` below five seconds, since clocks differ. */
export function agoText(iso: string, now: number): string {
  const since = now - Date.parse(iso);
  return since < 5000 ? 'just now' : `${lengthText(since < minute ? since : Math.floor(since / minute) * minute)} ago`;
}
