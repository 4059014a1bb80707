import { instantOf } from './local-time.ts';
import type { Roster } from './roster.ts';
import { turnAt } from './schedule.ts';

/**
 * When the people who may answer for one of these groups may change next: a turn, a shift, an override or a delegation begins or ends. Milliseconds since 1970;
 * undefined for never.
 */
export function nextHandOver(roster: Roster, groups: readonly string[], at: number): number | undefined {
  const { delegations = [], schedules = {} } = roster;
  const own = groups.flatMap((group) => (Object.hasOwn(schedules, group) ? (schedules[group] ?? []) : []));
  // Each rotation separately: a person on call in two of them hides the end of one behind the other, and an override hides both.
  const turns = own.flatMap(({ rotations, timeZone }) =>
    rotations.map((rotation) => turnAt(rotation, timeZone, at)?.until ?? instantOf(rotation.start, timeZone)),
  );
  const written = own.flatMap(({ shifts, overrides }) => [...shifts, ...overrides]);
  const spans = [...written, ...delegations].flatMap(({ from, until }) => [from, until]);
  const later = [...turns, ...spans].filter((time) => time > at);
  return later.length === 0 ? undefined : Math.min(...later);
}
