import type { Alert } from '../../../core/alert.ts';
import { alertIdOf } from '../../../core/alert-id.ts';
import { mitreIds } from '../../../core/mitre.ts';
import { type DecodeContext, type Decoded, ignored, rejected, type Sensor } from '../../../core/sensor.ts';
import { objectOf, sensorText, wholeNumber } from '../../../core/sensor-text.ts';
import { firstTime } from '../../../core/sensor-time.ts';
import type { Severity } from '../../../core/severity.ts';
import { distinct, observablesIn, observablesInCommand, pathOf } from '../observables.ts';
import { containerRef, nodeName, podRef, workloadRef } from '../place.ts';
import { present } from '../present.ts';
import { tagsOf, techniqueIdsIn } from '../tags.ts';

type Fields = ReadonlyMap<string, unknown>;

/** The agent writes camelCase, the relay PascalCase: the names in lower case are the same. */
function fieldsOf(value: unknown): Fields | undefined {
  const event = objectOf(value);
  return event && new Map(Object.entries(event).map(([key, field]) => [key.toLowerCase(), field] as const));
}

function detect(value: unknown): boolean {
  const fields = fieldsOf(value);
  if (fields === undefined) return false;
  const type = fields.get('type');
  if (typeof type !== 'string' || !/^(?:Matched\w*Policy|SystemEvent|HostLog|ContainerLog)$/.test(type)) return false;
  return fields.has('updatedtime') || (fields.has('timestamp') && (fields.has('operation') || fields.has('policyname')));
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const fields = fieldsOf(value);
  if (fields === undefined) return rejected('a KubeArmor event is a JSON object');
  const type = sensorText(fields.get('type'), 64);
  if (type === undefined) return rejected('`Type` is missing or not a text');
  const time = firstTime(fields.get('updatedtime'), fields.get('timestamp'));
  if (time === undefined) return rejected('`UpdatedTime` is missing or not an RFC 3339 time');
  // Beside a container that it traces itself (Fargate), what it calls the host is the pod.
  const isPod = fields.get('hostname') === fields.get('podname');
  const node = isPod ? undefined : nodeName(fields.get('hostname'));
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
    workloadRef({ kind: owner?.get('ref'), namespace: owner?.get('namespace') ?? pod.namespace, name: owner?.get('name') });
  const container = containerRef({
    id: fields.get('containerid'),
    name: fields.get('containername'),
    image: fields.get('containerimage'),
  });
  const operation = sensorText(fields.get('operation'), 64);
  const source = sensorText(fields.get('source'), 4_096);
  const resource = sensorText(fields.get('resource'), 4_096);
  const exe = sensorText(fields.get('processname'));
  const commandLine = operation === 'Process' ? resource : source;
  const process = present({
    name: baseName(exe),
    exe,
    commandLine,
    parent: baseName(sensorText(fields.get('parentprocessname'))),
    pid: wholeNumber(fields.get('hostpid')) ?? wholeNumber(fields.get('pid')),
  });
  const listed = fields.get('atags');
  const written: unknown = Array.isArray(listed) && listed.length > 0 ? listed : textList(fields.get('tags'));
  const action = sensorText(fields.get('action'), 64);
  const tags = tagsOf(written, action === 'Block' ? ['enforced', 'block'] : []);
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
    time,
    title: sensorText(fields.get('message'), 200) ?? headline({ action, operation, resource: resource ?? exe }),
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: distinct(
      pathOf(resource?.split(' ', 1)[0]),
      pathOf(exe),
      observablesInCommand(resource),
      observablesInCommand(commandLine),
      observablesIn(fields.get('data')),
    ),
    tags,
    mitre: [...new Set([...mitreIds(tags), ...techniqueIdsIn(tags)])],
  };
}

/** 1 to 10, as a text. https://docs.kubearmor.io/kubearmor/documentation/security_policy_specification */
function severityOf(value: unknown): Severity {
  const level = wholeNumber(value) ?? 0;
  if (level < 1 || level > 10) return 'unknown';
  return level >= 9 ? 'critical' : level >= 7 ? 'high' : level >= 4 ? 'medium' : level >= 2 ? 'low' : 'info';
}

function textList(value: unknown): readonly string[] {
  return typeof value === 'string' ? value.split(',', 64) : [];
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
