import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/sensor.ts';
import { objectOf } from '../../../core/sensor-text.ts';
import { decodeClassic, isClassic } from './classic.ts';
import { decodeV1beta1, isV1beta1 } from './v1beta1.ts';

/** What tracee-rules posted: the finding around the event. */
function findingOf(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const event = objectOf(value.Context);
  const metadata = objectOf(value.SigMetadata);
  return event && metadata && { ...event, metadata };
}

function detect(value: unknown): boolean {
  const event = objectOf(value);
  return event !== undefined && (isClassic(findingOf(event) ?? event) || isV1beta1(event));
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('a Tracee event is a JSON object');
  if (isV1beta1(event)) return decodeV1beta1(event, cluster);
  const classic = findingOf(event) ?? event;
  return isClassic(classic) ? decodeClassic(classic, cluster) : rejected('`eventName`, or `name` and `workload`, are missing');
}

/** What Tracee writes: flat (to 0.12), with `kubernetes` (0.13 to 0.24), and v1beta1. https://aquasecurity.github.io/tracee */
export const tracee: Sensor = { name: 'tracee', exactIntegers: true, detect, decode };
