import type { Alert, PodRef, WorkloadRef } from '../core/alert/alert.ts';
import type { Severity } from '../core/alert/severity.ts';
import { sensors } from '../integrations/sensors/index.ts';
import { samplePayloads as allSamplePayloads, type SamplePayload } from '../integrations/sensors/samples.ts';
import { parseAlerts } from '../service/intake/read/parse.ts';

/** What the cell finds out about an alert in its cluster, before an incident receives it. */
export interface FoundInCluster {
  /** Default: the pod that the sensor names, with a uid. */
  readonly pod?: PodRef & { readonly uid: string };
  /** Default: the Deployment that the pod's name suggests. */
  readonly workload?: WorkloadRef;
}

export interface DecodeOptions extends FoundInCluster {
  /** The sensor that sent it: `falco`, `tetragon`, `tracee`, `kubearmor`, `kubernetes-audit` … Absent: it is detected. */
  readonly sensor?: string;
  /** Default: `test`. */
  readonly cluster?: string;
}

/**
 * Decodes the alerts in what a sensor sends: one object, a list, or one per line, as the intake does it, and with what the cell would add.
 *
 * ```ts
 * const alerts = decodeAlerts(readFileSync('alerts/miner.json', 'utf8'));
 * ```
 *
 * @throws TypeError with the reason if one of them is refused, or none is an alert.
 */
export function decodeAlerts(text: string, options: DecodeOptions = {}): readonly Alert[] {
  const { sensor: name, cluster = 'test' } = options;
  const sensor = sensors.find((one) => one.name === name);
  if (name !== undefined && !sensor)
    throw new TypeError(`unknown sensor ${name}: use one of ${sensors.map((one) => one.name).join(', ')}`);
  const parsed = parseAlerts(new TextEncoder().encode(text), { cluster, ...(sensor && { sensor }) });
  if (!parsed.ok) throw new TypeError(parsed.reason);
  const alerts = parsed.items.flatMap((item) => {
    if (item.kind === 'rejected') throw new TypeError(item.reason);
    return item.kind === 'alert' ? [found(item.alert, options)] : [];
  });
  if (alerts.length === 0) throw new TypeError('it contains no alert');
  return alerts;
}

/** Ways in which a sample may differ from what the sensor wrote. */
export interface SampleOptions extends FoundInCluster {
  readonly severity?: Severity;
}

/**
 * One of the samples that come with Firebreak, as an incident receives it.
 *
 * ```ts
 * const alert = sampleAlert('falco', 'Terminal shell in container', { severity: 'critical' });
 * ```
 *
 * @throws RangeError if there is none; the error names the available ones.
 */
export function sampleAlert(sensor: string, rule?: string, { severity, ...where }: SampleOptions = {}): Alert {
  const samples = sampleAlerts();
  const alert = samples.find((one) => one.sensor === sensor && (rule === undefined || one.rule === rule));
  if (!alert) {
    const known = samples.map((one) => `${one.sensor}: ${one.rule}`).join('; ');
    throw new RangeError(`no sample of ${sensor}${rule === undefined ? '' : ` for ${rule}`} found: use one of ${known}`);
  }
  return found({ ...alert, ...(severity && { severity }) }, where);
}

/** Every sample, as an incident receives it. */
export function sampleAlerts(): readonly Alert[] {
  return samplePayloads().flatMap(({ sensor, payload }) => decodeAlerts(JSON.stringify(payload), { sensor }));
}

/** Every sample, as its sensor sends it: to post to an intake, or to change first. */
export function samplePayloads(): readonly SamplePayload[] {
  return allSamplePayloads();
}

const sampleUid = '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11';

function found(alert: Alert, { pod: otherPod, workload: otherWorkload }: FoundInCluster): Alert {
  const pod = otherPod ?? (alert.pod && { ...alert.pod, uid: alert.pod.uid ?? sampleUid });
  const workload =
    otherWorkload ?? alert.workload ?? (pod && { kind: 'Deployment', namespace: pod.namespace, name: ownerName(pod) });
  return { ...alert, ...(pod && { pod }), ...(workload && { workload }) };
}

/** `cart` for `cart-5d4c9b7f6-x2x7k`. */
function ownerName({ name }: PodRef): string {
  return name.replace(/-[a-z0-9]{6,10}-[a-z0-9]{5}$/, '');
}
