/** The time in which what we send to Slack is spaced out: that of the machine, or, in tests, one that passes faster. */
export interface Pace {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly later: (work: () => void, ms: number) => NodeJS.Timeout;
}

export const realPace: Pace = {
  now: () => Date.now(),
  later: (work, ms) => setTimeout(work, ms),
};
