import { readFileSync } from 'node:fs';
import type { Alert } from '../../../core/alert/alert.ts';
import type { SeverityOverrides } from '../../../core/alert/sensor.ts';
import { sensors } from '../../../integrations/sensors/index.ts';
import { type ParsedItem, parseAlerts } from '../../../service/intake/read/parse.ts';

const folder = new URL('../../fixtures/alerts/', import.meta.url);

export function fixture(path: string): string {
  return readFileSync(new URL(path, folder), 'utf8');
}

/** The items that the intake reads from a body. */
export function itemsOf(
  body: string | object,
  options: { readonly sensor?: string; readonly severities?: SeverityOverrides } = {},
): readonly ParsedItem[] {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const sensor = sensors.find(({ name }) => name === options.sensor);
  const { severities } = options;
  const parsed = parseAlerts(bytes, { cluster: 'lab', ...(sensor && { sensor }), ...(severities && { severities }) });
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.items;
}

/** The only alert of a body. */
export function alertOf(body: string | object, options: Parameters<typeof itemsOf>[1] = {}): Alert {
  const [item, ...others] = itemsOf(body, options);
  if (item?.kind !== 'alert' || others.length > 0)
    throw new Error(`not one alert: ${JSON.stringify(itemsOf(body, options).map(withoutRaw))}`);
  return item.alert;
}

export function withoutRaw({ raw: _raw, ...item }: ParsedItem): object {
  return item;
}
