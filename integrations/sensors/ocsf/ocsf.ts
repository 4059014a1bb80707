import type { Alert } from '../../../core/alert/alert.ts';
import { alertIdOf } from '../../../core/alert/alert-id.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { type DecodeContext, type Decoded, ignored, rejected, type Sensor } from '../../../core/alert/sensor.ts';
import { type Fields, firstFilled, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { firstTime } from '../../../core/alert/sensor-time.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { present } from '../present.ts';
import { severityOfText } from '../severity-words.ts';
import { tagsOf } from '../tags.ts';
import { actorOf, observablesOf, tacticsOf } from './evidence.ts';
import { listOf, placeOf } from './place.ts';

/** Security Finding (deprecated), Detection Finding, Data Security Finding, Application Security Posture Finding. */
const findingClasses: readonly number[] = [2001, 2004, 2006, 2007];
const apiActivity = 6003;
/** Meanings of a finding's activity other than Create. https://schema.ocsf.io/classes/detection_finding */
const noBeginning: Readonly<Record<number, string>> = { 2: 'an update of a known finding', 3: 'the end of a finding' };
const decided: Readonly<Record<number, string>> = { 3: 'suppressed', 4: 'resolved', 5: 'archived', 6: 'deleted' };

function detect(value: unknown): boolean {
  const event = objectOf(value);
  if (event === undefined || wholeNumber(event.class_uid) === undefined) return false;
  return 'category_uid' in event || 'activity_id' in event || 'type_uid' in event || 'metadata' in event;
}

function decode(value: unknown, { cluster }: DecodeContext): readonly Decoded[] {
  const event = objectOf(value);
  if (event === undefined) return rejected('an OCSF event must be a JSON object');
  const kind = wholeNumber(event.class_uid);
  if (kind === undefined) return rejected('`class_uid` is missing or not a whole number');
  const finding = firstFilled(event.finding_info, event.finding);
  if (kind !== apiActivity && !isDetection(kind, finding)) return ignored('ocsf', `class ${kind}: not a detection`);
  const time = firstTime(event.time_dt, event.time, finding?.created_time_dt, finding?.created_time);
  if (time === undefined) return rejected('`time` is neither a count since 1970 nor an RFC 3339 time');
  if (kind === apiActivity) return [{ kind: 'alert', alert: alertOf({ event, finding: {}, kind, time, cluster }) }];
  // The type contains the class and, in its last two digits, the activity.
  const activity = noBeginning[wholeNumber(event.activity_id) ?? (wholeNumber(event.type_uid) ?? 0) % 100];
  if (activity !== undefined) return ignored('ocsf', activity);
  const status = decided[wholeNumber(event.status_id) ?? wholeNumber(event.state_id) ?? 0];
  if (status !== undefined && isStatus(event, status)) return ignored('ocsf', `a finding that is ${status}`);
  if (finding === undefined) return rejected('`finding_info` is missing or not an object');
  return [{ kind: 'alert', alert: alertOf({ event, finding, kind, time, cluster }) }];
}

/**
 * A vendor's own class begins with the vendor's number (996 is SentinelOne's, whose alerts are class 99602001), and is a detection if it says what was found.
 * https://github.com/ocsf/ocsf-schema/blob/main/extensions.md
 */
function isDetection(kind: number, finding: Fields | undefined): boolean {
  return findingClasses.includes(kind) || (kind >= 100_000 && finding !== undefined);
}

/** The ids of `state` and `status` changed their meaning between versions: the word next to the id decides, if there is one. */
function isStatus(event: Fields, status: string): boolean {
  const word = sensorText(event.status_id === undefined ? event.state : event.status, 64);
  return word === undefined || word.toLowerCase() === status;
}

interface Parts {
  readonly event: Fields;
  readonly finding: Fields;
  readonly kind: number;
  readonly time: string;
  readonly cluster: string;
}

function alertOf({ event, finding, kind, time, cluster }: Parts): Alert {
  const rule = ruleOf({ event, finding, kind });
  const product = objectOf(objectOf(event.metadata)?.product);
  const evidences = listOf(event.evidences);
  const { node, pod, container, workload } = placeOf(event, evidences);
  const process = actorOf(event, evidences);
  const passed = hasPassed(event);
  const tags = tagsOf(
    sensorText(product?.name, 64),
    finding.types,
    objectOf(event.metadata)?.labels,
    objectOf(event.metadata)?.event_code,
    passed ? 'passed' : [],
  );
  return {
    id: alertIdOf({
      sensor: 'ocsf',
      rule,
      time,
      ...(node !== undefined && { host: node }),
      fields: identifyingFields({ event, finding, product }),
    }),
    sensor: 'ocsf',
    rule,
    severity: passed ? 'info' : severityOf(event),
    time,
    title:
      kind === apiActivity
        ? requestTitle(event, rule)
        : (sensorText(event.message, 200) ?? sensorText(finding.title, 200) ?? rule),
    cluster,
    ...present({ node, pod, container, workload, process }),
    observables: observablesOf(event, evidences, process),
    tags,
    mitre: mitreIds([...tacticsOf(event, finding), ...tags]),
  };
}

/** The analytic that made the finding; a title may name the resource. The general engine of old Security Findings does not count as a rule. */
function ruleOf({ event, finding, kind }: Pick<Parts, 'event' | 'finding' | 'kind'>): string {
  if (kind === apiActivity) {
    const target = sensorText(listOf(event.resources)[0]?.type, 128);
    const operation = sensorText(objectOf(event.api)?.operation, 128) ?? sensorText(event.activity_name, 64) ?? 'activity';
    return target === undefined ? `API ${operation}` : `API ${operation} ${target}`;
  }
  const analytic = objectOf(finding.analytic);
  return (
    sensorText(analytic?.name, 256) ??
    sensorText(finding.title, 256) ??
    sensorText(objectOf(event.metadata)?.event_code, 256) ??
    sensorText(event.message, 256) ??
    sensorText(event.type_name, 256) ??
    `class ${kind}`
  );
}

/** The message of API activity is the audit stage or empty. */
function requestTitle(event: Fields, rule: string): string {
  const who = sensorText(objectOf(objectOf(event.actor)?.user)?.name, 80);
  const target = sensorText(listOf(event.resources)[0]?.name, 80);
  return [rule, target, who && `by ${who}`].filter((part) => part !== undefined).join(' ');
}

const bySeverityId: Readonly<Record<number, Severity>> = {
  1: 'info',
  2: 'low',
  3: 'medium',
  4: 'high',
  5: 'critical',
  6: 'critical',
};
const byRiskLevel: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

/** Uses the risk level only if there is no severity at all. */
function severityOf(event: Fields): Severity {
  const id = wholeNumber(event.severity_id);
  const severity = (id === undefined ? undefined : bySeverityId[id]) ?? severityOfText(event.severity);
  if (severity !== undefined) return severity;
  if (event.severity_id !== undefined || event.severity !== undefined) return 'unknown';
  const risk = wholeNumber(event.risk_level_id);
  return (risk === undefined ? undefined : byRiskLevel[risk]) ?? 'unknown';
}

/** Whether this is a check that found nothing wrong, with the severity that it would have had. */
function hasPassed(event: Fields): boolean {
  const words = [event.status_code, objectOf(event.compliance)?.status];
  return words.some((word) => typeof word === 'string' && /^pass(?:ed)?$/i.test(word));
}

function identifyingFields(parts: {
  readonly event: Fields;
  readonly finding: Fields;
  readonly product: Fields | undefined;
}): unknown {
  const { event, finding, product } = parts;
  const uid = sensorText(finding.uid, 1_024) ?? sensorText(objectOf(event.metadata)?.uid, 1_024);
  const request = sensorText(objectOf(objectOf(event.api)?.request)?.uid, 1_024);
  return [event.class_uid, product?.name, uid ?? request ?? [event.message, event.resources, event.evidences]];
}

/** Findings of the Open Cybersecurity Schema Framework. https://schema.ocsf.io */
export const ocsf: Sensor = { name: 'ocsf', exactIntegers: true, detect, decode };
