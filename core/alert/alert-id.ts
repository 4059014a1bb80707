import { sha256Hex } from '../text/digest.ts';
import { compareTexts, isObject } from '../text/plain-json.ts';

export interface AlertIdentity {
  readonly sensor: string;
  readonly rule: string;
  /** As the sensor wrote it. */
  readonly time: string;
  readonly host?: string;
  /** Tells this detection from others with the same rule and time: any JSON value. */
  readonly fields: unknown;
  /** Selects fields of `fields`, if that is an object, that do not identify the alert. */
  readonly without?: (key: string, field: unknown) => boolean;
}

/**
 * Returns the alert's id: 32 hex digits. Redeliveries and other orders of JSON keys give the same id. Numbers beyond 2^53 are ignored, since a parser on the
 * way may have rounded them.
 */
export function alertIdOf({ sensor, rule, time, host, fields, without }: AlertIdentity): string {
  const textIn = (form: Form): string => {
    const told = isObject(fields) ? pairsOf(fields, form, without) : stable(fields, form);
    // Lists of texts and numbers have only one JSON text, the canonical one.
    return JSON.stringify([form(sensor), form(rule), form(time), host === undefined ? null : form(host), told]);
  };
  const asGiven = textIn(itself);
  // JSON writes a lone surrogate as an escape, and almost nothing else that way. Checking each text beforehand took a fifth of the time.
  return sha256Hex(asGiven.includes('\\ud') ? textIn(wellFormed) : asGiven).slice(0, 32);
}

/** The form of a text that is hashed. */
type Form = (text: string) => string;
const itself: Form = (text) => text;
const wellFormed: Form = (text) => text.toWellFormed();

/** Returns JSON with exactly one canonical form: no rounded numbers, and objects as sorted pairs. */
function stable(value: unknown, form: Form): unknown {
  if (typeof value === 'string') return form(value);
  if (typeof value === 'number') return isExact(value) ? value : 'beyond';
  if (Array.isArray(value)) return value.map((part) => stable(part, form));
  return isObject(value) ? pairsOf(value, form) : (value ?? null);
}

/** Makes one pass over the keys: this runs for every alert, and intermediate lists took a sixth of all its memory. */
function pairsOf(value: Readonly<Record<string, unknown>>, form: Form, without?: AlertIdentity['without']): readonly unknown[] {
  const keys = Object.keys(value);
  if (!isSorted(keys, form)) keys.sort((a, b) => compareTexts(form(a), form(b)));
  const pairs: unknown[] = [];
  for (const key of keys) {
    const field = value[key];
    if (field === null || field === undefined || without?.(key, field) === true) continue;
    pairs.push([form(key), stable(field, form)]);
  }
  return pairs;
}

/** Most sensors write their keys in order already. */
function isSorted(keys: readonly string[], form: Form): boolean {
  for (let place = 1; place < keys.length; place += 1) {
    if (compareTexts(form(keys[place - 1] ?? ''), form(keys[place] ?? '')) > 0) return false;
  }
  return true;
}

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}
