import type { Alert, ContainerRef, ProcessRef } from '../../../core/alert/alert.ts';
import { type AlertIdentity, alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { firstKnown, objectOf, sensorText, timeText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { execRequestOf } from '../exec-request.ts';
import { priorityOf } from '../severity-words.ts';
import { observablesOf } from './observables.ts';
import { nodeOf, placeOf } from './place.ts';

/** https://falco.org/docs/outputs/formatting and https://falco.org/docs/concepts/rules/basic-elements/#priority */
const severityOfPriority: Readonly<Record<string, Severity>> = {
  emergency: 'critical',
  alert: 'critical',
  critical: 'critical',
  error: 'high',
  warning: 'medium',
  notice: 'low',
  informational: 'info',
  info: 'info',
  debug: 'info',
};

/** Rule names of Falco's messages about its own state (dropped events, metrics): these are not rules. */
const ownMessage = /^falco internal:/i;

function detect(value: unknown): boolean {
  const event = objectOf(value);
  if (event === undefined || typeof event.rule !== 'string' || typeof event.priority !== 'string') return false;
  if (typeof event.time === 'string') return ['output', 'output_fields', 'message', 'source'].some((key) => key in event);
  return typeof event.output === 'string' || objectOf(event.output_fields) !== undefined;
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('a Falco event must be a JSON object');
  const rule = sensorText(event.rule, 256);
  if (rule === undefined) return rejected('`rule` is missing or not a string');
  const time = timeText(event.time);
  if (time === undefined) return rejected('`time` is missing or not an RFC 3339 time');
  const { priority, output_fields: sent } = event;
  if (priority !== undefined && priority !== null && typeof priority !== 'string') return rejected('`priority` is not a string');
  if (sent !== undefined && sent !== null && objectOf(sent) === undefined) return rejected('`output_fields` is not an object');
  const fields = objectOf(sent) ?? {};
  const output = sensorText(event.output, 4_096) ?? sensorText(event.message, 4_096);
  const host = sensorText(event.hostname, 253);
  if (ownMessage.test(rule)) {
    return [{ kind: 'health', sensor: 'falco', time, text: output ?? rule, ...(host === undefined ? {} : { host }) }];
  }
  if (priority === undefined && output === undefined && sent === undefined) {
    return rejected('`priority`, `output` and `output_fields` are missing: this is not a Falco event');
  }
  return [{ kind: 'alert', alert: alertOf({ cluster, event, fields, rule, time, output, host }) }];
}

interface Parts {
  readonly cluster: string;
  readonly event: Readonly<Record<string, unknown>>;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly rule: string;
  readonly time: string;
  readonly output: string | undefined;
  readonly host: string | undefined;
}

function alertOf({ cluster, event, fields, rule, time, output, host }: Parts): Alert {
  const tags = [...tagsOf(event.tags), ...sourceTag(event.source)];
  const place = placeOf(fields);
  const node = nodeOf({ source: event.source, hostname: event.hostname, fields });
  const container = containerOf(fields);
  const process = processOf(fields);
  return {
    id: alertIdOf({
      sensor: 'falco',
      rule: typeof event.rule === 'string' ? event.rule : rule,
      time,
      ...(host === undefined ? {} : { host }),
      ...identifyingFields({ fields, event }),
    }),
    sensor: 'falco',
    rule,
    severity: severityOf(event.priority),
    ...priorityOf(event.priority),
    time,
    title: headline(output) ?? rule,
    cluster,
    ...(node === undefined ? {} : { node }),
    ...place,
    ...(container === undefined ? {} : { container }),
    ...(process === undefined ? {} : { process }),
    observables: observablesOf(fields, process?.commandLine),
    tags,
    mitre: mitreIds(tags),
  };
}

/** Source names of Falco itself, and of its audit plugin, which is decoded separately. */
const ownSources: ReadonlySet<string> = new Set(['syscall', 'internal', 'k8s_audit']);

/** The event source of a Falco plugin, as `source:okta`: no other field states it, and a rule's own tags may not. */
function sourceTag(source: unknown): readonly string[] {
  const name = sensorText(source, 64);
  return name === undefined || ownSources.has(name) ? [] : [`source:${name}`];
}

function severityOf(priority: unknown): Severity {
  const name = typeof priority === 'string' ? priority.trim().toLowerCase() : '';
  return (Object.hasOwn(severityOfPriority, name) ? severityOfPriority[name] : undefined) ?? 'unknown';
}

function tagsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  const tags: string[] = [];
  for (const tag of value.slice(0, 64)) {
    const text = sensorText(tag, 128);
    if (text !== undefined && !tags.includes(text)) tags.push(text);
  }
  return tags;
}

/** Container id `host` means a process of the host: there is no container. */
function containerOf(fields: Readonly<Record<string, unknown>>): ContainerRef | undefined {
  // All 64 digits are not needed: a container is found by the beginning of its id.
  const id = sensorText(fields['container.id'], 128) ?? sensorText(fields['container.full_id'], 128);
  if (id === 'host') return undefined;
  const name = sensorText(fields['container.name'], 256) ?? execOf(fields).container;
  const repository = sensorText(fields['container.image.repository'], 512);
  const tag = sensorText(fields['container.image.tag'], 128);
  const written = repository === undefined ? sensorText(fields['container.image'], 512) : join(repository, tag);
  // The id of the image's configuration is not a name.
  const image = written?.startsWith('sha256:') ? undefined : written;
  const digests: unknown = fields['container.image.digest'];
  const digest = sensorText(Array.isArray(digests) ? digests[0] : digests, 128);
  const container = { ...(id && { id }), ...(name && { name }), ...(image && { image }), ...(digest && { digest }) };
  return Object.keys(container).length === 0 ? undefined : container;
}

function join(repository: string, tag: string | undefined): string {
  return tag === undefined ? repository : `${repository}:${tag}`;
}

function processOf(fields: Readonly<Record<string, unknown>>): ProcessRef | undefined {
  const name = sensorText(fields['proc.name'], 256);
  const exe = sensorText(fields['proc.exepath']) ?? sensorText(fields['proc.exe']);
  const commandLine = sensorText(fields['proc.cmdline'], 4_096) ?? execOf(fields).command;
  const parent = sensorText(fields['proc.pname'], 256);
  const user = sensorText(fields['user.name'], 256) ?? sensorText(fields['ka.user.name'], 256);
  const pid = wholeNumber(fields['proc.pid']);
  const process = {
    ...(name && { name }),
    ...(exe && { exe }),
    ...(commandLine && { commandLine }),
    ...(parent && { parent }),
    ...(user && { user }),
    ...(pid !== undefined && { pid }),
  };
  return Object.keys(process).length === 0 ? undefined : process;
}

/**
 * An exec in the API audit: the whole address if a rule outputs it, else its parameters, each with its first value only.
 * https://github.com/falcosecurity/plugins/tree/main/plugins/k8saudit#supported-fields
 */
function execOf(fields: Readonly<Record<string, unknown>>): { readonly command?: string; readonly container?: string } {
  const uri = fields['ka.uri'];
  const told = typeof uri === 'string' ? execRequestOf(uri) : {};
  const command = told.command ?? sensorText(fields['ka.uri.param[command]']);
  const container = told.container ?? sensorText(fields['ka.uri.param[container]'], 256);
  return { ...(command !== undefined && { command }), ...(container !== undefined && { container }) };
}

/**
 * All fields except the event's time, which the `time` text has exactly and a forwarder may have rounded. The output only if there are no fields, since it
 * repeats them.
 */
function identifyingFields({ fields, event }: Pick<Parts, 'fields' | 'event'>): Pick<AlertIdentity, 'fields' | 'without'> {
  for (const key of Object.keys(fields)) if (!tellsNothing(key, fields[key])) return { fields, without: tellsNothing };
  return { fields: [firstKnown(event.output, event.message) ?? null] };
}

const eventTime = /^j?evt\.(?:raw)?time/;

function tellsNothing(key: string, field: unknown): boolean {
  return isUnknown(field) || eventTime.test(key);
}

function isUnknown(field: unknown): boolean {
  return field === undefined || field === null || field === '' || field === '<NA>';
}

/** The sentence at the start of the output, without time, priority and the listed fields. */
function headline(output: string | undefined): string | undefined {
  if (output === undefined) return undefined;
  const sentence = output
    .replace(/^[\d:.T+Z-]{8,40}:? /, '')
    .replace(/^(?:Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug) /, '')
    .split(/ \| | \(|\n/, 1)[0]
    ?.trim();
  return sentence === undefined || sentence.length < 3 ? undefined : sentence.slice(0, 200);
}

/** Events that Falco posts itself (`http_output`), of all versions. https://falco.org/docs/outputs/channels */
export const falco: Sensor = { name: 'falco', detect, decode };
