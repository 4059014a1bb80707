import { sensorText } from '../../core/alert/sensor-text.ts';

/** A sensor's tags: its texts, without duplicates, at most 64. */
export function tagsOf(...values: readonly unknown[]): readonly string[] {
  const list = values.flatMap((value): readonly unknown[] => (Array.isArray(value) ? value.slice(0, 64) : [value]));
  return [...new Set(list.flatMap((tag) => sensorText(tag, 128) ?? []))].slice(0, 64);
}
