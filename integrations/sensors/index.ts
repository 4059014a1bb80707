import type { Sensor } from '../../core/alert/sensor.ts';
import { alertmanager } from './alertmanager/alertmanager.ts';
import { createCloudEvents } from './cloudevents/cloudevents.ts';
import { falco } from './falco/falco.ts';
import { falcosidekick } from './falcosidekick/falcosidekick.ts';
import { createGeneric } from './generic/generic.ts';
import { inspektorGadget } from './inspektor-gadget/inspektor-gadget.ts';
import { kubearmor } from './kubearmor/kubearmor.ts';
import { kubernetesAudit } from './kubernetes-audit/kubernetes-audit.ts';
import { kubescape } from './kubescape/kubescape.ts';
import { ocsf } from './ocsf/ocsf.ts';
import { type Recognised, recogniseAmong } from './recognise.ts';
import { tetragon } from './tetragon/tetragon.ts';
import { tracee } from './tracee/tracee.ts';

/** Sensors with their own decoder. Detection tries them in this order: those with one unmistakable mark come first. */
const decoders: readonly Sensor[] = [
  kubernetesAudit,
  kubescape,
  alertmanager,
  ocsf,
  tetragon,
  tracee,
  kubearmor,
  falcosidekick,
  falco,
  inspektorGadget,
];

/** Senders that write alerts themselves. */
const writers: readonly Sensor[] = [createGeneric(decoders), ...decoders];

export const cloudEvents: Sensor = createCloudEvents(writers);

/** Every supported sender, in the order of detection. Each has the address `/v1/alerts/NAME`. */
export const sensors: readonly Sensor[] = [cloudEvents, ...writers];

/**
 * Detects the sensor of a value, and returns the value without the envelopes of forwarders. With `wanted` the sender has named its sensor: then no other is
 * tried, and that sensor may refuse the value.
 */
export function recognise(value: unknown, wanted?: Sensor): Recognised | undefined {
  if (wanted === undefined) return recogniseAmong(sensors, value);
  return recogniseAmong([wanted], value) ?? { sensor: wanted, value };
}
