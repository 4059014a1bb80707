import { canonicalJson, sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { Order } from './order.ts';

/** The records to keep: of one incident (of a workload, a node or the cluster), of one run of it, or all of a cluster within a period. */
export type HoldScope =
  | { readonly kind: 'incident'; readonly incident: string; readonly run?: string }
  /** ISO 8601, UTC. */
  | { readonly kind: 'time'; readonly from: string; readonly until: string };

/** Protects records from every cut, until two people have ordered its end. */
export interface HoldRecords extends Order {
  readonly kind: 'records.hold';
  readonly cluster: string;
  /** 16 hex digits, drawn by the person who orders. */
  readonly hold: string;
  readonly scope: HoldScope;
  readonly reason: string;
}

/** One of the two orders that end a hold. */
export interface UnholdRecords extends Order {
  readonly kind: 'records.unhold';
  readonly cluster: string;
  readonly hold: string;
  readonly reason: string;
}

/** One of the two orders that remove the content of records: who did it, what it says, and the salt. Their position, time and kind remain. */
export interface RemoveContent extends Order {
  readonly kind: 'records.remove';
  readonly cluster: string;
  /** The same for everybody, for the same chain and numbers: `removalId`. */
  readonly removal: string;
  /** The chain of an incident of this cluster, or of a desk. */
  readonly chain: string;
  /** The numbers that their makers assigned, ascending. */
  readonly records: readonly number[];
  readonly reason: string;
}

export type RecordOrder = HoldRecords | UnholdRecords | RemoveContent;

/** 16 hex digits. */
export function removalId({ chain, records }: Pick<RemoveContent, 'chain' | 'records'>): string {
  return sha256Hex(canonicalJson({ chain, records })).slice(0, 16);
}

/** The kind of record that each order leaves. */
export const recordOrderDone = {
  'records.hold': 'records.held',
  'records.unhold': 'records.unheld',
  'records.remove': 'records.remove-ordered',
} as const;

/** Two people's orders end a hold, or remove the content of records, if the second comes within this many milliseconds after the first. */
export const secondWithinMs = 7 * 86_400_000;

export function holdScopeText(scope: HoldScope): string {
  if (scope.kind === 'time') return `everything from ${scope.from} to ${scope.until}`;
  return scope.run === undefined ? scope.incident : `${scope.incident}@${scope.run}`;
}

/** Reads the order in a record; undefined for any other shape. */
export function recordOrderIn(signed: unknown): RecordOrder | undefined {
  return isObject(signed) && isRecordOrder(signed.order) ? signed.order : undefined;
}

function isRecordOrder(value: unknown): value is RecordOrder {
  if (!isObject(value)) return false;
  const { kind, person, at, cluster, hold, reason, removal, chain, records } = value;
  if (![person, at, cluster, reason].every((text) => typeof text === 'string')) return false;
  if (kind === 'records.remove')
    return (
      [removal, chain].every((text) => typeof text === 'string') && Array.isArray(records) && records.every(Number.isSafeInteger)
    );
  if (typeof hold !== 'string') return false;
  return kind === 'records.unhold' || (kind === 'records.hold' && isScope(value.scope));
}

function isScope(value: unknown): value is HoldScope {
  if (!isObject(value)) return false;
  const { kind, incident, run, from, until } = value;
  if (kind === 'time') return typeof from === 'string' && typeof until === 'string';
  return kind === 'incident' && typeof incident === 'string' && (run === undefined || typeof run === 'string');
}
