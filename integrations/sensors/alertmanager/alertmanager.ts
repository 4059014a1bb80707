import type { Alert, WorkloadRef } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, ignored, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { type Fields, firstKnown, objectOf, sensorText } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { nodeOf as falcoNode } from '../falco/place.ts';
import { decodePostedAlert, isPostedAlert } from '../kubescape/posted-alert.ts';
import { distinct, domainOf, ipOf, observablesInCommand, pathOf, userOf } from '../observables.ts';
import { containerRef, nodeName, podRef, workloadRef } from '../place.ts';
import { present } from '../present.ts';
import { severityOfText } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';

/** The webhook's message is an envelope around a list. */
function isEnvelope(event: Fields): boolean {
  return Array.isArray(event.alerts) && ('receiver' in event || 'groupKey' in event || 'groupLabels' in event);
}

function isAlert(event: Fields): boolean {
  const labels = objectOf(event.labels);
  if (labels === undefined || !('fingerprint' in event || 'status' in event)) return false;
  return 'startsAt' in event || 'endsAt' in event || ('alertname' in labels && objectOf(event.annotations) !== undefined);
}

function detect(value: unknown): boolean {
  const event = objectOf(value);
  return event !== undefined && (isEnvelope(event) || isAlert(event));
}

/** The field of a webhook's message that holds its alerts. */
export function alertListIn(value: unknown): string | undefined {
  const event = objectOf(value);
  return event !== undefined && isEnvelope(event) ? 'alerts' : undefined;
}

function decode(value: unknown, context: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('an Alertmanager message must be a JSON object');
  if (Array.isArray(event.alerts)) return event.alerts.flatMap((alert: unknown) => decodeAlert(alert, context));
  return decodeAlert(event, context);
}

function decodeAlert(value: unknown, context: DecodeContext): readonly Decoded[] {
  // All alerts of this sender share one rule name here: the finding is in its own labels.
  if (isPostedAlert(value)) return decodePostedAlert(value, context);
  const { cluster } = context;
  const event = objectOf(value);
  const labels = objectOf(event?.labels);
  if (event === undefined || labels === undefined) return rejected('`labels` is missing or not an object');
  const rule = sensorText(labels.alertname, 256) ?? sensorText(labels.rule, 256);
  if (rule === undefined) return rejected('`labels.alertname` is missing or not a string');
  const time = firstTime(event.startsAt);
  if (time === undefined) return rejected('`startsAt` is missing or not an RFC 3339 time');
  if (event.status === 'resolved') return ignored('alertmanager', 'resolved: the end of an alert');
  // Always fires, by design, so that its absence can be noticed.
  if (rule === 'Watchdog') return [{ kind: 'health', sensor: 'alertmanager', time, text: 'the watchdog fires' }];
  return [{ kind: 'alert', alert: alertOf({ event, labels, rule, time, cluster }) }];
}

function alertOf(parts: {
  readonly event: Fields;
  readonly labels: Fields;
  readonly rule: string;
  readonly time: string;
  readonly cluster: string;
}): Alert {
  const { event, labels, rule, time, cluster } = parts;
  const annotations = objectOf(event.annotations) ?? {};
  const pod = podOf(labels);
  const node = nodeOf(labels);
  const workload = workloadOf(labels);
  const container = containerRef({
    id: labels.container_id,
    name: firstKnown(labels.container, labels.container_name, labels.k8s_container_name),
    image: firstKnown(labels.image, labels.container_image_repository),
  });
  const process = present({
    name: sensorText(labels.proc_name, 256),
    exe: sensorText(labels.proc_exepath),
    commandLine: sensorText(labels.proc_cmdline, 4_096),
    parent: sensorText(labels.proc_pname, 256),
    user: sensorText(labels.user_name, 256),
  });
  const tags = tagsOf(textList(labels.tags));
  return {
    id: alertIdOf({ sensor: 'alertmanager', rule, time, fields: sensorText(event.fingerprint, 128) ?? labels }),
    sensor: 'alertmanager',
    rule,
    severity: severityOf(labels),
    time,
    title:
      sensorText(annotations.summary, 200) ??
      sensorText(annotations.title, 200) ??
      sensorText(annotations.description, 200) ??
      sensorText(annotations.message, 200) ??
      rule,
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: distinct(
      ...['fd_name', 'proc_exepath', 'path', 'file'].map((key) => pathOf(labels[key])),
      ...['fd_sip', 'fd_cip', 'fd_rip', 'ip', 'src_ip', 'dst_ip', 'destination_ip'].map((key) => ipOf(labels[key])),
      domainOf(labels.domain),
      observablesInCommand(process?.commandLine),
      userOf(firstKnown(labels.user_name, labels.user)),
    ),
    tags,
    mitre: mitreIds(tags),
  };
}

/** `priority` is Falco's own word, which Falcosidekick keeps next to a coarser `severity`. */
function severityOf(labels: Fields): Severity {
  const own = labels.source === 'falco' ? severityOfText(labels.priority) : undefined;
  return own ?? severityOfText(labels.severity) ?? severityOfText(labels.priority) ?? severityOfText(labels.level) ?? 'unknown';
}

/** As written by Falcosidekick, by Prometheus, and by a scraped exporter whose own labels conflicted. */
function podOf(labels: Fields) {
  return (
    podRef({ namespace: labels.k8s_ns_name, name: labels.k8s_pod_name }) ??
    podRef({ namespace: labels.exported_namespace, name: labels.exported_pod }) ??
    podRef({ namespace: labels.namespace, name: firstKnown(labels.pod, labels.pod_name) }) ??
    podRef({ namespace: labels.kubernetes_namespace, name: labels.kubernetes_pod_name })
  );
}

function nodeOf(labels: Fields): string | undefined {
  const named = nodeName(firstKnown(labels.node, labels.exported_node, labels.k8s_node_name, labels.nodename));
  if (named !== undefined) return named;
  return labels.source === 'falco' ? falcoNode({ source: labels.eventsource, hostname: labels.hostname, fields: {} }) : undefined;
}

const workloadLabels: readonly (readonly [string, string])[] = [
  ['deployment', 'Deployment'],
  ['statefulset', 'StatefulSet'],
  ['daemonset', 'DaemonSet'],
  ['cronjob', 'CronJob'],
  ['job_name', 'Job'],
];

function workloadOf(labels: Fields): WorkloadRef | undefined {
  for (const [label, kind] of workloadLabels) {
    const workload = workloadRef({
      kind,
      namespace: firstKnown(labels.exported_namespace, labels.namespace),
      name: labels[label],
    });
    if (workload !== undefined) return workload;
  }
  return undefined;
}

function textList(value: unknown): readonly string[] {
  return typeof value === 'string' ? value.split(',', 64) : [];
}

/** Alertmanager's webhook, version 4. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
export const alertmanager: Sensor = { name: 'alertmanager', detect, decode, listIn: alertListIn };
