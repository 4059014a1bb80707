/** Anything that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * The value as JSON can hold it and as canonical JSON accepts it. Text that was cut in the middle of a character (a lone
 * surrogate) gets U+FFFD there, as UTF-8 would do: an attacker's odd command line must not make a record unwritable.
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

/** Whether the value has named fields: no list, and not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the value is JSON all the way down. */
export function isJson(value: unknown): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return false;
  return Object.values(value).every(isJson);
}

/** By their code units: the same wherever it runs, where a locale has an order of its own. Times in ISO 8601 (UTC) come by their moment. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
