import { actions } from '../actions/index.ts';
import type { AuditRecord } from '../audit/audit.ts';
import { isObject } from '../text/plain-json.ts';
import type { EventMaker, StreamEvent, StreamedRecord, StreamItem, UnprovenRow } from './stream.ts';

/** The version against which tests validate events. https://schema.ocsf.io/1.8.0 */
const ocsfVersion = '1.8.0';

type Fields = Readonly<Record<string, unknown>>;
type OcsfEvent = Fields;

/** Category and name of each class. */
const classes = {
  detection: { class_uid: 2004, class_name: 'Detection Finding', category_uid: 2, category_name: 'Findings' },
  incident: { class_uid: 2005, class_name: 'Incident Finding', category_uid: 2, category_name: 'Findings' },
  remediation: { class_uid: 7001, class_name: 'Remediation Activity', category_uid: 7, category_name: 'Remediation' },
  api: { class_uid: 6003, class_name: 'API Activity', category_uid: 6, category_name: 'Application Activity' },
} as const;

interface Told {
  readonly record: AuditRecord;
  readonly streamed: StreamedRecord;
  readonly maker: EventMaker;
}

/** What a class adds to the fields of every event. */
interface Part {
  readonly of: keyof typeof classes;
  readonly activity: readonly [id: number, name: string];
  readonly status?: readonly [id: number, name: string];
  readonly severity?: unknown;
  /** Milliseconds since 1970. Absent: the record's own time. */
  readonly time?: number | undefined;
  readonly fields: Fields;
  readonly unmapped?: Fields;
}

/**
 * A record as OCSF events: each alert is a detection, each action a remediation, the course of an incident its finding, and what people and machines ask of
 * Firebreak is API activity. Fields that the record does not contain are left out.
 */
export function ocsfEventsOf(item: StreamItem, maker: EventMaker): readonly StreamEvent[] {
  if ('unproven' in item) return [unprovenEvent(item.unproven, maker)];
  const { record: streamed } = item;
  const { record } = streamed.signed;
  const told: Told = { record, streamed, maker };
  return partsOf(record).map((part, index) => {
    const id = index === 0 ? streamed.hash : `${streamed.hash}.${index}`;
    const json = JSON.stringify(eventOf(part, told, id));
    return { id, chain: record.chain, at: record.at, kind: record.kind, json };
  });
}

function partsOf(record: AuditRecord): readonly Part[] {
  const { kind } = record;
  if (kind === 'incident.opened') return [incidentPart(record), ...detectionParts(record)];
  if (kind === 'alert.joined') return orApi(detectionParts(record), record);
  if (incidentKinds.has(kind)) return [incidentPart(record)];
  if (isRemediation(kind)) return [remediationPart(record)];
  return [apiPart(record)];
}

/** Every record yields an event, whatever it lacks. */
function orApi(parts: readonly Part[], record: AuditRecord): readonly Part[] {
  return parts.length > 0 ? parts : [apiPart(record)];
}

function eventOf(part: Part, { record, streamed, maker }: Told, uid: string): OcsfEvent {
  const { of, activity, status, fields } = part;
  const loggedTime = milliseconds(record.at) ?? 0;
  const message = textOf(record.body.text) ?? textOf(record.body.reason);
  return {
    ...heading({ of, activity, time: part.time ?? loggedTime, severity: part.severity }),
    ...(message !== undefined && { message }),
    ...(status && { status_id: status[0], status: status[1] }),
    ...fields,
    metadata: {
      version: ocsfVersion,
      product: productOf(maker),
      uid,
      correlation_uid: record.chain,
      sequence: record.number,
      event_code: record.kind,
      logged_time: loggedTime,
      log_name: maker.cluster,
    },
    unmapped: {
      ...part.unmapped,
      actor: record.actor,
      record: {
        chain: record.chain,
        number: record.number,
        place: streamed.place,
        hash: streamed.hash,
        previous: streamed.previous,
        key_id: streamed.signed.keyId,
      },
    },
  };
}

function heading({
  of,
  activity: [activity, name],
  time,
  severity,
}: Pick<Part, 'of' | 'activity' | 'severity'> & { readonly time: number }): Fields {
  const [severityId, severityName] = severities.get(severity) ?? [0, 'Unknown'];
  const type = classes[of].class_uid * 100 + activity;
  return {
    ...classes[of],
    activity_id: activity,
    activity_name: name,
    type_uid: type,
    type_name: `${classes[of].class_name}: ${name}`,
    time,
    severity_id: severityId,
    severity: severityName,
  };
}

function productOf({ version }: EventMaker): Fields {
  return { name: 'Firebreak', vendor_name: 'Firebreak', version };
}

const severities: ReadonlyMap<unknown, readonly [id: number, name: string]> = new Map<string, readonly [number, string]>([
  ['info', [1, 'Informational']],
  ['low', [2, 'Low']],
  ['medium', [3, 'Medium']],
  ['high', [4, 'High']],
  ['critical', [5, 'Critical']],
]);

const created = [1, 'Create'] as const;
const updated = [2, 'Update'] as const;
const other = (name: string) => [99, name] as const;

/** Each alert in the record, and the alerts that it only counts. */
function detectionParts({ body }: AuditRecord): readonly Part[] {
  const alerts = objectsIn(body.alerts);
  const said = new Map<string, number>();
  const countedAs = (one: Fields, pod: unknown): string => JSON.stringify([one.rule, one.severity, pod ?? null]);
  for (const alert of alerts) {
    const key = countedAs(alert, podName(alert.pod));
    said.set(key, (said.get(key) ?? 0) + 1);
  }
  const further = objectsIn(body.counts).flatMap((entry): readonly Part[] => {
    const count = (typeof entry.count === 'number' ? entry.count : 0) - (said.get(countedAs(entry, entry.pod)) ?? 0);
    const rule = textOf(entry.rule);
    return count > 0 && rule !== undefined ? [countedPart(entry, rule, count)] : [];
  });
  return [...alerts.map(alertPart), ...further];
}

function alertPart(alert: Fields): Part {
  const rule = textOf(alert.rule);
  const attacks = textsIn(alert.mitre).map(attackOf);
  const resources = resourcesOf(alert);
  const sensor = textOf(alert.sensor);
  const { image, digest, doubt, novelty, countedFor } = alert;
  return {
    of: 'detection',
    activity: created,
    status: [1, 'New'],
    severity: alert.severity,
    time: milliseconds(alert.time),
    fields: {
      is_alert: true,
      finding_info: {
        uid: textOf(alert.id) ?? 'unknown',
        title: textOf(alert.title) ?? rule ?? 'alert',
        ...(rule !== undefined && { analytic: { name: rule, type_id: 1, type: 'Rule' } }),
        ...(sensor !== undefined && { product: { name: sensor } }),
        ...(attacks.length > 0 && { attacks }),
      },
      ...(resources.length > 0 && { resources }),
    },
    unmapped: { ...present({ image, image_digest: digest, doubt, novelty, counted_for: countedFor, tags: alert.tags }) },
  };
}

/** For these alerts only the count is known. */
function countedPart({ severity, pod }: Fields, rule: string, count: number): Part {
  const [namespace, name] = (textOf(pod) ?? '').split('/');
  return {
    of: 'detection',
    activity: updated,
    severity,
    fields: {
      is_alert: true,
      count,
      finding_info: {
        uid: JSON.stringify([rule, severity ?? null, pod ?? null]),
        title: rule,
        analytic: { name: rule, type_id: 1, type: 'Rule' },
      },
      ...(namespace && name && { resources: [{ type: 'Pod', namespace, name }] }),
    },
  };
}

/** `T1059.004` is a sub-technique, `TA0006` a tactic. */
function attackOf(id: string): Fields {
  if (id.startsWith('TA')) return { tactic: { uid: id } };
  const [technique = id, sub] = id.split('.');
  return { technique: { uid: technique }, ...(sub !== undefined && { sub_technique: { uid: id } }) };
}

function resourcesOf({ pod, node, workload }: Fields): readonly Fields[] {
  const found: Fields[] = [];
  if (isObject(pod) && textOf(pod.name) !== undefined)
    found.push({ type: 'Pod', ...texts({ name: pod.name, namespace: pod.namespace, uid: pod.uid }) });
  if (isObject(workload) && textOf(workload.name) !== undefined)
    found.push(texts({ type: workload.kind, name: workload.name, namespace: workload.namespace }));
  const named = textOf(node);
  if (named !== undefined) found.push({ type: 'Node', name: named });
  return found;
}

function podName(pod: unknown): string | undefined {
  return isObject(pod) && textOf(pod.name) !== undefined ? `${pod.namespace}/${pod.name}` : undefined;
}

const incidentKinds: ReadonlySet<string> = new Set([
  'incident.verdict',
  'incident.closed',
  'incident.reopened',
  'question.asked',
  'question.joined',
  'question.escalated',
  'question.decided',
  'question.expired',
  'question.void',
]);

const verdicts: ReadonlyMap<unknown, readonly [id: number, name: string]> = new Map<string, readonly [number, string]>([
  ['unknown', [0, 'Unknown']],
  ['true_positive', [2, 'True Positive']],
  ['suspicious', [4, 'Suspicious']],
  ['benign', [5, 'Benign']],
]);

function incidentPart(record: AuditRecord): Part {
  const { kind, body, chain } = record;
  const alerts = objectsIn(body.alerts);
  const verdict = verdicts.get(body.incident ?? body.verdict);
  const ended = kind === 'incident.closed';
  const found = alerts.map((alert) => ({
    uid: textOf(alert.id) ?? chain,
    title: textOf(alert.title) ?? textOf(alert.rule) ?? chain,
  }));
  const question = isObject(body.question) ? body.question : undefined;
  return {
    of: 'incident',
    activity: kind === 'incident.opened' ? created : ended ? [3, 'Close'] : updated,
    status: kind === 'incident.opened' ? [1, 'New'] : ended ? [5, 'Closed'] : [2, 'In Progress'],
    severity: question?.severity ?? worstOf(alerts),
    fields: {
      finding_info_list: found.length > 0 ? found : [{ uid: chain, title: incidentOf(chain) }],
      ...(verdict && { verdict_id: verdict[0], verdict: verdict[1] }),
      ...assigned(record, question),
    },
    unmapped: present({
      question: question ? question.id : body.question,
      choice: body.choice,
      by: body.by,
      reached: body.reached,
      alerts: body.total,
    }),
  };
}

/** The assignee: the group that is asked, otherwise the person who acts. OCSF requires one of the two. */
function assigned({ kind, body, actor }: AuditRecord, question: Fields | undefined): Fields {
  const levels = objectsIn(question?.levels);
  const level = kind === 'question.asked' ? levels[0] : undefined;
  const group = textOf(level?.group) ?? textOf(body.group);
  if (group !== undefined) return { assignee_group: { name: group } };
  return { assignee: personOf(actor) ?? { uid: actor === '' ? 'unknown' : actor, type_id: 3, type: 'System' } };
}

/** A claimed identity does not count as a person. */
function personOf(actor: string): Fields | undefined {
  const [, kind, id] = /^(person|slack|claimed)\/(.+)$/.exec(actor) ?? [];
  if (kind === 'person' && id !== undefined) return { uid: id, type_id: 1, type: 'User' };
  return kind === undefined ? undefined : { uid: actor, type_id: 0, type: 'Unknown' };
}

function incidentOf(chain: string): string {
  return chain.split('@', 1)[0] || chain;
}

const byBadness = ['critical', 'high', 'medium', 'low', 'info'] as const;

function worstOf(alerts: readonly Fields[]): string | undefined {
  return byBadness.find((severity) => alerts.some((alert) => alert.severity === severity));
}

function isRemediation(kind: string): boolean {
  return /^(step|lease|containment|saga)\./.test(kind);
}

/** D3FEND's tactics, with their OCSF numbers. */
const activities = {
  isolate: [1, 'Isolate'],
  evict: [2, 'Evict'],
  restore: [3, 'Restore'],
  harden: [4, 'Harden'],
  detect: [5, 'Detect'],
} as const;

const restoring: ReadonlySet<string> = new Set(['restartWorkload', 'rollbackWorkload']);
const hardening: ReadonlySet<string> = new Set(['hardenWorkload', 'denyImage', 'rotateSecret']);
const byName = new Map(actions.map((action) => [action.name, action]));

function activityOf(kind: string, action: string | undefined): Part['activity'] {
  if (kind === 'lease.released' || kind === 'lease.release-refused') return activities.restore;
  const declared = action === undefined ? undefined : byName.get(action);
  if (!declared) return other(kind);
  if (restoring.has(declared.name)) return activities.restore;
  if (hardening.has(declared.name)) return activities.harden;
  if (declared.contains) return activities.isolate;
  if (declared.effect === 'destructive') return activities.evict;
  return declared.effect === 'read' ? activities.detect : other(kind);
}

/** Status of what is read back or probed; anything that cannot be determined is unknown. */
const statesOf: ReadonlyMap<unknown, readonly [id: number, name: string]> = new Map<string, readonly [number, string]>([
  ['applied', [1, 'Success']],
  ['verified', [1, 'Success']],
  ['partial', [4, 'Partial']],
  ['unverified', [0, 'Unknown']],
  ['drifted', [2, 'Failure']],
]);

function remediationStatus({ kind, body }: AuditRecord): readonly [id: number, name: string] {
  if (kind === 'step.planned') return other('Planned');
  if (kind === 'step.unavailable') return [5, 'Unsupported'];
  if (kind === 'step.delayed') return other('Delayed');
  if (/\.(failed|release-refused|drifted)$/.test(kind)) return [2, 'Failure'];
  if (kind === 'step.checked')
    return statesOf.get(isObject(body.verification) ? body.verification.state : undefined) ?? [0, 'Unknown'];
  return /^(step\.(applied|joined)|lease\.)/.test(kind) ? [1, 'Success'] : [0, 'Unknown'];
}

function remediationPart(record: AuditRecord): Part {
  const { kind, body, chain, number } = record;
  const plan = isObject(body.plan) ? body.plan : undefined;
  const target = textOf(isObject(plan?.target) ? plan.target.name : body.target);
  const verification = isObject(body.verification) ? body.verification : undefined;
  const detail = textOf(verification?.detail);
  const code = textOf(body.code);
  const action = textOf(body.action) ?? actionIn(body.step);
  const activity = activityOf(kind, action);
  return {
    of: 'remediation',
    activity,
    status: remediationStatus(record),
    fields: {
      command_uid: textOf(body.step) ?? textOf(body.lease) ?? `${chain}#${number}`,
      ...(detail !== undefined && { status_detail: detail }),
      ...(code !== undefined && { status_code: code }),
      ...(activity[0] !== 99 && { countermeasures: [{ d3f_tactic: { name: activity[1] } }] }),
      ...(target !== undefined && {
        observables: [{ name: 'unmapped.target', type_id: 99, type: 'Kubernetes object', value: target }],
      }),
    },
    unmapped: present({
      action,
      target,
      effect: plan?.effect,
      reach: plan?.reach,
      state: verification?.state,
      lease: body.lease,
    }),
  };
}

/** In a step's key, the action precedes the number of the call. */
function actionIn(step: unknown): string | undefined {
  const name = textOf(step)?.split('/').at(-2);
  return name !== undefined && byName.has(name) ? name : undefined;
}

const activityByEnding: readonly (readonly [ending: RegExp, activity: Part['activity']])[] = [
  [/\.(read|seen)$/, [2, 'Read']],
  [/\.(proposed|begun|ordered|started|asked|sent|accepted|comment|named)$/, [1, 'Create']],
  [/\.(destroyed|expired)$/, [4, 'Delete']],
  [/\.(ended|over|restored|changed|closed|snoozed|handed-over|extended|rejected)$/, [3, 'Update']],
];

function apiPart({ kind, actor, body }: AuditRecord): Part {
  const isRefused = /\.(refused|failed|unsettled)$/.test(kind);
  const activity = activityByEnding.find(([ending]) => ending.test(kind))?.[1] ?? other(kind);
  const person = personOf(actor);
  const vote = isObject(body.vote) ? body.vote : undefined;
  const code = textOf(body.code);
  return {
    of: 'api',
    activity,
    status: isRefused ? [2, 'Failure'] : [1, 'Success'],
    fields: {
      actor: person ? { user: person } : { app_name: actor === '' ? 'unknown' : actor },
      api: { operation: kind, service: { name: 'Firebreak' } },
      // The caller's address is not on record, only the service through which they called.
      src_endpoint: { svc_name: actor.startsWith('slack/') ? 'Slack' : 'Firebreak' },
      ...(code !== undefined && { status_code: code }),
    },
    unmapped: present({
      incident: body.incident,
      question: vote?.question ?? body.question,
      choice: vote?.choice ?? body.choice,
      reason: vote?.reason ?? body.reason,
      times: body.times,
    }),
  };
}

function unprovenEvent({ chain, place, problem, foundAt }: UnprovenRow, maker: EventMaker): StreamEvent {
  const id = `unproven ${chain}#${place}`;
  const kind = 'record.unproven';
  const title = 'A record that none of our cells or desks has signed';
  const json = JSON.stringify({
    ...heading({ of: 'detection', activity: created, time: milliseconds(foundAt) ?? 0, severity: 'high' }),
    message: `${title}: ${chain}, place ${place}, ${problem}. Its text is left out; run \`firebreak audit verify\`.`,
    is_alert: true,
    status_id: 1,
    status: 'New',
    finding_info: { uid: id, title, analytic: { name: kind, type_id: 1, type: 'Rule' } },
    metadata: {
      version: ocsfVersion,
      product: productOf(maker),
      uid: id,
      correlation_uid: chain,
      event_code: kind,
      log_name: maker.cluster,
    },
    unmapped: { record: { chain, place } },
  });
  return { id, chain, at: foundAt, kind, json };
}

function milliseconds(time: unknown): number | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.flatMap((one) => textOf(one) ?? []) : [];
}

function objectsIn(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function texts(fields: Fields): Fields {
  return kept(fields, (value) => textOf(value) !== undefined);
}

function present(fields: Fields): Fields {
  return kept(fields, (value) => value !== undefined && value !== null);
}

/** Uses a loop: building lists of entries took as long as hashing a record. */
function kept(fields: Fields, isKept: (value: unknown) => boolean): Fields {
  const found: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) if (isKept(fields[name])) found[name] = fields[name];
  return found;
}
