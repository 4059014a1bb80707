import type { Alert, Observable, ProcessRef } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, ignored, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { distinct, domainOf, hashOf, ipOf, observablesInCommand, pathOf, userOf } from '../observables.ts';
import { containerRef, nodeOfHost, podRef, workloadRef } from '../place.ts';
import { present } from '../present.ts';
import { priorityOf } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';

type Fields = ReadonlyMap<string, unknown>;

/** The agent writes camelCase, the relay PascalCase: in lower case the names are the same. */
function fieldsOf(value: unknown): Fields | undefined {
  const event = objectOf(value);
  return event && new Map(Object.entries(event).map(([key, field]) => [key.toLowerCase(), field] as const));
}

/**
 * The fields of an event. KubeArmor's own Falcosidekick puts them in `Detail`, the type in `EventType`, also as `Alert` or `Log`, and the owner in three
 * fields. https://github.com/kubearmor/falcosidekick/blob/main/outputs/relay-client.go
 */
function eventOf(value: unknown): Fields | undefined {
  const event = fieldsOf(value);
  const detail = fieldsOf(event?.get('detail'));
  if (event === undefined || detail === undefined || !event.has('eventtype')) return event;
  const known = [...detail].filter(([, field]) => firstKnown(field) !== undefined);
  const owner = new Map(['ref', 'name', 'namespace'].map((part) => [part, detail.get(`owner${part}`)]));
  const type = sidekickTypes.get(event.get('eventtype')) ?? event.get('eventtype');
  return new Map<string, unknown>([...event, ...known, ['type', type], ['owner', Object.fromEntries(owner)]]);
}

const sidekickTypes: ReadonlyMap<unknown, string> = new Map([
  ['Alert', 'MatchedPolicy'],
  ['Log', 'ContainerLog'],
]);
const types = /^(?:Matched\w*Policy|SystemEvent|HostLog|ContainerLog)$/;

function detect(value: unknown): boolean {
  // Called for every event of every sensor: most have no type at all.
  const event = objectOf(value);
  if (event === undefined || !['type', 'Type', 'EventType', 'eventType'].some((key) => key in event)) return false;
  const fields = eventOf(value);
  const type = fields?.get('type');
  if (fields === undefined || typeof type !== 'string' || !types.test(type)) return false;
  return fields.has('updatedtime') || fields.has('operation') || fields.has('policyname');
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const fields = eventOf(value);
  if (fields === undefined) return rejected('a KubeArmor event must be a JSON object');
  const type = sensorText(fields.get('type'), 64);
  if (type === undefined) return rejected('`Type` is missing or not a string');
  const time = firstTime(fields.get('updatedtime'), fields.get('timestamp'));
  if (time === undefined) return rejected('`UpdatedTime` is missing or not an RFC 3339 time');
  // Next to a container that it traces itself (Fargate), the host name that it reports is the pod's.
  const isPod = fields.get('hostname') === fields.get('podname');
  const node = isPod ? undefined : nodeOfHost(fields.get('hostname'));
  if (fields.get('operation') === 'AlertThreshold' || type === 'SystemEvent') {
    const most = wholeNumber(fields.get('maxalertspersec'));
    const pause = wholeNumber(fields.get('droppingalertsinterval'));
    const text = `more than ${most ?? '?'} alerts a second: it drops the alerts of this container for ${pause ?? '?'} s`;
    return [{ kind: 'health', sensor: 'kubearmor', time, text, ...(node !== undefined && { host: node }) }];
  }
  if (!/^Matched\w*Policy$/.test(type)) return ignored('kubearmor', `${type}: telemetry`);
  return [{ kind: 'alert', alert: alertOf({ fields, type, time, node, cluster }) }];
}

function alertOf(parts: {
  readonly fields: Fields;
  readonly type: string;
  readonly time: string;
  readonly node: string | undefined;
  readonly cluster: string;
}): Alert {
  const { fields, type, time, node, cluster } = parts;
  const rule = sensorText(fields.get('policyname'), 256) ?? type;
  const pod = podRef({ namespace: fields.get('namespacename'), name: fields.get('podname') });
  const owner = fieldsOf(fields.get('owner'));
  const workload =
    pod &&
    workloadRef({
      kind: owner?.get('ref'),
      namespace: firstKnown(owner?.get('namespace'), pod.namespace),
      name: owner?.get('name'),
    });
  const container = containerRef({
    id: fields.get('containerid'),
    name: fields.get('containername'),
    image: fields.get('containerimage'),
  });
  const operation = sensorText(fields.get('operation'), 64);
  const source = sensorText(fields.get('source'), 4_096);
  const resource = sensorText(fields.get('resource'), 4_096);
  const process = processOf({ fields, operation, source, resource });
  const action = sensorText(fields.get('action'), 64);
  const tags = tagsOf(listOf(fields.get('atags')) ?? listOf(fields.get('tags')), action === 'Block' ? ['enforced', 'block'] : []);
  return {
    id: alertIdOf({
      sensor: 'kubearmor',
      rule,
      time,
      ...(node !== undefined && { host: node }),
      fields: [pod?.namespace, pod?.name, container?.id, process?.pid, operation, source, resource, action, fields.get('data')],
    }),
    sensor: 'kubearmor',
    rule,
    severity: severityOf(fields.get('severity')),
    ...priorityOf(fields.get('severity')),
    time,
    title: sensorText(fields.get('message'), 200) ?? headline({ action, operation, resource: resource ?? process?.exe }),
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: distinct(
      pathOf(resource?.split(' ', 1)[0]),
      pathOf(process?.exe),
      observablesInCommand(resource),
      observablesInCommand(process?.commandLine),
      observablesInData(fields.get('data')),
      observablesInData(fields.get('eventdata')),
      userOf(fields.get('username')),
    ),
    tags,
    mitre: mitreIds(tags),
  };
}

/** Until 2021 there was no `ProcessName`: the process is in the resource if the operation is `Process`, else in the source. */
function processOf(event: {
  readonly fields: Fields;
  readonly operation: string | undefined;
  readonly source: string | undefined;
  readonly resource: string | undefined;
}): ProcessRef | undefined {
  const { fields, operation, source, resource } = event;
  const isStart = operation === 'Process';
  const commandLine = isStart ? resource : source;
  const named = sensorText(fields.get('processname'));
  const [called] = commandLine?.split(' ', 1) ?? [];
  const exe = named ?? (called?.startsWith('/') ? sensorText(called) : undefined);
  const caller = isStart && named === undefined ? source?.split(' ', 1)[0] : undefined;
  return present({
    name: baseName(named ?? called),
    exe,
    commandLine,
    parent: baseName(sensorText(fields.get('parentprocessname')) ?? caller),
    user: sensorText(fields.get('username'), 256),
    pid: wholeNumber(fields.get('hostpid')) ?? wholeNumber(fields.get('pid')),
  });
}

/**
 * `kfunc=UDP_SENDMSG,domain=c2.example,daddr=203.0.113.9,qtype=A`, or the same as an object.
 * https://github.com/kubearmor/KubeArmor/blob/main/KubeArmor/monitor/logUpdate.go
 */
function observablesInData(data: unknown): readonly Observable[] {
  const pairs: readonly (readonly [string, unknown])[] =
    typeof data === 'string'
      ? data
          .slice(0, 4_096)
          .split(/[\s,]+/, 64)
          .map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)])
      : Object.entries(objectOf(data) ?? {}).slice(0, 64);
  return pairs.flatMap(([key, value]) => {
    const host = key.toLowerCase() === 'domain' ? domainOf(value) : [];
    return [host, ipOf(value), pathOf(value), hashOf(value)].find((found) => found.length > 0) ?? [];
  });
}

/** 1 to 10, as a text. https://docs.kubearmor.io/kubearmor/documentation/security_policy_specification */
function severityOf(value: unknown): Severity {
  const level = wholeNumber(value) ?? 0;
  if (level < 1 || level > 10) return 'unknown';
  return level >= 9 ? 'critical' : level >= 7 ? 'high' : level >= 4 ? 'medium' : level >= 2 ? 'low' : 'info';
}

/** A list, `MITRE,X`, or Go's format of a list: `[MITRE X]`. */
function listOf(value: unknown): readonly unknown[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : textList(value);
  return list.length === 0 ? undefined : list;
}

function textList(value: unknown): readonly string[] {
  if (typeof value !== 'string' || value.trim() === '') return [];
  return /^\[.*\]$/s.test(value) ? value.slice(1, -1).split(' ', 64) : value.split(',', 64);
}

function baseName(path: string | undefined): string | undefined {
  const name = path?.split('/').at(-1)?.slice(0, 256);
  return name === '' ? undefined : name;
}

function headline(event: {
  readonly action: string | undefined;
  readonly operation: string | undefined;
  readonly resource: string | undefined;
}): string {
  const done = event.action === 'Block' ? 'blocked' : 'seen';
  return `${event.operation ?? 'Operation'} ${done}: ${event.resource?.slice(0, 160) ?? 'unknown'}`;
}

/** Alerts of KubeArmor's agents and relay. https://docs.kubearmor.io/kubearmor/documentation/kubearmor-events */
export const kubearmor: Sensor = { name: 'kubearmor', detect, decode };
