import type { Alert } from '../../core/alert.ts';
import type { DecodeContext, Decoded, Sensor } from '../../core/sensor.ts';
import { falco } from '../../integrations/sensors/falco/falco.ts';
import { splitItems } from './split.ts';

/** Every sender that is understood. Detection asks them in this order. */
export const sensors: readonly Sensor[] = [falco];

/** Bytes of one alert. */
export const largestAlert = 1024 * 1024;
/** Bytes of one body, after unpacking. */
export const largestBody = 16 * 1024 * 1024;

export type ParsedItem =
  | { readonly kind: 'alert'; readonly alert: Alert; readonly raw: Uint8Array }
  | (Exclude<Decoded, { readonly kind: 'alert' }> & { readonly raw: Uint8Array });

export type Parsed =
  | { readonly ok: true; readonly items: readonly ParsedItem[] }
  | { readonly ok: false; readonly status: 400 | 413; readonly reason: string };

/**
 * Reads a body of whatever shape into its items, each with its own bytes. Never throws: what cannot be read is an item with
 * a reason, or a reason for the whole.
 *
 * @param sensor whose work it is, where the sender said so; otherwise each item is detected
 */
export function parseAlerts(bytes: Uint8Array, context: DecodeContext & { readonly sensor?: Sensor }): Parsed {
  if (bytes.length > largestBody) return { ok: false, status: 413, reason: `a body has at most ${largestBody} bytes` };
  const split = splitItems(bytes);
  if (!split.ok) return split;
  if (split.items.length === 0) return { ok: false, status: 400, reason: 'the body holds no JSON' };
  return {
    ok: true,
    items: split.items.map(({ start, end }) => {
      const raw = bytes.subarray(start, end);
      return { ...decodeItem(raw, context), raw };
    }),
  };
}

const utf8 = new TextDecoder('utf-8');

function decodeItem(raw: Uint8Array, { cluster, sensor }: DecodeContext & { readonly sensor?: Sensor }): Decoded {
  if (raw.length > largestAlert) return { kind: 'rejected', reason: `an alert has at most ${largestAlert} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(raw));
  } catch {
    return { kind: 'rejected', reason: 'not JSON' };
  }
  const decoder = sensor ?? sensors.find((candidate) => candidate.detect(value));
  if (decoder === undefined) {
    return { kind: 'rejected', reason: `no known sensor writes this; known: ${sensors.map(({ name }) => name).join(', ')}` };
  }
  return decoder.decode(value, { cluster });
}
