import type { Alert } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type Decoded, ignored, rejected } from '../../../core/alert/sensor.ts';
import { type Fields, firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { timeFromNanoseconds } from '../../../core/alert/sensor-time.ts';
import { distinct, observablesIn, pathOf } from '../observables.ts';
import { containerRef, nodeOfHost, podRef } from '../place.ts';
import { present } from '../present.ts';
import { priorityOf } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';
import { attackOf, tacticTag } from './attack.ts';
import { traceeSeverity } from './severity.ts';

/** One event in the format of `trace.Event`: flat up to 0.12, with `container` and `kubernetes` from 0.13 on. */
export function isClassic(event: Fields): boolean {
  if (typeof event.eventName !== 'string' || !('processName' in event || 'eventId' in event)) return false;
  return 'timestamp' in event || ['hostName', 'argsNum', 'threadId', 'processId'].some((key) => key in event);
}

export function decodeClassic(event: Fields, cluster: string): readonly Decoded[] {
  const properties = objectOf(objectOf(event.metadata)?.Properties);
  if (!isSignature(event, properties)) return ignored('tracee', 'an event that no signature made: telemetry');
  const rule = sensorText(event.eventName, 256);
  if (rule === undefined) return rejected('`eventName` is empty');
  const time = timeFromNanoseconds(event.timestamp);
  if (time === undefined) {
    return rejected('`timestamp` is missing or not a count of nanoseconds since 1970 (a smaller count starts at boot)');
  }
  return [{ kind: 'alert', alert: alertOf({ event, properties, rule, time, cluster }) }];
}

/** Signatures have the event ids 6000 to 6999. https://github.com/aquasecurity/tracee/blob/main/pkg/events/core.go */
function isSignature(event: Fields, properties: Fields | undefined): boolean {
  if (properties !== undefined && ('signatureID' in properties || 'signatureName' in properties)) return true;
  if (sensorText(objectOf(event.metadata)?.ID) !== undefined) return true;
  const id = wholeNumber(event.eventId);
  return id !== undefined && id >= 6_000 && id <= 6_999;
}

function alertOf(parts: {
  readonly event: Fields;
  readonly properties: Fields | undefined;
  readonly rule: string;
  readonly time: string;
  readonly cluster: string;
}): Alert {
  const { event, properties, rule, time, cluster } = parts;
  const metadata = objectOf(event.metadata);
  const inPod = objectOf(event.kubernetes);
  const inContainer = objectOf(event.container);
  const pod = podRef({
    namespace: firstKnown(inPod?.podNamespace, event.podNamespace),
    name: firstKnown(inPod?.podName, event.podName),
    uid: firstKnown(inPod?.podUID, event.podUID),
  });
  const container = containerRef({
    id: firstKnown(inContainer?.id, event.containerId),
    name: firstKnown(inContainer?.name, event.containerName),
    image: firstKnown(inContainer?.image, event.containerImage),
    digest: firstKnown(inContainer?.imageDigest, event.containerImageDigest),
  });
  const node = pod === undefined && container === undefined ? nodeOf(event.hostName) : undefined;
  const exe = sensorText(objectOf(event.executable)?.path);
  const process = present({
    name: sensorText(event.processName, 256),
    exe,
    pid: wholeNumber(event.hostProcessId) ?? wholeNumber(event.processId),
  });
  const { tactic, technique } = attackOf(properties ?? {});
  const tags = tagsOf(firstKnown(properties?.signatureID, metadata?.ID), tacticTag(tactic), metadata?.Tags);
  return {
    id: alertIdOf({
      sensor: 'tracee',
      rule,
      time,
      ...(typeof event.hostName === 'string' && { host: event.hostName }),
      fields: [event.processId, event.hostProcessId, event.threadId, event.args, container?.id, pod?.namespace, pod?.name],
    }),
    sensor: 'tracee',
    rule,
    severity: traceeSeverity(properties?.Severity),
    ...priorityOf(properties?.Severity),
    time,
    title:
      sensorText(properties?.signatureName, 200) ??
      sensorText(metadata?.Name, 200) ??
      sensorText(metadata?.Description, 200) ??
      rule,
    cluster,
    ...(node !== undefined && { node }),
    ...(pod && { pod }),
    ...(container && { container }),
    ...(process && { process }),
    observables: distinct(observablesIn(event.args), pathOf(exe)),
    tags,
    mitre: mitreIds([...(technique === undefined ? [] : [technique]), ...tags]),
  };
}

/**
 * `hostName` is the name that the process sees, in 16 bytes including the final zero: in a container that of the pod or of the container, and if it has 15
 * characters, most likely the beginning of a longer one. https://github.com/aquasecurity/tracee/blob/main/types/trace/trace.go and TASK_COMM_LEN for `uts_name`
 * in pkg/ebpf/c/types.h
 */
function nodeOf(host: unknown): string | undefined {
  return typeof host === 'string' && host.length >= 15 ? undefined : nodeOfHost(host);
}
