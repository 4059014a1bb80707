import { timeText } from './sensor-text.ts';

/** Seconds, milliseconds, microseconds, nanoseconds: how many digits of the number are the fraction. */
const fractions = [0, 3, 6, 9] as const;

/**
 * Returns RFC 3339 for a count since 1970 in any unit, which is recognised by its size (between 1973 and 5138): seconds as `1780308001`, up to nanoseconds as
 * `"1676925283242804700"`. Texts of digits are exact. Undefined for anything else.
 */
export function timeFromEpoch(value: unknown): string | undefined {
  const digits = digitsOf(value);
  if (digits === undefined) return undefined;
  const fraction = fractions.find((places) => digits.length - places >= 9 && digits.length - places <= 11);
  if (fraction === undefined) return undefined;
  const seconds = Number(digits.slice(0, digits.length - fraction));
  const rest = fraction === 0 ? '' : `.${digits.slice(digits.length - fraction)}`;
  return new Date(seconds * 1_000).toISOString().replace(/\.\d+Z$/, `${rest}Z`);
}

/**
 * Returns RFC 3339 for a count of nanoseconds since 1970, from September 2001 on. A smaller count of nanoseconds is always the time since boot, and no host is
 * up for 31 years, so it is not a time of day.
 */
export function timeFromNanoseconds(value: unknown): string | undefined {
  return digitsOf(value)?.length === 19 ? timeFromEpoch(value) : undefined;
}

function digitsOf(value: unknown): string | undefined {
  if (typeof value === 'string') return /^\d{9,20}$/.test(value) ? value : undefined;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 1e8 || value >= 1e20) return undefined;
  return BigInt(Math.trunc(value)).toString();
}

/** Returns the first value that is a time: RFC 3339 as written, or a count since 1970. */
export function firstTime(...values: readonly unknown[]): string | undefined {
  for (const value of values) {
    const time = timeText(value) ?? timeFromEpoch(value);
    if (time !== undefined) return time;
  }
  return undefined;
}
