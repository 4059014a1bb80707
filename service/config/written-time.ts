import { instantOf, wallClockOf } from '../../core/people/local-time.ts';

const absolute = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/** Parses a time as people write it: with Z or an offset it is absolute, without one it is in the zone's local time. Undefined: not a time. */
export function instantWritten(text: string, timeZone: string): number | undefined {
  if (absolute.test(text)) {
    const instant = Date.parse(text);
    // `Date.parse` reads the 30th of February as the 2nd of March.
    return Number.isNaN(instant) || wallClockOf(text.slice(0, 16)) === undefined ? undefined : instant;
  }
  const wallClock = wallClockOf(text);
  return wallClock === undefined ? undefined : instantOf(wallClock, timeZone);
}
