import type { Alert } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, ignored, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { type Fields, firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { distinct, hashOf, ipOf, observablesIn, observablesInCommand, pathOf, userOf } from '../observables.ts';
import { containerRef, nodeOfHost, podRef, workloadRef } from '../place.ts';
import { severityOfText } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';
import { commandLineOf, processRef } from './process.ts';
import { titleOf } from './title.ts';

/** The kinds of `GetEventsResponse`, and four that older agents send for sockets. https://tetragon.io/docs/reference/grpc-api/#geteventsresponse */
const processKind = /^process_(?:exec|exit|kprobe|tracepoint|loader|uprobe|usdt|lsm|connect|listen|accept|close)$/;
const ownKinds = ['rate_limit_info', 'process_throttle', 'test'];

function kindOf(event: Fields): string | undefined {
  return Object.keys(event).find((key) => processKind.test(key) || ownKinds.includes(key));
}

function detect(value: unknown): boolean {
  const event = objectOf(value);
  const kind = event && kindOf(event);
  if (kind === undefined || event === undefined || objectOf(event[kind]) === undefined) return false;
  return 'time' in event || 'node_name' in event || objectOf(objectOf(event[kind])?.process) !== undefined;
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('a Tetragon event must be a JSON object');
  const kind = kindOf(event);
  const body = kind === undefined ? undefined : objectOf(event[kind]);
  if (kind === undefined || body === undefined) return rejected('it has none of the kinds of Tetragon events (`process_exec` …)');
  const process = objectOf(body.process);
  const time = firstTime(event.time, process?.start_time);
  if (time === undefined) return rejected('`time` is missing or not an RFC 3339 time');
  // If NODE_NAME is not set, it is the hostname.
  const node = nodeOfHost(event.node_name);
  if (kind === 'test') return ignored('tetragon', 'a test event');
  if (!processKind.test(kind)) return [healthOf({ kind, body, time, node })];
  if (process === undefined) return rejected(`\`${kind}.process\` is missing or not an object`);
  if (kind === 'process_exec' && flagsOf(process).includes('procFS')) {
    return ignored('tetragon', 'a process that ran before Tetragon started (procFS): replayed, not new');
  }
  return [{ kind: 'alert', alert: alertOf({ cluster, event, kind, body, process, time, node }) }];
}

function flagsOf(process: Fields): readonly string[] {
  return typeof process.flags === 'string' ? process.flags.split(' ', 32) : [];
}

function healthOf(own: {
  readonly kind: string;
  readonly body: Fields;
  readonly time: string;
  readonly node: string | undefined;
}): Decoded {
  const { kind, body, time, node } = own;
  const dropped = wholeNumber(body.number_of_dropped_process_events);
  const text =
    kind === 'process_throttle'
      ? `events of a cgroup are ${body.type === 'THROTTLE_STOP' ? 'no longer throttled' : 'throttled: some are dropped'} (${sensorText(body.type, 64) ?? 'unknown'}, ${sensorText(body.cgroup, 128) ?? 'unknown'})`
      : `${dropped ?? 'some'} events dropped by the export rate limit`;
  return { kind: 'health', sensor: 'tetragon', time, text, ...(node !== undefined && { host: node }) };
}

function alertOf(parts: {
  readonly cluster: string;
  readonly event: Fields;
  readonly kind: string;
  readonly body: Fields;
  readonly process: Fields;
  readonly time: string;
  readonly node: string | undefined;
}): Alert {
  const { cluster, event, kind, body, process, time, node } = parts;
  const rule = ruleOf(kind, body);
  const sent = objectOf(process.pod);
  const sentContainer = objectOf(sent?.container);
  const image = objectOf(sentContainer?.image);
  const pod = podRef({ namespace: sent?.namespace, name: sent?.name, uid: sent?.uid });
  const workload = pod && workloadRef({ kind: sent?.workload_kind, namespace: pod.namespace, name: sent?.workload });
  const container = containerRef({
    id: sensorText(sentContainer?.id, 256) ?? process.docker,
    name: sentContainer?.name,
    image: image?.name,
    imageId: image?.id,
  });
  const processRefOf = processRef({ process, parent: objectOf(body.parent) });
  const stopped = stoppedBy(body);
  const hook = hookOf(body);
  const tags = tagsOf(body.tags, stopped, hook && `hook:${hook}`);
  const user = objectOf(process.user)?.name;
  return {
    id: alertIdOf({
      sensor: 'tetragon',
      rule,
      time,
      ...(node !== undefined && { host: node }),
      fields: identifyingFields({ kind, body, process }),
    }),
    sensor: 'tetragon',
    rule,
    severity: severityOf(tags),
    time,
    title: titleOf({ kind, body, process, count: objectOf(event.aggregation_info)?.count }),
    cluster,
    ...(node !== undefined && { node }),
    ...(pod && { pod }),
    ...(container && { container }),
    ...(workload && { workload }),
    ...(processRefOf && { process: processRefOf }),
    observables: distinct(
      observablesIn(body.args),
      ipOf(body.source_ip),
      ipOf(body.destination_ip),
      pathOf(body.path),
      hashOf(body.ima_hash),
      pathOf(process.binary),
      observablesInCommand(commandLineOf(process)),
      userOf(user),
    ),
    tags,
    mitre: mitreIds(tags),
  };
}

/** The policy, if there is one; else the kind of the event and its hook. */
function ruleOf(kind: string, body: Fields): string {
  const policy = sensorText(body.policy_name, 256);
  if (policy !== undefined) return policy;
  const hook = hookOf(body);
  return hook === undefined ? kind : `${kind}:${hook}`;
}

/** The hook that caught the event. One policy has several, and its name may not say which. */
function hookOf(body: Fields): string | undefined {
  return sensorText(firstKnown(body.function_name, body.event, body.symbol), 120);
}

/** Tetragon writes no severity: a tag may (`severity.high`, `severity:high`, `high`), and the configuration does, per policy. */
function severityOf(tags: readonly string[]): Severity {
  for (const tag of tags) {
    const severity = severityOfText(tag.replace(/^severity[.:=_-]/i, ''));
    if (severity !== undefined) return severity;
  }
  return 'unknown';
}

/** The enforcer was called killer up to 1.1. https://tetragon.io/docs/reference/grpc-api/#kprobeaction */
const enforcing: readonly string[] = ['SIGKILL', 'OVERRIDE', 'NOTIFYENFORCER', 'NOTIFYKILLER'];

/** Tetragon itself has stopped it: there is less to do, but still everything to investigate. */
function stoppedBy(body: Fields): readonly string[] {
  const action = typeof body.action === 'string' ? body.action.replace(/^[A-Z]+_ACTION_/, '') : '';
  return enforcing.includes(action) ? ['enforced', action.toLowerCase()] : [];
}

function identifyingFields({ kind, body, process }: { readonly kind: string; readonly body: Fields; readonly process: Fields }) {
  const { function_name, event, subsys, symbol, path, args, action, signal, status } = body;
  const { source_port, destination_ip, destination_port } = body;
  const { exec_id, pid, tid, binary, arguments: words } = process;
  const hook = { function_name, event, subsys, symbol, path, args, action, signal, status };
  return { kind, exec_id, pid, tid, binary, words, ...hook, source_port, destination_ip, destination_port };
}

/** Tetragon's JSON lines export, all kinds of events. https://tetragon.io/docs/concepts/events */
export const tetragon: Sensor = { name: 'tetragon', detect, decode };
