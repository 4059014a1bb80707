import type { DecodeContext, Decoded, Sensor } from '../../../core/alert/sensor.ts';
import { objectOf } from '../../../core/alert/sensor-text.ts';
import { falco } from '../falco/falco.ts';

/** A Falco event with the `uuid` that Falcosidekick generates for each receipt. */
function detect(value: unknown): boolean {
  const event = objectOf(value);
  return event !== undefined && typeof event.uuid === 'string' && typeof event.rule === 'string' && 'priority' in event;
}

/**
 * Falcosidekick only forwards: the sensor of the alert is Falco, with Falco's rules, severities and ids. Its `uuid` is new each time, so it says nothing about
 * the event, and the alert's id does not depend on it.
 */
function decode(value: unknown, context: DecodeContext): readonly Decoded[] {
  return falco.decode(value, context);
}

/** Events that Falcosidekick posts to a webhook. https://github.com/falcosecurity/falcosidekick/blob/master/docs/outputs/webhook.md */
export const falcosidekick: Sensor = { name: 'falcosidekick', detect, decode };
