/** A period in which an external schedule has somebody on call: ids of that system, milliseconds since 1970. */
export interface OutsideShift {
  readonly user: string;
  readonly from: number;
  /** Absent: indefinitely. */
  readonly until?: number;
}

/** What was last read from an external schedule, for one group of the roster. */
export interface OutsideOnCall {
  readonly shifts: readonly OutsideShift[];
  /** When it was read, and the end of the period that was asked about. */
  readonly readAt: number;
  readonly until: number;
}

/**
 * Whether one of these users is on call. Undefined: nothing is known about that time, because there was no answer yet or the last one is too old; then the
 * roster alone says who may answer. So it can only narrow the roster, never widen it.
 */
export function isOnCallOutside(known: OutsideOnCall | undefined, users: readonly string[], at: number): boolean | undefined {
  if (!known || at < known.readAt || at >= known.until) return undefined;
  const current = known.shifts.filter(({ from, until }) => from <= at && (until === undefined || at < until));
  // A schedule with nobody in it would lock everybody out: it is either a gap there, or a wrong id here.
  if (current.length === 0) return undefined;
  return current.some(({ user }) => users.includes(user));
}
