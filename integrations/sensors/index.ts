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

/** Sensors with a decoder of their own. Detection asks in this order: what is told by one sure sign comes first. */
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

/** What writes alerts itself. */
const writers: readonly Sensor[] = [createGeneric(decoders), ...decoders];

export const cloudEvents: Sensor = createCloudEvents(writers);

/** Every sender that is understood, in the order of detection. Each has the address `/v1/alerts/NAME`. */
export const sensors: readonly Sensor[] = [cloudEvents, ...writers];

/**
 * Whose work a value is, and the work without the envelopes of forwarders. With `wanted` the sender has said whose it is: then
 * nobody else is asked, and the value is that sensor's to refuse.
 */
export function recognise(value: unknown, wanted?: Sensor): Recognised | undefined {
  if (wanted === undefined) return recogniseAmong(sensors, value);
  return recogniseAmong([wanted], value) ?? { sensor: wanted, value };
}
