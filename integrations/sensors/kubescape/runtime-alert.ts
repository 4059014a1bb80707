import type { Alert, ProcessRef } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import type { Decoded } from '../../../core/alert/sensor.ts';
import { type Fields, firstKnown, objectOf, sensorText, timeText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { distinct, domainOf, hashOf, ipOf, observablesIn, observablesInCommand, pathOf, userOf } from '../observables.ts';
import { containerRef, nodeName, podRef, workloadRef } from '../place.ts';
import { present } from '../present.ts';
import { priorityOf } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';

/** Names of malware differ from file to file: playbooks and the configuration need one rule for all. */
export const malwareRule = 'Malware detected';

/** Indexed by `alertType`. https://github.com/armosec/armoapi-go/blob/main/armotypes/runtimeincidents.go */
const kinds: readonly (string | undefined)[] = [undefined, 'malware', 'admission', 'cdr', 'http', 'network-scan'];
const malware = 1;

/** The agent's messages about itself have this severity, far above the worst alert's 10. */
const systemIssue = 1_000;

/** One `RuntimeAlert`, with the process tree that comes next to the alerts. */
export function decodeRuntimeAlert(value: unknown, context: { readonly cluster: string; readonly tree: unknown }): Decoded {
  const event = objectOf(value);
  const name = sensorText(event?.alertName, 256);
  if (event === undefined || name === undefined) {
    return { kind: 'rejected', reason: '`alertName` is missing or not a string' };
  }
  const time = timeText(event.timestamp);
  const node = nodeName(event.nodeName);
  if (wholeNumber(event.severity) === systemIssue || name === 'AlertLimitReached') {
    const text = sensorText(event.message) ?? name;
    return { kind: 'health', sensor: 'kubescape', text, ...present({ host: node, time }) };
  }
  if (time === undefined) return { kind: 'rejected', reason: '`timestamp` is missing or not an RFC 3339 time' };
  return { kind: 'alert', alert: alertOf({ event, name, time, node, ...context }) };
}

function alertOf(parts: {
  readonly event: Fields;
  readonly name: string;
  readonly time: string;
  readonly node: string | undefined;
  readonly cluster: string;
  readonly tree: unknown;
}): Alert {
  const { event, name, time, node, cluster, tree } = parts;
  const type = wholeNumber(event.alertType) ?? 0;
  const rule = type === malware || event.ruleID === 'R3000' ? malwareRule : name;
  const namespace = firstKnown(event.podNamespace, event.namespace);
  const pod = podRef({ namespace, name: event.podName, uid: event.podUID });
  const workload = workloadRef({
    kind: event.workloadKind,
    namespace: firstKnown(event.workloadNamespace, namespace),
    name: event.workloadName,
  });
  const container = containerRef({
    id: event.containerID,
    name: event.containerName,
    image: event.image,
    digest: event.imageDigest,
  });
  const identifiers = objectOf(event.identifiers);
  const network = objectOf(identifiers?.network);
  const named = objectOf(identifiers?.process);
  const pid = wholeNumber(event.infectedPID);
  const process = present({
    name: sensorText(named?.name, 256),
    commandLine: sensorText(named?.commandLine, 4_096),
    pid: pid === 0 ? undefined : pid,
    ...processIn(tree, pid),
  });
  const tags = tagsOf(event.ruleID, kinds[type] ?? []);
  const attack = [event.mitreTechnique, event.mitreTactic].flatMap((text) => sensorText(text, 128) ?? []);
  return {
    id: alertIdOf({
      sensor: 'kubescape',
      rule,
      time,
      ...(node !== undefined && { host: node }),
      fields: [name, event.uniqueID, pod?.namespace, pod?.name, container?.id, pid, event.arguments],
    }),
    sensor: 'kubescape',
    rule,
    severity: severityOf(event.severity),
    ...priorityOf(event.severity),
    time,
    title: sensorText(event.message, 200) ?? sensorText(event.ruleDescription, 200) ?? name,
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: distinct(
      domainOf(network?.domain),
      ipOf(network?.address),
      ipOf(event.attackerIp),
      pathOf(objectOf(identifiers?.file)?.path),
      pathOf(objectOf(event.malwareFile)?.path),
      ...['sha256Hash', 'sha1Hash', 'md5Hash'].map((key) => hashOf(event[key])),
      observablesIn(event.arguments),
      observablesIn(event.networkscan),
      pathOf(process?.exe),
      observablesInCommand(process?.commandLine),
      userOf(process?.user),
    ),
    tags,
    mitre: mitreIds([...attack, ...tags]),
  };
}

/**
 * None 0, which Go leaves out, low 1, medium 5, high 8, critical 10; values in between count as the lower one.
 * https://github.com/kubescape/node-agent/blob/main/pkg/exporters/utils.go (`PriorityToStatus`)
 */
function severityOf(value: unknown): Severity {
  const level = wholeNumber(value) ?? (value === undefined ? 0 : undefined);
  if (level === undefined) return 'unknown';
  return level >= 10 ? 'critical' : level >= 8 ? 'high' : level >= 5 ? 'medium' : level >= 1 ? 'low' : 'info';
}

const looksAtMost = 1_024;

/**
 * The process with that id in the tree of an alert; children are keyed by names and ids, until early 2025 in a list.
 * https://github.com/armosec/armoapi-go/blob/main/armotypes/processtree.go
 */
function processIn(tree: unknown, pid: number | undefined): ProcessRef | undefined {
  const root = objectOf(tree)?.processTree;
  const waiting: unknown[] = [root];
  for (let looked = 0; waiting.length > 0 && looked < looksAtMost && pid !== undefined; looked += 1) {
    const process = objectOf(waiting.pop());
    if (process === undefined) continue;
    if (wholeNumber(process.pid) === pid) return processRef(process);
    const { childrenMap, children } = process;
    waiting.push(...Object.values(objectOf(childrenMap) ?? {}).slice(0, looksAtMost));
    if (Array.isArray(children)) waiting.push(...children.slice(0, looksAtMost));
  }
  return undefined;
}

function processRef(process: Fields): ProcessRef | undefined {
  return present({
    name: sensorText(process.comm, 256),
    exe: sensorText(firstKnown(process.path, process.hardlink)),
    commandLine: sensorText(process.cmdline, 4_096),
    parent: sensorText(process.pcomm, 256),
    user: sensorText(process.userName, 256),
    pid: wholeNumber(process.pid),
  });
}
