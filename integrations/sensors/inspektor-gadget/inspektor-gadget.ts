import type { Alert, ProcessRef } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import {
  type Fields,
  firstFilled,
  firstKnown,
  objectOf,
  sensorText,
  timeText,
  wholeNumber,
} from '../../../core/alert/sensor-text.ts';
import { timeFromNanoseconds } from '../../../core/alert/sensor-time.ts';
import { distinct, domainOf, observablesIn, observablesInCommand, pathOf } from '../observables.ts';
import { containerRef, nodeOfHost, podRef, workloadRef } from '../place.ts';
import { present } from '../present.ts';
import { priorityOf, severityOfText } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';

/** The mount namespace by which gadgets find containers, under all its names. */
const ownKeys = ['mountnsid', 'mntns_id', 'mntnsid', 'mountNsId', 'netnsid', 'netns_id', 'timestamp_raw'];

function detect(value: unknown): boolean {
  const event = objectOf(value);
  if (event === undefined || 'kind' in event || 'eventName' in event || 'class_uid' in event) return false;
  const own = ownKeys.some((key) => key in event);
  const enriched = objectOf(event.k8s) !== undefined || objectOf(event.runtime) !== undefined;
  const acting = 'comm' in event || procOf(event) !== undefined || 'pid' in event;
  return (
    (own && (acting || enriched)) || (objectOf(event.runtime) !== undefined && (acting || objectOf(event.k8s) !== undefined))
  );
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('an Inspektor Gadget event must be a JSON object');
  const time = timeText(event.timestamp) ?? timeFromNanoseconds(event.timestamp) ?? timeFromNanoseconds(event.timestamp_raw);
  if (time === undefined) {
    return rejected(
      '`timestamp` is neither an RFC 3339 time nor a count of nanoseconds since 1970 (a smaller count starts at boot)',
    );
  }
  const k8s = objectOf(event.k8s) ?? event;
  const node = nodeOfHost(firstKnown(k8s.node, event.node));
  const type = sensorText(event.type, 32);
  if (type !== undefined && type !== 'normal' && sensorText(event.message) !== undefined && !('comm' in event)) {
    const text = sensorText(event.message) ?? type;
    return [{ kind: 'health', sensor: 'inspektor-gadget', time, text, ...(node !== undefined && { host: node }) }];
  }
  return [{ kind: 'alert', alert: alertOf({ event, k8s, time, node, cluster }) }];
}

function alertOf(parts: {
  readonly event: Fields;
  readonly k8s: Fields;
  readonly time: string;
  readonly node: string | undefined;
  readonly cluster: string;
}): Alert {
  const { event, k8s, time, node, cluster } = parts;
  const rule = sensorText(event.gadget, 128)?.replace(/:.*$/, '') ?? gadgetOf(event);
  const runtime = objectOf(event.runtime);
  const pod = podRef({ namespace: k8s.namespace, name: firstKnown(k8s.podName, k8s.pod, k8s.podname) });
  const owner = objectOf(k8s.owner);
  const workload = pod && workloadRef({ kind: owner?.kind, namespace: pod.namespace, name: owner?.name });
  const container = containerRef({
    id: firstKnown(runtime?.containerId, event.containerid),
    name: firstKnown(k8s.containerName, k8s.container, runtime?.containerName, runtime?.container),
    image: firstKnown(runtime?.containerImageName, runtime?.containerImage),
    digest: runtime?.containerImageDigest,
  });
  const process = processOf(event);
  const tags = tagsOf(event.tags);
  return {
    id: alertIdOf({
      sensor: 'inspektor-gadget',
      rule,
      time,
      ...(node !== undefined && { host: node }),
      fields: [
        pod?.namespace,
        pod?.name,
        container?.id,
        process?.pid,
        process?.name,
        event.args,
        event.fname,
        event.name,
        event.dst,
      ],
    }),
    sensor: 'inspektor-gadget',
    rule,
    severity: severityOfText(event.severity) ?? 'unknown',
    ...priorityOf(event.severity),
    time,
    title: titleOf({ rule, event, process }),
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: distinct(
      ...['fname', 'file', 'path', 'fullpath', 'fullPath', 'exepath', 'filename', 'dest', 'target'].map((key) =>
        pathOf(event[key]),
      ),
      ...['src', 'dst', 'saddr', 'daddr', 'addr', 'nameserver', 'addresses'].map((key) => observablesIn(event[key])),
      'qr' in event || 'qtype' in event || rule === 'trace_sni' ? domainOf(firstKnown(event.name, event.dnsName)) : [],
      observablesInCommand(process?.commandLine),
    ),
    tags,
    mitre: mitreIds(tags),
  };
}

/** An event does not say which gadget made it; for the common gadgets its fields show it. */
function gadgetOf(event: Fields): string {
  if ('qr' in event || 'qtype' in event) return 'trace_dns';
  if ('cap' in event) return 'trace_capabilities';
  if ('sig' in event || 'signal' in event) return 'trace_signal';
  if ('args' in event) return 'trace_exec';
  // The built-in gadget calls the file `path`.
  if ('fname' in event || 'flags_raw' in event || ('fd' in event && 'path' in event)) return 'trace_open';
  if ('dst' in event || 'daddr' in event) return 'trace_tcp';
  if ('fs' in event && 'dest' in event) return 'trace_mount';
  if ('addr' in event && 'port' in event) return 'trace_bind';
  return 'event';
}

/** Custom gadgets may call it `process`. */
function procOf(event: Fields): Fields | undefined {
  return firstFilled(event.proc, event.process);
}

function processOf(event: Fields): ProcessRef | undefined {
  const proc = procOf(event);
  const creds = objectOf(proc?.creds);
  const list = argsOf(event.args);
  const words = list.length > 0 ? list.join(' ') : undefined;
  const [called] = list.length === 1 && !Array.isArray(event.args) ? (list[0]?.split(' ', 1) ?? []) : list;
  const exe = sensorText(event.exepath) ?? (called?.startsWith('/') ? sensorText(called) : undefined);
  return present({
    name: sensorText(proc?.comm, 256) ?? sensorText(event.comm, 256),
    exe,
    commandLine: sensorText(words, 4_096),
    parent: sensorText(objectOf(proc?.parent)?.comm, 256) ?? sensorText(event.pcomm, 256),
    user: sensorText(creds?.user, 256) ?? sensorText(event.user, 256),
    pid: wholeNumber(proc?.pid) ?? wholeNumber(event.pid),
  });
}

/** A list in old versions; from image-based gadgets one text with non-breaking spaces between the arguments, and earlier with plain ones. */
function argsOf(args: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(args) ? args : typeof args === 'string' ? args.split('\u00a0', 256) : [];
  return list.slice(0, 256).filter((arg): arg is string => typeof arg === 'string' && arg !== '');
}

function titleOf(parts: { readonly rule: string; readonly event: Fields; readonly process: ProcessRef | undefined }): string {
  const { rule, event, process } = parts;
  const message = sensorText(event.message, 200);
  if (message !== undefined) return message;
  const about = process?.commandLine ?? sensorText(firstKnown(event.fname, event.path, event.name), 160);
  return `${rule}: ${(about ?? process?.name ?? 'an event').slice(0, 180)}`;
}

/**
 * Events of gadgets as JSON, built-in and from images. Their times are nanosecond counts, which the operator `formatters` converts to wall-clock time; if it
 * does not run, they count from boot. https://github.com/inspektor-gadget/inspektor-gadget/blob/main/pkg/operators/formatters/formatters.go
 */
export const inspektorGadget: Sensor = { name: 'inspektor-gadget', exactIntegers: true, detect, decode };
