import { isObject } from '../text/plain-json.ts';
import { redactSecrets } from '../text/redact.ts';

/** How sensors spell unknown, besides null, absent fields and empty objects. */
const unknownWords: ReadonlySet<string> = new Set(['', '<NA>']);

/** Bounds the cost of redaction: this many times the wanted length is read, and a little more, since redacted text gets shorter. */
const readTimes = 4;
const readMore = 256;
/** The last word may be half a secret that no pattern matches, so it is dropped, up to this many characters. */
const longestWord = 512;
/**
 * Number of characters of one alert's texts that are redacted in total. Beyond that, each text is only read up to the length of a name: filling one field
 * cannot hide a pod.
 */
const budget = 32_768;
const nameLength = 256;

/**
 * Short texts that needed no change: rules, tags, names and images repeat with every alert of a storm. A sender of ever new texts makes the cache start over,
 * but not grow.
 */
const clean = new Map<string, string>();
const mostClean = 2_000;
const longestClean = 128;

let left = Number.POSITIVE_INFINITY;

/** Decodes one alert, with a bound on the total cost of its texts. Not for asynchronous work. */
export function withTextBudget<T>(decode: () => T): T {
  left = budget;
  try {
    return decode();
  } finally {
    left = Number.POSITIVE_INFINITY;
  }
}

/**
 * Returns a sensor's text in a form fit to leave the decoder: well-formed, bounded, without known secrets. Undefined if the sensor does not know it, or sent
 * anything but a text.
 */
export function sensorText(value: unknown, atMost = 1_024): string | undefined {
  if (typeof value !== 'string') return undefined;
  const known = value.length <= longestClean ? clean.get(value) : undefined;
  if (known !== undefined && known.length <= atMost) {
    left -= known.length;
    return known;
  }
  const wellFormed = value.toWellFormed();
  const text = (wellFormed.includes('\u0000') ? wellFormed.replaceAll('\u0000', '\uFFFD') : wellFormed).trim();
  if (unknownWords.has(text)) return undefined;
  const mostRead = Math.max(nameLength, Math.min(left, atMost * readTimes + readMore));
  left -= Math.min(text.length, mostRead);
  const read = text.length > mostRead ? withoutLastWord(text.slice(0, mostRead)) : text;
  const redacted = redactSecrets(read);
  if (redacted.length <= atMost && read === text) {
    if (redacted === value && value.length <= longestClean) remember(value);
    return redacted;
  }
  return `${redacted.slice(0, atMost).toWellFormed()} [cut, ${text.length} characters]`.trimStart();
}

function remember(text: string): void {
  if (clean.size >= mostClean) clean.clear();
  // Copied, because a slice of a long text would keep all of it in memory.
  const copy = Buffer.from(text).toString();
  clean.set(copy, copy);
}

function withoutLastWord(text: string): string {
  let end = text.length;
  while (end > 0 && text.length - end < longestWord && !/\s/.test(text[end - 1] ?? '')) end -= 1;
  return text.slice(0, end);
}

/**
 * Returns the first value that the sensor knows, unchanged. Many sensors write an empty text for an unknown value; it must not hide other fields, and `??`
 * would stop at it.
 */
export function firstKnown(...values: readonly unknown[]): unknown {
  return values.find((value) => {
    return value !== undefined && value !== null && !(typeof value === 'string' && unknownWords.has(value.trim()));
  });
}

/** Returns the first non-empty object: many sensors write an empty one for an unknown value, and it must not hide another. */
export function firstFilled(...values: readonly unknown[]): Fields | undefined {
  const objects = values.map(objectOf);
  return objects.find((object) => object !== undefined && Object.keys(object).length > 0);
}

const nameOfObject = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Returns a name that Kubernetes allows for pods, namespaces and nodes (RFC 1123). Anything else is not a name. */
export function objectName(value: unknown): string | undefined {
  return typeof value === 'string' && nameOfObject.test(value) ? value : undefined;
}

/** Returns a count or an id that was not rounded on the way; sensors may also write them as texts. */
export function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

/** RFC 3339, with any number of fractional digits. */
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,12})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** How Go writes a time that was never set. https://pkg.go.dev/time#Time.IsZero */
const zeroTime = /^0001-01-01[Tt ]00:00:00/;

/** Returns the time as the sensor wrote it, including nanoseconds, if it is one. */
export function timeText(value: unknown): string | undefined {
  if (typeof value !== 'string' || !rfc3339.test(value) || zeroTime.test(value)) return undefined;
  return Number.isNaN(Date.parse(value)) ? undefined : value;
}

/** An object that a sensor wrote: nothing is known about it yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Returns the value if it is an object: neither null nor a list. */
export function objectOf(value: unknown): Fields | undefined {
  return isObject(value) ? value : undefined;
}
