import { type NotificationStage, type Regime, regimes, stages } from '../compliance/notification.ts';
import { isObject } from '../text/plain-json.ts';
import type { Order } from './order.ts';

/** Common fields of all orders about notification deadlines. */
interface AboutDeadlines extends Order {
  readonly cluster: string;
  /** The incident's id and its run. */
  readonly incident: string;
  readonly run: string;
  readonly regime: Regime;
}

interface WithReason extends AboutDeadlines {
  /** In the person's words, redacted. */
  readonly reason: string;
}

/** A person decides that an incident must be notified: the deadlines run from then on. */
export interface StartDeadlines extends WithReason {
  readonly kind: 'deadline.start';
  /** When the organisation became aware, as this person judges it. ISO 8601, UTC. */
  readonly awareAt: string;
}

/** A person has sent a notification to the authority: Firebreak sends none. */
export interface NotificationSent extends AboutDeadlines {
  readonly kind: 'deadline.sent';
  readonly stage: NotificationStage;
  /** ISO 8601, UTC. */
  readonly sentAt: string;
  /** The authority's reference for it. */
  readonly reference: string;
}

/** A corrective or mitigating measure is available; the deadline of the final report on a vulnerability counts from then. */
export interface MeasureAvailable extends WithReason {
  readonly kind: 'deadline.measure';
  readonly availableAt: string;
}

/** The incident does not have to be notified after all: nobody is paged for it any more. */
export interface StopDeadlines extends WithReason {
  readonly kind: 'deadline.stop';
}

export type DeadlineOrder = StartDeadlines | NotificationSent | MeasureAvailable | StopDeadlines;

/** The kind of record that each order leaves. */
export const deadlineOrderDone = {
  'deadline.start': 'deadline.started',
  'deadline.sent': 'deadline.sent',
  'deadline.measure': 'deadline.measured',
  'deadline.stop': 'deadline.stopped',
} as const;

export function isDeadlineOrder(order: Order): order is DeadlineOrder {
  return Object.hasOwn(deadlineOrderDone, order.kind);
}

/** What the order does, as text that follows the person's name. */
export function deadlineOrderText(order: DeadlineOrder): string {
  const about = `${order.incident}@${order.run} (${order.regime})`;
  switch (order.kind) {
    case 'deadline.start':
      return `finds that ${about} must be notified; known since ${order.awareAt}: ${order.reason}`;
    case 'deadline.sent':
      return `sent the ${order.stage} for ${about} at ${order.sentAt}, reference ${order.reference}`;
    case 'deadline.measure':
      return `reports that a measure has been available since ${order.availableAt} for ${about}: ${order.reason}`;
    case 'deadline.stop':
      return `finds that ${about} does not have to be notified: ${order.reason}`;
  }
}

/** Reads the order in a record; undefined for any other shape. */
export function deadlineOrderIn(signed: unknown): DeadlineOrder | undefined {
  return isObject(signed) && isReadable(signed.order) ? signed.order : undefined;
}

function isReadable(value: unknown): value is DeadlineOrder {
  if (!isObject(value)) return false;
  const { kind, person, at, cluster, incident, run, reason } = value;
  if (![person, cluster, incident, run].every((text) => typeof text === 'string')) return false;
  if (!isTime(at) || !regimes.some((one) => one === value.regime)) return false;
  if (kind === 'deadline.sent')
    return stages.some((one) => one === value.stage) && isTime(value.sentAt) && typeof value.reference === 'string';
  if (typeof reason !== 'string') return false;
  if (kind === 'deadline.start') return isTime(value.awareAt);
  return kind === 'deadline.stop' || (kind === 'deadline.measure' && isTime(value.availableAt));
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

/** An order without the fields that the signer adds. */
export type DeadlineDraft = DraftOf<DeadlineOrder>;
type DraftOf<Given> = Given extends DeadlineOrder ? Omit<Given, 'version' | 'person' | 'at' | 'cluster' | 'via'> : never;
