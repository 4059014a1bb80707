type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';
type Unit = 's' | 'm' | 'h' | 'd';

/** A non-negative duration as people write it: `30s`, `15m`, `1.5h`, `2d`. Neither `4 hours` nor `-4h` compiles. */
export type Duration = `${Digit}${Unit}` | `${Digit}${number}${Unit}`;

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const pattern = /^(\d+(?:\.\d+)?)([smhd])$/;

/** Whether a text is a duration: the compiler does not check values from configuration. */
export function isDuration(text: unknown): text is Duration {
  return typeof text === 'string' && pattern.test(text);
}

/** Converts `15m` to milliseconds. @throws RangeError when it is not a duration. */
export function durationMs(duration: Duration): number {
  const [, amount, unit] = pattern.exec(duration) ?? [];
  if (amount === undefined || (unit !== 's' && unit !== 'm' && unit !== 'h' && unit !== 'd'))
    throw new RangeError(`not a duration: ${duration}; write 30s, 15m, 4h or 2d`);
  return Number(amount) * unitMs[unit];
}
