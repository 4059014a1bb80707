import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { objectOf } from '../../../core/alert/sensor-text.ts';
import { contentOf, isBinaryCloudEvent, isCloudEvent } from '../envelopes.ts';
import { recogniseAmong } from '../recognise.ts';

/** More than any batch within one event has; further items would only cost time. */
const mostItems = 1_000;

/**
 * CloudEvents around events of any sensor in `carried`: structured, or binary as `{ headers, body }`. A batch is a list of structured ones, which the intake
 * splits. Ids, rules and severities come from the data, so that an event is recognised if it also arrives without the envelope.
 * https://github.com/cloudevents/spec
 */
export function createCloudEvents(carried: readonly Sensor[]): Sensor {
  const decodeContent = (content: unknown, context: DecodeContext): readonly Decoded[] => {
    const found = recogniseAmong(carried, content);
    return found === undefined
      ? rejected(`the event’s data is not from a known sensor; known sensors: ${carried.map(({ name }) => name).join(', ')}`)
      : found.sensor.decode(found.value, context);
  };
  return {
    name: 'cloudevents',
    exactIntegers: true,
    detect: isEnvelope,
    decode(value, context) {
      if (!isEnvelope(value)) return rejected('`specversion`, `type` or `source` is missing: this is not a CloudEvent');
      const content = contentOf(value);
      if (content === undefined || content === null) return rejected('the CloudEvent has no data, or data that is not JSON');
      if (!Array.isArray(content)) return decodeContent(content, context);
      return content.slice(0, mostItems).flatMap((item) => decodeContent(item, context));
    },
  };
}

function isEnvelope(value: unknown): boolean {
  const event = objectOf(value);
  return event !== undefined && (isCloudEvent(event) || isBinaryCloudEvent(event));
}
