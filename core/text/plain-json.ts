/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * Converts a value to what JSON can represent and canonical JSON accepts. Text that was cut in the middle of a character (a lone surrogate) gets U+FFFD there,
 * as in UTF-8: an attacker's odd command line must not make a record unwritable.
 */
export function plainJson(value: unknown): Json {
  switch (typeof value) {
    case 'string':
      return value.toWellFormed();
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'object':
      break;
    default:
      return null;
  }
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(plainJson);
  if ('toJSON' in value && typeof value.toJSON === 'function') return plainJson(value.toJSON());
  const kept = Object.entries(value).filter(([, field]) => field !== undefined && typeof field !== 'function');
  return Object.fromEntries(kept.map(([name, field]) => [name.toWellFormed(), plainJson(field)]));
}

/** Whether the value is an object with named fields: neither an array nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the value is JSON at every depth. */
export function isJson(value: unknown): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return false;
  return Object.values(value).every(isJson);
}

/** Compares by code units: the same everywhere, unlike a locale's order. ISO 8601 times (UTC) are ordered chronologically. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
