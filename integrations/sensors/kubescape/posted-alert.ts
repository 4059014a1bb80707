import type { Alert } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { type DecodeContext, type Decoded, ignored, rejected } from '../../../core/alert/sensor.ts';
import { type Fields, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import { distinct, hashOf } from '../observables.ts';
import { containerRef, nodeName, podRef } from '../place.ts';
import { present } from '../present.ts';
import { severityOfText } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';
import { malwareRule } from './runtime-alert.ts';

/** The product's first name was KubeCop. */
const ownName = /^Kube(?:scape|Cop)(RuleViolated|MalwareDetected|FileHashAlert)$/;

/** Whether an Alertmanager alert was posted by the node agent. */
export function isPostedAlert(value: unknown): boolean {
  const name = objectOf(objectOf(value)?.labels)?.alertname;
  return typeof name === 'string' && ownName.test(name);
}

/**
 * An alert as the agent posts it to Alertmanager's API, and as Alertmanager's webhook passes it on.
 * https://github.com/kubescape/node-agent/blob/main/pkg/exporters/alert_manager.go
 */
export function decodePostedAlert(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  const labels = objectOf(event?.labels);
  if (event === undefined || labels === undefined || !isPostedAlert(event)) {
    return rejected('`labels.alertname` is not one that the node agent uses');
  }
  const rule = ruleOf(labels);
  if (rule === undefined) return rejected('`labels.rule_name` is missing or not a string');
  const time = firstTime(event.startsAt);
  if (time === undefined) return rejected('`startsAt` is missing or not an RFC 3339 time');
  if (event.status === 'resolved') return ignored('kubescape', 'resolved: the end of an alert');
  return [{ kind: 'alert', alert: alertOf({ event, labels, rule, time, cluster }) }];
}

function ruleOf(labels: Fields): string | undefined {
  const [, kind] = typeof labels.alertname === 'string' ? (ownName.exec(labels.alertname) ?? []) : [];
  if (kind === 'RuleViolated') return sensorText(labels.rule_name, 256);
  return kind === 'MalwareDetected' ? malwareRule : 'File hash found';
}

function alertOf(parts: {
  readonly event: Fields;
  readonly labels: Fields;
  readonly rule: string;
  readonly time: string;
  readonly cluster: string;
}): Alert {
  const { event, labels, rule, time, cluster } = parts;
  const annotations = objectOf(event.annotations);
  // `host` is the agent's own pod.
  const node = nodeName(labels.node_name);
  const pod = podRef({ namespace: labels.namespace, name: labels.pod_name });
  const container = containerRef({
    id: labels.container_id,
    name: labels.container_name,
    image: labels.container_image,
    digest: labels.container_image_digest,
  });
  const process = present({
    name: sensorText(labels.comm, 256),
    parent: sensorText(labels.pcomm, 256),
    pid: wholeNumber(labels.pid),
  });
  const found = sensorText(labels.malware_name, 128) ?? sensorText(labels.file_name, 128);
  return {
    id: alertIdOf({
      sensor: 'kubescape',
      rule,
      time,
      ...(node !== undefined && { host: node }),
      fields: [labels.rule_id, found, pod?.namespace, pod?.name, container?.id, process?.pid, annotations?.message],
    }),
    sensor: 'kubescape',
    rule,
    severity: severityOfText(labels.severity) ?? 'unknown',
    time,
    title:
      rule === malwareRule && found !== undefined
        ? `${rule}: ${found}`
        : (sensorText(annotations?.message, 200) ?? sensorText(annotations?.title, 200) ?? rule),
    cluster,
    ...present({ node, pod, container, process }),
    observables: distinct(...['sha256hash', 'sha1hash', 'md5hash'].map((key) => hashOf(labels[key]))),
    tags: tagsOf(labels.rule_id, rule === malwareRule ? 'malware' : []),
    mitre: [],
  };
}
