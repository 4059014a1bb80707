import { isSeverity, type Severity, worse } from '../alert/severity.ts';
import type { AuditRecord } from '../audit/audit.ts';
import { type IncidentRef, type Reached, subjectOfIncident, subjectTitle, type Verdict } from '../incident/incident.ts';
import { incidentOfChain, isVerdict } from '../incident/similar.ts';
import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { ListedIncident } from './console.schema.ts';

/** Maximum number of names of a sort; more are only counted. */
const mostNames = 20;
const mostSteps = 500;

/** The list entry of an incident, according to its records. Built record by record: the same records give the same summary. */
export interface IncidentSummary {
  readonly incident: IncidentRef;
  readonly cluster: string;
  readonly namespace: string | null;
  readonly kind: ListedIncident['kind'];
  readonly title: string;
  /** What the worst alert says happened, in a few words: see `whatRan`. Absent in summaries written by an earlier version. */
  readonly what?: string;
  /** Number of the last record in it. */
  readonly seen: number;
  readonly severity: Severity;
  readonly state: 'open' | 'closed';
  readonly reached: Reached;
  readonly verdict: Verdict;
  readonly openedAt: string;
  readonly changedAt: string;
  readonly closedAt: string | null;
  readonly alerts: number;
  readonly lastAlertAt: string | null;
  readonly rules: readonly string[];
  readonly pods: readonly string[];
  readonly playbooks: readonly string[];
  readonly sensors: Readonly<Record<string, number>>;
  /** Ids of open questions. */
  readonly questions: readonly string[];
  /** Keys of steps that began a containment, and ids of the leases that have ended: the difference is in force. */
  readonly begun: readonly string[];
  readonly ended: readonly string[];
  readonly containedAt: string | null;
  /** When its alerts became as bad as they are now. */
  readonly worstAt: string;
  /** The alert that called for the first containment: the worst one before it. Null: nothing was contained. */
  readonly calledAt: string | null;
  /** Keys of steps whose last check was a probe that proved them. */
  readonly proven: readonly string[];
  /** For each playbook, the alert that started it, and when it first contained something. Absent in summaries written by an earlier version. */
  readonly playbookTimes?: Readonly<Record<string, PlaybookTimes>>;
}

interface PlaybookTimes {
  readonly alertAt: string;
  readonly containedAt?: string;
}

/** Returns the address of an incident's run: 128 bits of its chain's SHA-256. */
export function incidentKeyOf(chain: string): string {
  return sha256Hex(chain).slice(0, 32);
}

export function chainOf({ id, run }: IncidentRef): string {
  return `${id}@${run}`;
}

export function listedOf(summary: IncidentSummary): ListedIncident {
  const { incident, seen, cluster, namespace, kind, title, severity, state, reached, verdict } = summary;
  const { openedAt, changedAt, closedAt, alerts, rules, pods, playbooks, questions } = summary;
  return {
    key: incidentKeyOf(chainOf(incident)),
    revision: seen,
    ...incident,
    title,
    what: summary.what ?? null,
    cluster,
    namespace,
    kind,
    severity,
    state,
    reached,
    verdict,
    openedAt,
    changedAt,
    closedAt,
    alerts,
    rules: [...rules],
    pods: [...pods],
    playbooks: [...playbooks],
    openQuestions: questions.length,
    contained: containedIn(summary),
    isProven: summary.begun.every((step) => summary.proven.includes(step)),
  };
}

export function containedIn({ begun, ended }: Pick<IncidentSummary, 'begun' | 'ended'>): number {
  return Math.max(0, begun.length - ended.length);
}

/** @param records of one chain, proven, from the first on. Returns undefined if they do not belong to an incident. */
export function summaryOf(records: readonly AuditRecord[]): IncidentSummary | undefined {
  const [first] = records;
  const begun = first && emptySummary(first);
  return begun && withRecords(begun, records);
}

/** Ignores records that are already in it. */
export function withRecords(summary: IncidentSummary, records: readonly AuditRecord[]): IncidentSummary {
  return records.reduce((now, record) => (record.number <= now.seen ? now : withRecord(now, record)), summary);
}

function emptySummary({ chain, at }: AuditRecord): IncidentSummary | undefined {
  const incident = incidentOfChain(chain);
  const subject = incident && subjectOfIncident(incident.id);
  if (!subject) return undefined;
  return {
    incident,
    cluster: subject.cluster,
    namespace: subject.kind === 'workload' ? subject.namespace : null,
    kind: subject.kind,
    title: subjectTitle(subject),
    seen: 0,
    severity: 'unknown',
    state: 'open',
    reached: 'detected',
    verdict: 'unknown',
    openedAt: at,
    changedAt: at,
    closedAt: null,
    alerts: 0,
    lastAlertAt: null,
    rules: [],
    pods: [],
    playbooks: [],
    sensors: {},
    questions: [],
    begun: [],
    ended: [],
    containedAt: null,
    worstAt: at,
    calledAt: null,
    proven: [],
  };
}

/** Reads bodies with care: a record is proven to be its cell's, but may be of another version. */
function withRecord(summary: IncidentSummary, record: AuditRecord): IncidentSummary {
  const { number, at, kind, actor, body } = record;
  const now = { ...summary, seen: number, changedAt: at };
  switch (kind) {
    case 'incident.opened':
    case 'alert.joined':
      return withAlerts(now, record);
    case 'incident.verdict':
      return isVerdict(body.incident) ? { ...now, verdict: body.incident } : now;
    case 'incident.closed':
      return {
        ...now,
        state: 'closed',
        closedAt: at,
        questions: [],
        ...(isVerdict(body.verdict) && { verdict: body.verdict }),
        ...(isReached(body.reached) && { reached: body.reached }),
      };
    case 'incident.reopened':
      return { ...now, state: 'open', closedAt: null };
    case 'playbook.started':
      return withPlaybook(now, actor.replace(/^playbook\//, ''));
    case 'step.applied':
      return withStep(now, record);
    case 'step.checked':
      return withCheck(now, record);
    case 'lease.released':
    case 'lease.gone':
    case 'lease.drifted':
      return typeof body.lease === 'string' ? { ...now, ended: withName(now.ended, body.lease, mostSteps) } : now;
    case 'question.asked':
      return isObject(body.question) && typeof body.question.id === 'string'
        ? { ...now, questions: withName(now.questions, body.question.id, mostSteps) }
        : now;
    case 'question.decided':
    case 'question.expired':
    case 'question.void':
      return { ...now, questions: now.questions.filter((id) => id !== body.question) };
    default:
      return now;
  }
}

function withAlerts(summary: IncidentSummary, { at, actor, body }: AuditRecord): IncidentSummary {
  let { severity, alerts, rules, pods } = summary;
  let added = 0;
  for (const count of Array.isArray(body.counts) ? body.counts : []) {
    if (!isObject(count) || typeof count.rule !== 'string') continue;
    rules = withName(rules, count.rule);
    if (typeof count.pod === 'string') pods = withName(pods, count.pod);
    if (isSeverity(count.severity)) severity = worse(severity, count.severity);
    if (typeof count.count === 'number') added += count.count;
  }
  alerts += added;
  const sensor = actor.replace(/^sensor\//, '');
  const sensors = { ...summary.sensors, [sensor]: (summary.sensors[sensor] ?? 0) + added };
  const isWorse = severity !== summary.severity;
  const worstAt = isWorse ? at : summary.worstAt;
  const what = isWorse || summary.what === undefined ? (worstWhat(body.alerts)?.what ?? summary.what) : summary.what;
  return { ...summary, ...(what !== undefined && { what }), severity, worstAt, alerts, rules, pods, sensors, lastAlertAt: at };
}

/** What the worst alert of a record says happened; the first of several. */
export function worstWhat(alerts: unknown): { readonly what: string; readonly severity: Severity } | undefined {
  const told = (Array.isArray(alerts) ? alerts : []).flatMap((one: unknown) => {
    if (!isObject(one) || typeof one.what !== 'string') return [];
    const severity: Severity = isSeverity(one.severity) ? one.severity : 'unknown';
    return [{ what: one.what, severity }];
  });
  const worst = told.reduce<Severity>((now, { severity }) => worse(now, severity), 'unknown');
  return told.find(({ severity }) => severity === worst);
}

function withPlaybook(summary: IncidentSummary, playbook: string): IncidentSummary {
  const { playbooks: before, playbookTimes = {}, lastAlertAt, openedAt } = summary;
  const playbooks = withName(before, playbook);
  if (playbookTimes[playbook] || !playbooks.includes(playbook)) return { ...summary, playbooks };
  return { ...summary, playbooks, playbookTimes: { ...playbookTimes, [playbook]: { alertAt: lastAlertAt ?? openedAt } } };
}

function withStep(summary: IncidentSummary, { at, actor, body }: AuditRecord): IncidentSummary {
  const effect = isObject(body.plan) ? body.plan.effect : undefined;
  if (effect === 'destructive') return { ...summary, reached: 'eradicated' };
  if (effect !== 'reversible' || typeof body.step !== 'string') return summary;
  const playbook = actor.replace(/^playbook\//, '');
  const times = summary.playbookTimes?.[playbook];
  return {
    ...summary,
    ...(times &&
      !times.containedAt && {
        playbookTimes: {
          ...summary.playbookTimes,
          [playbook]: { alertAt: later(times.alertAt, summary.worstAt), containedAt: at },
        },
      }),
    reached: summary.reached === 'detected' ? 'contained' : summary.reached,
    begun: withName(summary.begun, body.step, mostSteps),
    containedAt: summary.containedAt ?? at,
    calledAt: summary.calledAt ?? summary.worstAt,
  };
}

/** A later check may find that what was proven is no longer so. */
function withCheck(summary: IncidentSummary, { body }: AuditRecord): IncidentSummary {
  const { step, verification } = body;
  if (typeof step !== 'string') return summary;
  const isProven = isObject(verification) && verification.state === 'verified';
  const others = summary.proven.filter((known) => known !== step);
  return { ...summary, proven: isProven ? withName(others, step, mostSteps) : others };
}

/** The later of two times in one format (ISO 8601, UTC). */
function later(a: string, b: string): string {
  return a > b ? a : b;
}

function withName(names: readonly string[], name: string, most = mostNames): readonly string[] {
  return names.includes(name) || names.length >= most ? names : [...names, name];
}

const knownReached: ReadonlySet<unknown> = new Set<Reached>(['detected', 'contained', 'eradicated', 'recovered']);

function isReached(value: unknown): value is Reached {
  return knownReached.has(value);
}
