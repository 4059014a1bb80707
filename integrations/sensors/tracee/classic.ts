import type { Alert } from '../../../core/alert.ts';
import { alertIdOf } from '../../../core/alert-id.ts';
import { mitreIds } from '../../../core/mitre.ts';
import { type Decoded, ignored, rejected } from '../../../core/sensor.ts';
import { objectOf, sensorText, wholeNumber } from '../../../core/sensor-text.ts';
import { firstTime } from '../../../core/sensor-time.ts';
import { distinct, observablesIn, pathOf } from '../observables.ts';
import { containerRef, nodeName, podRef } from '../place.ts';
import { present } from '../present.ts';
import { tagsOf } from '../tags.ts';
import { tacticTag, traceeSeverity } from './severity.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One event as `trace.Event` is written: flat to 0.12, with `container` and `kubernetes` from 0.13 on. */
export function isClassic(event: Fields): boolean {
  return typeof event.eventName === 'string' && 'timestamp' in event && ('processName' in event || 'eventId' in event);
}

export function decodeClassic(event: Fields, cluster: string): readonly Decoded[] {
  const properties = objectOf(objectOf(event.metadata)?.Properties);
  if (!isSignature(event, properties)) return ignored('tracee', 'an event that no signature made: telemetry');
  const rule = sensorText(event.eventName, 256);
  if (rule === undefined) return rejected('`eventName` is empty');
  const time = firstTime(event.timestamp);
  if (time === undefined) return rejected('`timestamp` is not a count of nanoseconds since 1970');
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
  const inPod = objectOf(event.kubernetes) ?? event;
  const inContainer = objectOf(event.container);
  const pod = podRef({ namespace: inPod.podNamespace, name: inPod.podName, uid: inPod.podUID });
  const container = containerRef({
    id: inContainer?.id ?? event.containerId,
    name: inContainer?.name ?? event.containerName,
    image: inContainer?.image ?? event.containerImage,
    imageId: inContainer?.imageDigest ?? event.containerImageDigest,
  });
  const node = nodeOf({ host: event.hostName, pod: pod?.name, container: container?.id });
  const exe = sensorText(objectOf(event.executable)?.path);
  const process = present({
    name: sensorText(event.processName, 256),
    exe,
    pid: wholeNumber(event.hostProcessId) ?? wholeNumber(event.processId),
  });
  const tags = tagsOf(properties?.signatureID ?? metadata?.ID, tacticTag(sensorText(properties?.Category, 64)), metadata?.Tags);
  const external = typeof properties?.external_id === 'string' ? [properties.external_id] : [];
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
    mitre: mitreIds([...external, ...tags]),
  };
}

/** `hostName` is what the process sees: in a container, often the name of the pod or the beginning of the container's id. */
function nodeOf({
  host,
  pod,
  container,
}: {
  readonly host: unknown;
  readonly pod: string | undefined;
  readonly container: string | undefined;
}): string | undefined {
  const name = nodeName(host);
  return name === undefined || name === pod || container?.startsWith(name) ? undefined : name;
}
