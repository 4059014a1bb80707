import type { Sensor } from '../../core/alert/sensor.ts';
import { contentOf } from './envelopes.ts';

export interface Recognised {
  readonly sensor: Sensor;
  /** Without the envelopes around it. */
  readonly value: unknown;
}

/** A CloudEvent in a log line in a CloudEvent: no sender nests deeper. */
const mostEnvelopes = 3;

/** Detects the sensor of a value, first as it is, then within its envelopes. */
export function recogniseAmong(candidates: readonly Sensor[], value: unknown): Recognised | undefined {
  let content = value;
  for (let opened = 0; opened <= mostEnvelopes && content !== undefined; opened += 1) {
    const inside = content;
    const sensor = candidates.find((candidate) => candidate.detect(inside));
    if (sensor !== undefined) return { sensor, value: inside };
    content = contentOf(inside);
  }
  return undefined;
}
