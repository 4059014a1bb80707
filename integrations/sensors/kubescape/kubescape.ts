import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { type Fields, objectOf, sensorText, timeText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { alertListIn } from '../alertmanager/alertmanager.ts';
import { distinct, hashOf, pathOf } from '../observables.ts';
import { nodeName } from '../place.ts';
import { present } from '../present.ts';
import { decodePostedAlert, isPostedAlert } from './posted-alert.ts';
import { decodeRuntimeAlert } from './runtime-alert.ts';

/** More than any batch that the agent sends. */
const mostItems = 1_000;

/** `HTTPAlertsList`. https://github.com/kubescape/node-agent/blob/main/pkg/exporters/http_exporter.go */
function isList(event: Fields): boolean {
  return event.kind === 'RuntimeAlerts' && objectOf(event.spec) !== undefined;
}

/** `FimEventReport` of the same file: changes in the files of a node. */
function isFileReport(event: Fields): boolean {
  return event.reportedBy === 'kubescape-node-agent' && Array.isArray(event.events);
}

/** A line of the agent's log. https://github.com/kubescape/node-agent/blob/main/pkg/exporters/stdout_exporter.go */
function isLine(event: Fields): boolean {
  return objectOf(event.BaseRuntimeMetadata) !== undefined && objectOf(event.RuntimeK8sDetails) !== undefined;
}

function detect(value: unknown): boolean {
  const event = objectOf(value);
  return event !== undefined && (isList(event) || isLine(event) || isFileReport(event) || isPostedAlert(event));
}

function decode(value: unknown, context: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('the node agent must send a JSON object or a list of alerts');
  if (isPostedAlert(event)) return decodePostedAlert(event, context);
  const { cluster } = context;
  if (isLine(event)) return [decodeLine(event, cluster)];
  if (isFileReport(event)) return itemsOf(event.events).map((item) => decodeFileEvent(item, event, cluster));
  if (Array.isArray(event.alerts)) return itemsOf(event.alerts).flatMap((item) => decodePostedAlert(item, context));
  const spec = objectOf(event.spec);
  if (!Array.isArray(spec?.alerts)) return rejected('`spec.alerts` is missing or not a list');
  return itemsOf(spec.alerts).map((item) => decodeRuntimeAlert(item, { cluster, tree: spec.processTree }));
}

function itemsOf(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list.slice(0, mostItems) : [];
}

function decodeLine(event: Fields, cluster: string): Decoded {
  const { BaseRuntimeMetadata, RuntimeK8sDetails, RuntimeProcessDetails, RuleID, message } = event;
  const alert = { ...objectOf(BaseRuntimeMetadata), ...objectOf(RuntimeK8sDetails), ruleID: RuleID, message };
  return decodeRuntimeAlert(alert, { cluster, tree: RuntimeProcessDetails });
}

function decodeFileEvent(item: unknown, report: Fields, cluster: string): Decoded {
  const event = objectOf(item);
  const type = sensorText(event?.eventType, 64);
  if (event === undefined || type === undefined) return { kind: 'rejected', reason: '`eventType` is missing or not a string' };
  const time = timeText(event.timestamp);
  if (time === undefined) return { kind: 'rejected', reason: '`timestamp` is missing or not an RFC 3339 time' };
  const rule = `File integrity: ${type}`;
  const node = nodeName(report.nodeName);
  const words: readonly unknown[] = Array.isArray(event.processArgs) ? event.processArgs : [];
  const process = present({
    name: sensorText(event.processName, 256),
    commandLine: sensorText(words.filter((word) => typeof word === 'string').join(' '), 4_096),
    pid: wholeNumber(event.processPid),
  });
  const path = sensorText(event.path, 160);
  const fields = [event.path, event.fileHash, process?.pid];
  const alert = {
    id: alertIdOf({ sensor: 'kubescape', rule, time, ...(node !== undefined && { host: node }), fields }),
    sensor: 'kubescape',
    rule,
    severity: 'unknown',
    time,
    title: path === undefined ? rule : `${rule} of ${path}`,
    cluster,
    ...present({ node, process }),
    observables: distinct(pathOf(event.path), hashOf(event.fileHash)),
    tags: ['file-integrity'],
    mitre: [],
  } as const;
  return { kind: 'alert', alert };
}

/** Runtime detection of Kubescape's node agent, over HTTP and through Alertmanager. https://kubescape.io/docs/operator/runtime-threat-detection */
export const kubescape: Sensor = { name: 'kubescape', detect, decode, listIn: alertListIn };
