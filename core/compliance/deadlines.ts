import { type AuditRecord, originOf } from '../audit/audit.ts';
import { isOrderOf, type VoteSigners } from '../audit/audit-decisions.ts';
import type { IncidentRef } from '../incident/incident.ts';
import {
  type DeadlineOrder,
  deadlineOrderDone,
  deadlineOrderIn,
  type MeasureAvailable,
  type NotificationSent,
  type StartDeadlines,
} from '../orders/deadline-order.ts';
import { type CountedFrom, dueAt, type Entity, type NotificationStage, type Regime, rules, stages } from './notification.ts';

/** One run of an incident that must be notified under one law, according to the records. */
export interface IncidentDeadlines {
  /** The record of its first start, `CHAIN#NUMBER`: a new start after a stop has a new id. */
  readonly id: string;
  readonly cluster: string;
  readonly incident: IncidentRef;
  readonly regime: Regime;
  /** The earliest moment that anybody has named: milliseconds since 1970. */
  readonly awareAt: number;
  readonly startedBy: readonly string[];
  /** When a corrective or mitigating measure became available. */
  readonly measureAt?: number;
  readonly reason: string;
  readonly stages: readonly StageDeadline[];
  readonly stopped?: { readonly by: string; readonly at: string; readonly reason: string };
}

interface StageDeadline {
  readonly stage: NotificationStage;
  readonly title: string;
  /** Milliseconds since 1970; absent: not known yet. */
  readonly dueAt?: number;
  readonly sent?: { readonly by: string; readonly at: number; readonly reference: string };
}

/** The records that deadlines are computed from. */
export const deadlineKinds: readonly string[] = Object.values(deadlineOrderDone);

interface Open {
  readonly id: string;
  readonly starts: readonly StartDeadlines[];
  readonly sent: ReadonlyMap<NotificationStage, NotificationSent>;
  readonly measure?: MeasureAvailable;
  readonly stopped?: IncidentDeadlines['stopped'];
}

/**
 * Returns the deadlines. A start counts as soon as a cell has it on record; what silences calls (sent, stopped), and the moment that is counted from, only
 * count with the person's signature. So nobody who could forge a cell's record can keep people from being called. Nobody stops what they have started; the
 * earliest of several moments counts.
 * @param records proven ones of all chains, by time
 */
export function deadlinesIn(records: Iterable<AuditRecord>, signers: VoteSigners, entity: Entity): readonly IncidentDeadlines[] {
  const known = new Map<string, readonly Open[]>();
  for (const record of records) {
    const order = deadlineOrderIn(record.body.order);
    if (!order || record.kind !== deadlineOrderDone[order.kind]) continue;
    const origin = originOf(record.chain);
    if (origin?.role !== 'cell' || origin.cluster !== order.cluster) continue;
    if (order.kind !== 'deadline.start' && !isOrderOf(record, signers)) continue;
    const key = JSON.stringify([order.incident, order.run, order.regime]);
    const all = known.get(key) ?? [];
    const last = all.at(-1);
    const open = last && !last.stopped ? last : undefined;
    const next = changed(open, order, `${record.chain}#${record.number}`);
    if (next) known.set(key, open ? [...all.slice(0, -1), next] : [...all, next]);
  }
  return [...known.values()].flat().flatMap((open) => deadlinesOf(open, entity));
}

function changed(open: Open | undefined, order: DeadlineOrder, id: string): Open | undefined {
  if (order.kind === 'deadline.start') return open ? { ...open, starts: [...open.starts, order] } : begun(order, id);
  if (!open) return undefined;
  switch (order.kind) {
    case 'deadline.sent':
      return open.sent.has(order.stage) ? open : { ...open, sent: new Map([...open.sent, [order.stage, order]]) };
    case 'deadline.measure':
      return isEarlier(order, open.measure) ? { ...open, measure: order } : open;
    case 'deadline.stop': {
      const { person, at, reason } = order;
      return open.starts.some((start) => start.person === person) ? open : { ...open, stopped: { by: person, at, reason } };
    }
  }
}

function begun(order: StartDeadlines, id: string): Open {
  return { id, starts: [order], sent: new Map() };
}

function isEarlier({ availableAt }: MeasureAvailable, known: MeasureAvailable | undefined): boolean {
  return known === undefined || Date.parse(availableAt) < Date.parse(known.availableAt);
}

function deadlinesOf({ id, starts, sent, measure, stopped }: Open, entity: Entity): IncidentDeadlines | readonly [] {
  const [first] = starts;
  if (!first) return [];
  const { cluster, incident, run, regime, reason } = first;
  const awareAt = Math.min(...starts.map((start) => Date.parse(start.awareAt)));
  const notified = sent.get('notification');
  const from: CountedFrom = {
    entity,
    awareAt,
    notifiedAt: notified && Date.parse(notified.sentAt),
    measureAt: measure && Date.parse(measure.availableAt),
  };
  return {
    ...{ id, cluster, incident: { id: incident, run }, regime, awareAt, reason },
    startedBy: [...new Set(starts.map(({ person }) => person))],
    ...(from.measureAt !== undefined && { measureAt: from.measureAt }),
    stages: stages.map((stage): StageDeadline => {
      const due = dueAt(regime, stage, from);
      const order = sent.get(stage);
      return {
        stage,
        title: rules[regime][stage].title,
        ...(due !== undefined && { dueAt: due }),
        ...(order && { sent: { by: order.person, at: Date.parse(order.sentAt), reference: order.reference } }),
      };
    }),
    ...(stopped && { stopped }),
  };
}

/** Returns the moment that a draft is counted from. */
export function clockOf(
  { awareAt, startedBy, measureAt, stages: all }: IncidentDeadlines,
  nameOf: (id: string) => string,
): Omit<CountedFrom, 'entity'> & { readonly by: string } {
  const notified = all.find(({ stage }) => stage === 'notification')?.sent?.at;
  return { awareAt, by: startedBy.map(nameOf).join(' and '), notifiedAt: notified, measureAt };
}

/** A call to people because a notification that is due soon has not been sent. */
export interface DeadlineCall {
  readonly deadlines: IncidentDeadlines;
  readonly stage: StageDeadline & { readonly dueAt: number };
  /** Milliseconds before the deadline; 0: it has passed. */
  readonly before: number;
  /** The same for the same call, whoever computes it. */
  readonly key: string;
}

/** A deadline that passed longer ago is no news: it is counted, but nobody is called. So it does not matter if the record of the call is no longer kept. */
const newsForMs = 7 * 86_400_000;

/** Returns, for each notification that was not sent, the most pressing call that is due: missed calls are not made one after another. */
export function callsDue(all: readonly IncidentDeadlines[], now: number, befores: readonly number[]): readonly DeadlineCall[] {
  return all.flatMap((deadlines) => {
    if (deadlines.stopped) return [];
    return deadlines.stages.flatMap((stage): readonly DeadlineCall[] => {
      const { dueAt: due, sent } = stage;
      if (due === undefined || sent || now >= due + newsForMs) return [];
      const before = [...befores, 0].filter((one) => now >= due - one).sort((a, b) => a - b)[0];
      if (before === undefined) return [];
      return [{ deadlines, stage: { ...stage, dueAt: due }, before, key: callKey(deadlines, stage, before) }];
    });
  });
}

/** If the moment that is counted from changes, the calls get new keys. */
function callKey({ id }: IncidentDeadlines, { stage, dueAt: due }: StageDeadline, before: number): string {
  return `deadline/${id}/${stage}/${due}/${before}`;
}

/** Returns whether a stage's deadline passed without it being sent. */
export function isMissed({ stopped }: IncidentDeadlines, { dueAt: due, sent }: StageDeadline, now: number): boolean {
  return !stopped && !sent && due !== undefined && now >= due;
}

/** Returns one line a stage, for people, using `nameOf` for names. Times are ISO 8601. */
export function deadlineLines(deadlines: IncidentDeadlines, now: number, nameOf: (id: string) => string): readonly string[] {
  const { awareAt, stages: all, stopped, startedBy, regime } = deadlines;
  if (stopped) return [`${regime}: no notification needed, by ${nameOf(stopped.by)} ${stopped.at}: ${stopped.reason}`];
  return all.map((stage) => {
    const { title, dueAt: due, sent } = stage;
    const since = `known since ${iso(awareAt)}, by ${startedBy.map(nameOf).join(' and ')}`;
    if (sent) {
      const late = due !== undefined && sent.at > due ? `, after the deadline at ${iso(due)}` : '';
      return `${title}: sent ${iso(sent.at)} by ${nameOf(sent.by)}, reference ${sent.reference}${late}`;
    }
    if (due === undefined) return `${title}: the due date is not known yet: 14 days after a measure is available`;
    return `${title}: ${now >= due ? 'OVERDUE since' : 'due'} ${iso(due)} (${since})`;
  });
}

/** Returns the command that writes the draft of a notification. */
export function draftCommand(
  { incident, regime }: Pick<IncidentDeadlines, 'incident' | 'regime'>,
  stage: NotificationStage,
): string {
  return `firebreak report notification ${incident.id} --run ${incident.run} --regime ${regime} --stage ${stage}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
