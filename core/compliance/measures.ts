import { actions } from '../actions/index.ts';
import { isSeverity, type Severity, worse } from '../alert/severity.ts';
import type { AuditRecord } from '../audit/audit.ts';
import { percentile } from '../audit/percentile.ts';
import { deadlineOrderIn } from '../orders/deadline-order.ts';
import { isObject } from '../text/plain-json.ts';
import { type NotificationStage, type Regime, regimes, rules, stages } from './notification.ts';
import { findingsIn, type PostureLook, PostureTrend, type TrendStep, trendPart } from './posture-trend.ts';

/** A record that a number was counted from. */
interface RecordRef {
  readonly chain: string;
  readonly number: number;
}

/** Maximum number of records that a measure names; it counts all of them. */
export const mostRefs = 20;

/** One number of a report. */
export interface Measure {
  readonly id: MeasureId;
  readonly title: string;
  readonly unit: 'number' | 'seconds';
  /** null if there was nothing to measure. */
  readonly value: number | null;
  /** Its breakdown: by severity, by verdict; p50 and p90 of times. */
  readonly parts: Readonly<Record<string, number>>;
  /** Its source: the first of the `counted` records. */
  readonly records: readonly RecordRef[];
  readonly counted: number;
  /** For trends: the first records behind each part. */
  readonly partRecords?: Readonly<Record<string, readonly RecordRef[]>>;
}

/** Maximum number of records that each part of a trend names. */
const mostPartRefs = 3;

const trends = ['posture-trend', 'posture-opened', 'posture-gone'] as const;

/** A measure shown over time. */
export type TrendId = (typeof trends)[number];

export function isTrend(id: MeasureId): id is TrendId {
  return trends.some((one) => one === id);
}

const titlesOfOthers = {
  'incidents-opened': 'Incidents opened, by severity of the first alerts',
  'audit-incidents': 'Incidents whose first alert came from the audit log of the API server',
  'incidents-closed': 'Times that an incident was closed, by verdict',
  'alerts-joined': 'Further groups of alerts that joined an open incident',
  'alerts-hidden': 'Alerts hidden by an approved suppression',
  'playbooks-run': 'Playbook runs',
  'playbooks-failed': 'Playbook runs that failed',
  containments: 'Containments that were set, by action',
  'time-to-contain': 'Time from the alert that called for containment, the worst before it, to the first containment',
  'containments-proven': 'Checks of a step after it was done, by result',
  'containments-changed': 'Detected changes to what a containment had set',
  'effects-checked': 'Later looks at a containment, by what was found',
  postures:
    'Looks at the workload of an incident when it opened, by month or week and the strictest Pod Security profile that it met',
  'posture-findings': 'Of these, looks with findings, by finding (one can have several)',
  'posture-trend': 'The same, by month or week and finding',
  'posture-opened':
    'Looks with a finding that the previous look at that workload in this period did not have, by month or week and finding',
  'posture-gone':
    'Looks without a finding that the previous look at that workload in this period had, by month or week and finding',
  'image-signatures': 'Pods whose images’ signatures were checked, by the worst result',
  'steps-failed': 'Steps that failed, by code',
  'evidence-kept': 'Steps that kept evidence',
  'evidence-read': 'Times that a person read evidence',
  'evidence-destroyed': 'Pieces of evidence destroyed after their retention ended',
  'questions-asked': 'Questions to people',
  'questions-decided': 'Questions that people decided',
  'questions-silent': 'Questions that nobody answered in time',
  'time-to-decide': 'Time from a question to its decision',
  'votes-accepted': 'Signed votes that counted, by person',
  'votes-refused': 'Votes that were refused',
  escalations: 'Questions that were passed on to the next group',
  pages: 'Times that people were called',
  tickets: 'Tickets opened',
  releases: 'Containments released',
  restraints: 'Decisions about freezes, observe mode and break-glass sessions',
  suppressions: 'Decisions about suppressions',
  promotions: 'Decisions about versions of playbooks',
  strangers: 'Attempts that were refused: clicks, commands, messages, requests, by kind',
  exports: 'Incidents exported',
  'records-cut': 'Cuts of expired records, by class',
  'notifications-due': 'Times that people found an incident notifiable, by law',
  'notifications-sent': 'Notifications that people recorded as sent, by law and stage',
  'notifications-called': 'Times that people were called because a notification was due, by law and stage',
} as const;

/** For one law and one of its stages: an article that requires one stage is not covered by another. */
export type LawMeasureId = `${Regime}-due` | `${Regime}-${NotificationStage}-${'sent' | 'called'}`;

export type MeasureId = keyof typeof titlesOfOthers | LawMeasureId;

/** The displayed names; `firebreak deadlines` uses their ids. */
const lawNames: Readonly<Record<Regime, string>> = {
  nis2: 'NIS2, Article 23',
  'cra-incident': 'CRA, Article 14(4)',
  'cra-vulnerability': 'CRA, Article 14(2)',
};

const titlesLawMeasureIds: readonly (readonly [LawMeasureId, title: string])[] = regimes.flatMap((regime) => [
  [`${regime}-due`, `Times that people found an incident notifiable by ${lawNames[regime]}`] as const,
  ...stages.flatMap((stage) => {
    const of = `${rules[regime][stage].title} (${lawNames[regime]})`;
    return [
      [`${regime}-${stage}-sent`, `${of}: times that people recorded it as sent`] as const,
      [`${regime}-${stage}-called`, `${of}: times that people were called because it was due`] as const,
    ];
  }),
]);

const titles: ReadonlyMap<MeasureId, string> = new Map([
  ...(Object.entries(titlesOfOthers) as readonly (readonly [keyof typeof titlesOfOthers, string])[]),
  ...titlesLawMeasureIds,
]);

export const measureIds: readonly MeasureId[] = [...titles.keys()];

interface Counter {
  value: number;
  readonly parts: Map<string, number>;
  readonly records: RecordRef[];
  readonly partRecords: Map<string, RecordRef[]>;
  readonly times: number[];
}

/** The counts of some chains, each counted to its end: plain data that can be passed to another thread. */
export interface Counted {
  readonly counters: ReadonlyMap<MeasureId, Readonly<Counter>>;
  readonly looks: readonly PostureLook[];
}

function newCounter(): Counter {
  return { value: 0, parts: new Map(), records: [], partRecords: new Map(), times: [] };
}

const containing: ReadonlySet<string> = new Set(
  Object.values(actions).flatMap((action) => ('contains' in action && action.contains ? [action.name] : [])),
);

/**
 * Counts records of a period, those of a chain in order, each at most once. It holds the numbers, the open incidents and questions, and what was found at
 * workloads, but never the records. For an incident or a question that began before the first record, no time to containment or decision is measured.
 */
export class Measures {
  readonly #counters = new Map<MeasureId, Counter>();
  /** Of incidents in which nothing was contained yet: when they became as bad as they are. */
  readonly #calledAt = new Map<string, number>();
  readonly #severities = new Map<string, Severity>();
  readonly #askedAt = new Map<string, number>();
  readonly #postures = new PostureTrend();
  readonly #step: TrendStep;

  /** `by`: the interval by which trends are counted. */
  constructor({ by = 'month' }: { readonly by?: TrendStep } = {}) {
    this.#step = by;
  }

  add(record: AuditRecord): void {
    const { kind, chain, body } = record;
    if (kind === 'incident.opened' || kind === 'alert.joined') this.#alerted(record);
    if (kind === 'incident.closed') for (const known of [this.#calledAt, this.#severities]) known.delete(chain);
    if (kind === 'question.asked' && isObject(body.question))
      this.#askedAt.set(`${chain} ${textOf(body.question.id)}`, Date.parse(record.at));
    if (kind === 'question.decided')
      this.#ended(record, { id: 'time-to-decide', since: this.#askedAt, key: `${chain} ${textOf(body.question)}` });
    if (kind === 'question.expired') this.#askedAt.delete(`${chain} ${textOf(body.question)}`);
    if (kind === 'step.applied') this.#applied(record, textOf(body.action));
    if (kind === 'posture.found') this.#looked(record);
    if (kind === 'incident.opened' && firstAlert(body)?.sensor === 'kubernetes-audit') this.#count('audit-incidents', record);
    for (const [id, ...parts] of countedBy(record)) this.#count(id, record, ...parts);
    const ofLaw = countedByLaw(record);
    if (ofLaw) this.#count(ofLaw, record);
  }

  /** A lower alert that opened the incident long before does not count: containment was called for when it became as bad as it is. */
  #alerted({ kind, chain, at, body }: AuditRecord): void {
    const known = this.#severities.get(chain);
    const counts = Array.isArray(body.counts) ? (body.counts as readonly unknown[]) : [];
    const worst = counts.reduce<Severity>((all, one) => {
      return isObject(one) && isSeverity(one.severity) ? worse(all, one.severity) : all;
    }, known ?? 'unknown');
    if (kind === 'incident.opened') this.#calledAt.set(chain, Date.parse(at));
    else if (worst !== known && this.#calledAt.has(chain)) this.#calledAt.set(chain, Date.parse(at));
    if (kind === 'incident.opened' || known !== undefined) this.#severities.set(chain, worst);
  }

  counted(): Counted {
    return { counters: this.#counters, looks: this.#postures.looks() };
  }

  /** Adds the counts of other chains, as if their records came now. */
  join({ counters, looks }: Counted): void {
    for (const [id, other] of counters) addTo(this.#counterOf(id), other);
    for (const look of looks) this.#postures.add(look, look.found);
  }

  /** Returns all measures, in the order of `measureIds`, including those with nothing counted. */
  all(): readonly Measure[] {
    const counters = new Map([...this.#counters, ...this.#changesOfPostures()]);
    return measureIds.map((id) => {
      const { value, parts, records, partRecords, times } = counters.get(id) ?? newCounter();
      const ofParts = isTrend(id) && { partRecords: Object.fromEntries([...partRecords].sort()) };
      const shared = { id, title: titles.get(id) ?? id, records, counted: value, ...ofParts };
      if (!isTime(id)) return { ...shared, unit: 'number', value, parts: Object.fromEntries([...parts].sort()) };
      const sorted = times.toSorted((a, b) => a - b);
      if (sorted.length === 0) return { ...shared, unit: 'seconds', value: null, parts: {} };
      const p50 = percentile(sorted, 0.5);
      return {
        ...shared,
        unit: 'seconds',
        value: p50,
        parts: { p50, p90: percentile(sorted, 0.9), longest: percentile(sorted, 1) },
      };
    });
  }

  #looked(record: AuditRecord): void {
    const posture = findingsIn(record.body.posture);
    // An unreadable posture is not counted.
    if (!posture) return;
    const { level, found } = posture;
    const when = trendPart(record.at, this.#step);
    this.#postures.add(record, found);
    this.#count('postures', record, `${when} ${textOf(level)}`);
    if (found.length === 0) return;
    this.#count('posture-findings', record, ...found);
    this.#count('posture-trend', record, ...found.map((id) => `${when} ${id}`));
  }

  #changesOfPostures(): readonly (readonly [MeasureId, Counter])[] {
    const [opened, gone] = [newCounter(), newCounter()];
    for (const change of this.#postures.changes()) {
      const when = trendPart(change.look.at, this.#step);
      for (const [counter, ids] of [[opened, change.opened] as const, [gone, change.gone] as const])
        if (ids.length > 0)
          count(
            counter,
            change.look,
            ids.map((id) => `${when} ${id}`),
          );
    }
    return [
      ['posture-opened', opened],
      ['posture-gone', gone],
    ];
  }

  #applied(record: AuditRecord, action: string): void {
    const { output } = record.body;
    if (isObject(output) && isObject(output.evidence)) this.#count('evidence-kept', record, action);
    if (action === 'openTicket') this.#count('tickets', record);
    if (action === 'verifyImage')
      this.#count('image-signatures', record, textOf(isObject(output) ? output.signature : undefined));
    if (!containing.has(action)) return;
    this.#count('containments', record, action);
    this.#ended(record, { id: 'time-to-contain', since: this.#calledAt, key: record.chain });
  }

  #ended(
    record: AuditRecord,
    { id, since, key }: { readonly id: MeasureId; readonly since: Map<string, number>; readonly key: string },
  ): void {
    const from = since.get(key);
    if (from === undefined) return;
    since.delete(key);
    this.#count(id, record);
    this.#counters.get(id)?.times.push(Math.max(0, Date.parse(record.at) - from) / 1_000);
  }

  #count(id: MeasureId, record: AuditRecord, ...parts: readonly string[]): void {
    count(this.#counterOf(id), record, parts);
  }

  #counterOf(id: MeasureId): Counter {
    const counter = this.#counters.get(id) ?? newCounter();
    this.#counters.set(id, counter);
    return counter;
  }
}

function addTo(counter: Counter, { value, parts, records, partRecords, times }: Readonly<Counter>): void {
  counter.value += value;
  for (const [part, of] of parts) counter.parts.set(part, (counter.parts.get(part) ?? 0) + of);
  counter.records.push(...records.slice(0, mostRefs - counter.records.length));
  for (const [part, refs] of partRecords) {
    const known = counter.partRecords.get(part) ?? [];
    known.push(...refs.slice(0, mostPartRefs - known.length));
    counter.partRecords.set(part, known);
  }
  counter.times.push(...times);
}

function count(counter: Counter, { chain, number }: RecordRef, parts: readonly string[]): void {
  counter.value += 1;
  if (counter.records.length < mostRefs) counter.records.push({ chain, number });
  for (const part of parts) {
    counter.parts.set(part, (counter.parts.get(part) ?? 0) + 1);
    const refs = counter.partRecords.get(part) ?? [];
    if (refs.length === 0) counter.partRecords.set(part, refs);
    if (refs.length < mostPartRefs) refs.push({ chain, number });
  }
}

/** Returns the measure and law that a record counts for; undefined if it names no law. */
function countedByLaw({ kind, body }: AuditRecord): LawMeasureId | undefined {
  if (kind === 'deadline.called') {
    const regime = regimes.find((one) => one === body.regime);
    const stage = stages.find((one) => one === body.stage);
    return regime && stage && `${regime}-${stage}-called`;
  }
  const order = kind === 'deadline.started' || kind === 'deadline.sent' ? deadlineOrderIn(body.order) : undefined;
  if (order?.kind === 'deadline.start') return `${order.regime}-due`;
  return order?.kind === 'deadline.sent' ? `${order.regime}-${order.stage}-sent` : undefined;
}

/** Returns the measures that one record counts for by itself, and the parts of each. */
function countedBy({ kind, body, actor }: AuditRecord): readonly (readonly [id: MeasureId, ...parts: readonly string[]])[] {
  const known = byKind[kind];
  if (known) return [known.part ? [known.id, known.part(body, actor)] : [known.id]];
  if (strangers.has(kind)) return [['strangers', kind.replace('.refused', '')]];
  const [noun = '', what = ''] = kind.split('.');
  const decision = decisions[noun];
  return decision ? [[decision, what]] : [];
}

const byKind: Readonly<
  Record<string, { readonly id: MeasureId; readonly part?: (body: AuditRecord['body'], actor: string) => string }>
> = {
  'incident.opened': { id: 'incidents-opened', part: severityIn },
  'incident.closed': { id: 'incidents-closed', part: ({ verdict }) => textOf(verdict) },
  'incident.exported': { id: 'exports' },
  'console.exported': { id: 'exports' },
  'records.cut': { id: 'records-cut', part: ({ cut }) => textOf(isObject(cut) ? cut.class : undefined) },
  'deadline.started': { id: 'notifications-due', part: ({ order }) => regimeIn(order) },
  'deadline.sent': { id: 'notifications-sent', part: ({ order }) => stageIn(order) },
  'deadline.called': { id: 'notifications-called', part: ({ regime, stage }) => `${textOf(regime)} ${textOf(stage)}` },
  'alert.joined': { id: 'alerts-joined' },
  'alert.suppressed': { id: 'alerts-hidden' },
  'playbook.started': { id: 'playbooks-run', part: (_, actor) => actor.replace(/^playbook\//, '') },
  'playbook.failed': { id: 'playbooks-failed', part: ({ code }) => textOf(code) },
  'step.checked': {
    id: 'containments-proven',
    part: ({ verification }) => textOf(isObject(verification) ? verification.state : undefined),
  },
  'step.failed': { id: 'steps-failed', part: ({ code }) => textOf(code) },
  'effect.checked': {
    id: 'effects-checked',
    part: ({ effect }) => (isObject(effect) ? textOf(effect.outcome) : 'not-looked-at'),
  },
  'containment.changed': { id: 'containments-changed' },
  'containment.gone': { id: 'containments-changed' },
  'evidence.read': { id: 'evidence-read' },
  'evidence.destroyed': { id: 'evidence-destroyed' },
  'question.asked': { id: 'questions-asked' },
  'question.decided': { id: 'questions-decided' },
  'question.expired': { id: 'questions-silent' },
  'question.escalated': { id: 'escalations' },
  'vote.accepted': { id: 'votes-accepted', part: (_, actor) => actor.replace(/^person\//, '') },
  'vote.refused': { id: 'votes-refused' },
  'page.sent': { id: 'pages', part: ({ group }) => textOf(group) },
  'lease.released': { id: 'releases' },
};

const strangers: ReadonlySet<string> = new Set(['click.refused', 'command.refused', 'door.refused', 'message.refused']);

const decisions: Readonly<Record<string, MeasureId>> = {
  restraint: 'restraints',
  suppression: 'suppressions',
  promotion: 'promotions',
};

/** Measures from records that desks make for no particular cluster: a report of one cluster does not count them. */
const deskMeasures: ReadonlySet<MeasureId> = new Set<MeasureId>([
  ...(['exports', 'records-cut', 'strangers', 'notifications-called'] as const),
  ...regimes.flatMap((regime) => stages.map((stage) => `${regime}-${stage}-called` as const)),
]);

/** Returns whether records of desks contribute to a measure. */
export function isOfDesks(id: MeasureId): boolean {
  return deskMeasures.has(id);
}

/** Kinds of records that measures are computed from. */
export const measuredKinds: readonly string[] = [
  ...Object.keys(byKind),
  ...strangers,
  'step.applied',
  'posture.found',
  ...Object.keys(decisions).flatMap((noun) =>
    ['proposed', 'begun', 'rejected', 'ended', 'expired', 'lapsed'].map((what) => `${noun}.${what}`),
  ),
];

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'unknown';
}

function regimeIn(signed: unknown): string {
  return deadlineOrderIn(signed)?.regime ?? 'unknown';
}

function stageIn(signed: unknown): string {
  const order = deadlineOrderIn(signed);
  return order?.kind === 'deadline.sent' ? `${order.regime} ${order.stage}` : 'unknown';
}

function isTime(id: MeasureId): boolean {
  return id === 'time-to-contain' || id === 'time-to-decide';
}

function severityIn(body: AuditRecord['body']): string {
  return textOf(firstAlert(body)?.severity);
}

function firstAlert({ alerts }: AuditRecord['body']): Readonly<Record<string, unknown>> | undefined {
  const [first] = Array.isArray(alerts) ? (alerts as readonly unknown[]) : [];
  return isObject(first) ? first : undefined;
}
