import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { firstKnown, objectOf } from '../../../core/alert/sensor-text.ts';
import { decodeClassic, isClassic } from './classic.ts';
import { decodeV1beta1, isV1beta1 } from './v1beta1.ts';

/**
 * A finding posted by tracee-rules: it wraps the event that caused it, under either of its names. The signature is what was found, not that event (`ptrace`).
 * https://github.com/aquasecurity/tracee/blob/main/types/detect/detect.go (`Finding`)
 */
function findingOf(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const event = objectOf(value.Context) ?? objectOf(objectOf(value.Event)?.Payload);
  const metadata = objectOf(value.SigMetadata);
  if (event === undefined || metadata === undefined) return undefined;
  const eventName = firstKnown(metadata.EventName, metadata.Name, metadata.ID, event.eventName);
  return { ...event, eventName, metadata, args: [event.args, value.Data] };
}

function detect(value: unknown): boolean {
  const event = objectOf(value);
  return event !== undefined && (isClassic(findingOf(event) ?? event) || isV1beta1(event));
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('a Tracee event must be a JSON object');
  if (isV1beta1(event)) return decodeV1beta1(event, cluster);
  const classic = findingOf(event) ?? event;
  return isClassic(classic) ? decodeClassic(classic, cluster) : rejected('`eventName`, or `name` and `workload`, are missing');
}

/** Tracee's formats: flat (up to 0.12), with `kubernetes` (0.13 to 0.24), and v1beta1. https://aquasecurity.github.io/tracee */
export const tracee: Sensor = { name: 'tracee', exactIntegers: true, detect, decode };
