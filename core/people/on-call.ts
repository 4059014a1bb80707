/** A time for which an outside schedule has somebody on call: ids of that system, milliseconds since 1970. */
export interface OutsideShift {
  readonly user: string;
  readonly from: number;
  /** Absent: for good. */
  readonly until?: number;
}

/** What was read last of an outside schedule, for one group of the roster. */
export interface OutsideOnCall {
  readonly shifts: readonly OutsideShift[];
  /** When it was asked, and up to when it was asked about. */
  readonly readAt: number;
  readonly until: number;
}

/**
 * Whether one of these users is on call. Undefined: nothing is known of that time, since nobody has answered yet or the last answer is too old
 * to reach it; then the roster alone says who may answer. So it can only narrow the roster, never widen it.
 */
export function isOnCallOutside(known: OutsideOnCall | undefined, users: readonly string[], at: number): boolean | undefined {
  if (!known || at < known.readAt || at >= known.until) return undefined;
  const current = known.shifts.filter(({ from, until }) => from <= at && (until === undefined || at < until));
  // A schedule with nobody in it would shut everybody out: that is a gap there, or a wrong id here.
  if (current.length === 0) return undefined;
  return current.some(({ user }) => users.includes(user));
}
