import type { Alert, ProcessRef } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type Decoded, ignored, rejected } from '../../../core/alert/sensor.ts';
import { type Fields, firstKnown, objectOf, sensorText, timeText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { timeFromNanoseconds } from '../../../core/alert/sensor-time.ts';
import { distinct, observablesIn, pathOf } from '../observables.ts';
import { containerRef, podRef } from '../place.ts';
import { present } from '../present.ts';
import { priorityOf } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';
import { tacticTag } from './attack.ts';
import { traceeSeverity } from './severity.ts';

/** protojson of `tracee.v1beta1.Event`. https://github.com/aquasecurity/tracee/blob/main/api/v1beta1/event.proto */
export function isV1beta1(event: Fields): boolean {
  if (typeof event.name !== 'string' || 'eventName' in event || 'specversion' in event) return false;
  if (objectOf(event.threat) !== undefined && workloadOf(event) !== undefined) return true;
  return 'timestamp' in event && (objectOf(event.threat) !== undefined || workloadOf(event) !== undefined);
}

/** Process, container and pod: `workload`, previously named `context` (0.20 to 0.23, from its gRPC stream). */
function workloadOf(event: Fields): Fields | undefined {
  const workload = objectOf(event.workload);
  if (workload !== undefined) return workload;
  const context = objectOf(event.context);
  return context !== undefined && ['process', 'container', 'k8s'].some((part) => part in context) ? context : undefined;
}

export function decodeV1beta1(event: Fields, cluster: string): readonly Decoded[] {
  const threat = objectOf(event.threat);
  if (threat === undefined) return ignored('tracee', 'an event without a threat: telemetry');
  const rule = sensorText(event.name, 256);
  if (rule === undefined) return rejected('`name` is empty');
  const time = timeText(event.timestamp) ?? timeFromNanoseconds(event.timestamp);
  if (time === undefined) return rejected('`timestamp` is missing or not an RFC 3339 time');
  return [{ kind: 'alert', alert: alertOf({ event, threat, rule, time, cluster }) }];
}

function alertOf(parts: {
  readonly event: Fields;
  readonly threat: Fields;
  readonly rule: string;
  readonly time: string;
  readonly cluster: string;
}): Alert {
  const { event, threat, rule, time, cluster } = parts;
  const workload = workloadOf(event);
  const k8s = objectOf(workload?.k8s);
  const inPod = objectOf(k8s?.pod);
  const inContainer = objectOf(workload?.container);
  const image = objectOf(inContainer?.image);
  const digests: unknown = firstKnown(image?.repo_digests, image?.repoDigests);
  const pod = podRef({ namespace: objectOf(k8s?.namespace)?.name, name: inPod?.name, uid: inPod?.uid });
  const container = containerRef({
    id: inContainer?.id,
    name: inContainer?.name,
    image: image?.name,
    digest: Array.isArray(digests) ? digests[0] : undefined,
    imageId: image?.id,
  });
  const acting = objectOf(workload?.process);
  const process = acting && processOf(acting);
  const mitre = objectOf(threat.mitre);
  const technique = objectOf(mitre?.technique)?.id;
  const tags = tagsOf(objectOf(threat.properties)?.signatureID, tacticTag(sensorText(objectOf(mitre?.tactic)?.name, 64)));
  return {
    id: alertIdOf({
      sensor: 'tracee',
      rule,
      time,
      fields: [event.id, acting?.host_pid, acting?.pid, acting?.unique_id, event.data, container?.id, pod?.namespace, pod?.name],
    }),
    sensor: 'tracee',
    rule,
    // protojson leaves out the zero value, which is INFO.
    severity: threat.severity === undefined ? 'info' : traceeSeverity(threat.severity),
    ...priorityOf(threat.severity),
    time,
    title: sensorText(threat.name, 200) ?? sensorText(threat.description, 200) ?? rule,
    cluster,
    ...(pod && { pod }),
    ...(container && { container }),
    ...(process && { process }),
    observables: distinct(
      observablesIn(event.data),
      observablesIn(objectOf(firstKnown(event.detected_from, event.detectedFrom))?.data),
      pathOf(process?.exe),
    ),
    tags,
    mitre: mitreIds([...(typeof technique === 'string' ? [technique] : []), ...tags]),
  };
}

function processOf(acting: Fields): ProcessRef | undefined {
  const exe = sensorText(objectOf(acting.executable)?.path);
  const thread = objectOf(acting.thread);
  return present({
    name: sensorText(thread?.name, 256) ?? exe?.split('/').at(-1),
    exe,
    user: sensorText(objectOf(firstKnown(acting.real_user, acting.realUser))?.name, 256),
    pid: wholeNumber(acting.host_pid ?? acting.hostPid) ?? wholeNumber(acting.pid),
  });
}
