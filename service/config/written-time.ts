import { instantOf, wallClockOf } from '../../core/people/local-time.ts';

const absolute = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/** A time as people write it: with Z or an offset it is what it says, without it is by the wall clock of the zone. Undefined: no time. */
export function instantWritten(text: string, timeZone: string): number | undefined {
  if (absolute.test(text)) {
    const instant = Date.parse(text);
    // `Date.parse` takes the 30th of February for the 2nd of March.
    return Number.isNaN(instant) || wallClockOf(text.slice(0, 16)) === undefined ? undefined : instant;
  }
  const wallClock = wallClockOf(text);
  return wallClock === undefined ? undefined : instantOf(wallClock, timeZone);
}
