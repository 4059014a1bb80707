import { sha256Hex } from './digest.ts';

export interface AlertIdentity {
  readonly sensor: string;
  readonly rule: string;
  /** As the sensor wrote it. */
  readonly time: string;
  readonly host?: string;
  /** What tells this detection from another one of the same rule and time: any JSON value. */
  readonly fields: unknown;
}

/**
 * The alert's id: 32 hex digits. The same for a redelivery and for other orders of JSON keys. Numbers beyond 2^53 do not
 * count, since whoever parsed them on the way may have rounded them.
 */
export function alertIdOf({ sensor, rule, time, host, fields }: AlertIdentity): string {
  // Lists of texts and numbers have one JSON text only, the canonical one.
  return sha256Hex(JSON.stringify([sensor, rule, time, host ?? null, stable(fields)].map(stable))).slice(0, 32);
}

/** JSON that has exactly one canonical form: no rounded number, no lone surrogate, and objects as sorted pairs. */
function stable(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'beyond' : finite(value);
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.entries(value)
    .filter(([, field]) => field !== null && field !== undefined)
    .map(([key, field]) => [key.toWellFormed(), stable(field)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function finite(value: number): number | string {
  return Number.isFinite(value) ? value : 'beyond';
}
