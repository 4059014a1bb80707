import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';

export interface AlertIdentity {
  readonly sensor: string;
  readonly rule: string;
  /** As the sensor wrote it. */
  readonly time: string;
  readonly host?: string;
  /** What tells this detection from another one of the same rule and time: any JSON value. */
  readonly fields: unknown;
  /** Fields of `fields`, where that is an object, that tell nothing. */
  readonly without?: (key: string, field: unknown) => boolean;
}

/**
 * The alert's id: 32 hex digits. The same for a redelivery and for other orders of JSON keys. Numbers beyond 2^53 do not
 * count, since whoever parsed them on the way may have rounded them.
 */
export function alertIdOf({ sensor, rule, time, host, fields, without }: AlertIdentity): string {
  const told = isObject(fields) ? pairsOf(fields, without) : stable(fields);
  // Lists of texts and numbers have one JSON text only, the canonical one.
  return sha256Hex(JSON.stringify([stable(sensor), stable(rule), stable(time), stable(host), told])).slice(0, 32);
}

/** JSON that has exactly one canonical form: no rounded number, no lone surrogate, and objects as sorted pairs. */
function stable(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return isExact(value) ? value : 'beyond';
  if (Array.isArray(value)) return value.map(stable);
  return isObject(value) ? pairsOf(value) : (value ?? null);
}

/** In one pass over the keys: every alert has its id made, and lists in between were a sixth of all memory that it took. */
function pairsOf(value: Readonly<Record<string, unknown>>, without?: AlertIdentity['without']): readonly unknown[] {
  const keys = Object.keys(value);
  if (!isSorted(keys)) keys.sort(byWellFormed);
  const pairs: unknown[] = [];
  for (const key of keys) {
    const field = value[key];
    if (field === null || field === undefined || without?.(key, field) === true) continue;
    pairs.push([key.toWellFormed(), stable(field)]);
  }
  return pairs;
}

/** Most sensors write their keys in order. */
function isSorted(keys: readonly string[]): boolean {
  for (let place = 1; place < keys.length; place += 1) {
    if (byWellFormed(keys[place - 1] ?? '', keys[place] ?? '') > 0) return false;
  }
  return true;
}

function byWellFormed(one: string, other: string): number {
  const a = one.toWellFormed();
  const b = other.toWellFormed();
  return a < b ? -1 : a > b ? 1 : 0;
}

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}
