import type { Alert, Observable, ProcessRef } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { type Fields, firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import { distinct, domainOf, hashOf, ipOf, pathOf, userOf } from '../observables.ts';
import { containerRef, nodeName, podRef, workloadRef } from '../place.ts';
import { present } from '../present.ts';
import { severityOfText } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';

/** The value of `schema` that identifies an alert of this shape. */
const genericSchema = 'firebreak.alert.v1';

function detect(value: unknown): boolean {
  return objectOf(value)?.schema === genericSchema;
}

function decode(value: unknown, { cluster }: DecodeContext, reserved: ReadonlySet<string>): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('an alert must be a JSON object');
  if (event.schema !== genericSchema) return rejected(`\`schema\` is not "${genericSchema}"`);
  const rule = sensorText(event.rule, 256);
  if (rule === undefined) return rejected('`rule` is missing or not a string');
  const time = firstTime(event.time);
  if (time === undefined) return rejected('`time` is missing or not an RFC 3339 time');
  const { severity } = event;
  if (severity !== undefined && severity !== null && severity !== 'unknown' && severityOfText(severity) === undefined) {
    return rejected('`severity` is not one of critical, high, medium, low, info, unknown');
  }
  return [{ kind: 'alert', alert: alertOf({ event, rule, time, cluster, reserved }) }];
}

function alertOf(parts: {
  readonly event: Fields;
  readonly rule: string;
  readonly time: string;
  readonly cluster: string;
  readonly reserved: ReadonlySet<string>;
}): Alert {
  const { event, rule, time, cluster, reserved } = parts;
  const sensor = sensorName(event.sensor, reserved);
  const node = nodeName(event.node);
  const sentPod = objectOf(event.pod);
  const pod = podRef({ namespace: sentPod?.namespace, name: sentPod?.name, uid: sentPod?.uid });
  const owner = objectOf(event.workload);
  const workload = workloadRef({ kind: owner?.kind, namespace: firstKnown(owner?.namespace, pod?.namespace), name: owner?.name });
  const sentContainer = objectOf(event.container);
  const container = containerRef({
    id: sentContainer?.id,
    name: sentContainer?.name,
    image: sentContainer?.image,
    digest: sentContainer?.digest,
  });
  const process = processOf(objectOf(event.process));
  const tags = tagsOf(event.tags);
  const told = sensorText(event.id, 256);
  return {
    id: alertIdOf({
      sensor,
      rule,
      time,
      ...(node !== undefined && { host: node }),
      // If a sender sets its own ids, the same id means the same alert, whatever else changed.
      fields: told === undefined ? [pod, container?.id, process, event.observables] : [told],
    }),
    sensor,
    rule,
    severity: severityOfText(event.severity) ?? 'unknown',
    time,
    title: sensorText(event.title, 200) ?? rule,
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: observablesOf(event.observables),
    tags,
    mitre: mitreIds([...tagsOf(event.mitre), ...tags]),
  };
}

/** Senders of this schema may name the detector, but not a sensor that has its own decoder. */
function sensorName(value: unknown, reserved: ReadonlySet<string>): string {
  const isName = typeof value === 'string' && /^[a-z][a-z0-9-]{0,62}$/.test(value);
  return isName && !reserved.has(value) ? value : 'generic';
}

function processOf(sent: Fields | undefined): ProcessRef | undefined {
  if (sent === undefined) return undefined;
  return present({
    name: sensorText(sent.name, 256),
    exe: sensorText(sent.exe),
    commandLine: sensorText(sent.commandLine, 4_096),
    parent: sensorText(sent.parent, 256),
    user: sensorText(sent.user, 256),
    pid: wholeNumber(sent.pid),
  });
}

const readers: Readonly<Record<Observable['type'], (value: unknown) => readonly Observable[]>> = {
  ip: ipOf,
  domain: domainOf,
  hash: hashOf,
  path: pathOf,
  user: userOf,
};

function observablesOf(value: unknown): readonly Observable[] {
  if (!Array.isArray(value)) return [];
  return distinct(
    value.slice(0, 64).flatMap((item: unknown) => {
      const sent = objectOf(item);
      const type = (['ip', 'domain', 'hash', 'path', 'user'] as const).find((known) => known === sent?.type);
      return type === undefined ? [] : readers[type](sent?.value);
    }),
  );
}

/** The schema for every sender without its own decoder: `docs/sensors/generic.md`. */
export function createGeneric(others: readonly Sensor[]): Sensor {
  const reserved = new Set([...others.map(({ name }) => name), 'cloudevents', 'firebreak']);
  return { name: 'generic', exactIntegers: true, detect, decode: (value, context) => decode(value, context, reserved) };
}
