import type { Alert } from '../../../core/alert/alert.ts';
import { borrowedRule, mayCarryRule, ownSensor } from '../../../core/alert/own-alerts.ts';
import {
  type DecodeContext,
  type Decoded,
  type Sensor,
  type SeverityOverrides,
  withConfiguredSeverity,
} from '../../../core/alert/sensor.ts';
import { withTextBudget } from '../../../core/alert/sensor-text.ts';
import { withDefaultSeverity } from '../../../core/rules/default-severity.ts';
import { parseExactly } from '../../../core/text/exact-json.ts';
import { recognise, sensors } from '../../../integrations/sensors/index.ts';
import { listMember, outlineOf } from './list-member.ts';
import { splitItems } from './split.ts';

/** Maximum bytes of one alert. */
const largestAlert = 1024 * 1024;
/** Maximum bytes of one body, after decompression. */
export const largestBody = 16 * 1024 * 1024;

export type ParsedItem =
  | (Extract<Decoded, { readonly kind: 'alert' }> & { readonly raw: Uint8Array })
  | (Exclude<Decoded, { readonly kind: 'alert' }> & { readonly raw: Uint8Array });

export type Parsed =
  | { readonly ok: true; readonly items: readonly ParsedItem[] }
  | { readonly ok: false; readonly status: 400 | 413; readonly reason: string };

export interface ParseContext extends DecodeContext {
  /** The sensor, if the sender named it; otherwise it is detected for each item. */
  readonly sensor?: Sensor;
  /** The headers of a binary CloudEvent, in lower case: the body is its data. */
  readonly cloudEvent?: Readonly<Record<string, string>>;
  readonly severities?: SeverityOverrides;
}

/**
 * Splits a body of any shape into its items, each with its own bytes. Never throws: what cannot be read becomes an item with a reason, or a reason for the
 * whole body.
 */
export function parseAlerts(bytes: Uint8Array, context: ParseContext): Parsed {
  const unread = unreadItems(bytes);
  if (!unread.ok) return unread;
  const items = unread.items.flatMap((raw) => {
    const read = readItem(raw, context);
    return read.kind === 'items' ? read.items : read.parts.flatMap((part) => readPart(part, context));
  });
  return { ok: true, items };
}

/** The bytes of each item of a body; none has been parsed yet. */
export type Unread =
  | { readonly ok: true; readonly items: readonly Uint8Array[] }
  | { readonly ok: false; readonly status: 400 | 413; readonly reason: string };

export function unreadItems(bytes: Uint8Array): Unread {
  if (bytes.length > largestBody) return { ok: false, status: 413, reason: `a body may have at most ${largestBody} bytes` };
  const split = splitItems(bytes);
  if (!split.ok) return split;
  if (split.items.length === 0) return { ok: false, status: 400, reason: 'the body contains no JSON' };
  return { ok: true, items: split.items.map(({ start, end }) => bytes.subarray(start, end)) };
}

/** The result for one item: parsed, or a batch of the API audit or of Alertmanager, whose parts are not parsed yet. */
type ReadItem =
  | { readonly kind: 'items'; readonly items: readonly ParsedItem[] }
  | { readonly kind: 'parts'; readonly parts: readonly Uint8Array[] };

const utf8 = new TextDecoder('utf-8');

export function readItem(raw: Uint8Array, context: ParseContext): ReadItem {
  // No alert is that long, but a batch can be; then its outline is enough to recognise it.
  const text = raw.length > largestAlert ? outlineOf(raw) : utf8.decode(raw);
  const value = text === undefined ? undefined : parsed(text);
  if (text === undefined || value === undefined) return { kind: 'items', items: [notJson(raw)] };
  const list = listIn(value, context.sensor);
  const parts = list === undefined ? undefined : listMember(raw, list);
  if (parts === undefined) return { kind: 'items', items: decodeItem({ raw, text, value, context }) };
  if (parts.length > 0) return { kind: 'parts', parts: parts.map(({ start, end }) => raw.subarray(start, end)) };
  const sensor = context.sensor?.name ?? 'unknown';
  return { kind: 'items', items: [{ kind: 'ignored', sensor, reason: 'an empty batch', raw }] };
}

/** The member of a batch that holds its parts. Checked for each body, so it allocates no lists. */
function listIn(value: unknown, wanted: Sensor | undefined): string | undefined {
  if (wanted) return wanted.listIn?.(value);
  for (const sensor of sensors) {
    const name = sensor.listIn?.(value);
    if (name !== undefined) return name;
  }
  return undefined;
}

export function readPart(raw: Uint8Array, context: ParseContext): readonly ParsedItem[] {
  const text = utf8.decode(raw);
  const value = parsed(text);
  return value === undefined ? [notJson(raw)] : decodeItem({ raw, text, value, context });
}

/** Undefined if it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notJson(raw: Uint8Array): ParsedItem {
  return { kind: 'rejected', reason: 'not JSON', raw: raw.subarray(0, largestAlert) };
}

interface Item {
  readonly raw: Uint8Array;
  readonly text: string;
  readonly value: unknown;
  readonly context: ParseContext;
}

function decodeItem({ raw, text, value, context }: Item): readonly ParsedItem[] {
  if (raw.length > largestAlert) {
    return [{ kind: 'rejected', reason: `an alert may have at most ${largestAlert} bytes`, raw: raw.subarray(0, largestAlert) }];
  }
  const { cluster, sensor: wanted, cloudEvent, severities } = context;
  const whole = (content: unknown): unknown => (cloudEvent === undefined ? content : { headers: cloudEvent, body: content });
  const found = recognise(whole(value), wanted);
  if (found === undefined) {
    const known = sensors.map(({ name }) => name).join(', ');
    return [{ kind: 'rejected', reason: `no known sensor sends this format; known: ${known}`, raw }];
  }
  const { sensor, value: content } = found.sensor.exactIntegers ? exactly(found, whole(parseExactly(text)), wanted) : found;
  const settings = severities && Object.hasOwn(severities, sensor.name) ? severities[sensor.name] : undefined;
  return withTextBudget(() => sensor.decode(content, { cluster, settings })).map((decoded) => {
    if (decoded.kind !== 'alert') return { ...decoded, raw };
    if (decoded.alert.sensor === ownSensor)
      return { kind: 'rejected', reason: `only Firebreak itself may send as ${ownSensor}`, raw };
    return { ...decoded, alert: ofASensor(withConfiguredSeverity(withDefaultSeverity(decoded.alert), severities)), raw };
  });
}

/** It is not dropped, since something did send it; people see what is wrong with it, and it triggers nothing automatic. */
function ofASensor(alert: Alert): Alert {
  return mayCarryRule(alert) ? alert : { ...alert, doubt: borrowedRule };
}

type Found = NonNullable<ReturnType<typeof recognise>>;

/** The same item, parsed again without rounding its integers. */
function exactly(rounded: Found, exact: unknown, wanted: Sensor | undefined): Found {
  return recognise(exact, wanted) ?? rounded;
}
