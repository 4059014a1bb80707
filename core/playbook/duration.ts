const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30s`, `15m`, `4h`, `2d`. */
export type Duration = `${number}${'s' | 'm' | 'h' | 'd'}`;

/** Milliseconds of `15m`. @throws RangeError when it is not a duration. */
export function durationMs(duration: Duration): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(duration);
  const [, amount, unit] = match ?? [];
  if (amount === undefined || (unit !== 's' && unit !== 'm' && unit !== 'h' && unit !== 'd'))
    throw new RangeError(`not a duration: ${duration}`);
  return Number(amount) * unitMs[unit];
}
