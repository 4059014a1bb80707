import { canonicalJson, sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { Order } from './order.ts';

/** Which records are kept: of one incident (of a workload, a node or the cluster), of one run of it, or all of a cluster of some time. */
export type HoldScope =
  | { readonly kind: 'incident'; readonly incident: string; readonly run?: string }
  /** ISO 8601, UTC. */
  | { readonly kind: 'time'; readonly from: string; readonly until: string };

/** Keeps records from every cut, until two people have ordered the end of it. */
export interface HoldRecords extends Order {
  readonly kind: 'records.hold';
  readonly cluster: string;
  /** 16 hex digits, drawn by who orders. */
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

/** One of the two orders by which what records say is removed: who did it, what it says, and the salt. Where they stood, when, and of what kind they were stays. */
export interface RemoveContent extends Order {
  readonly kind: 'records.remove';
  readonly cluster: string;
  /** Of the same chain and numbers it is the same for everybody: `removalId`. */
  readonly removal: string;
  /** Of an incident of this cluster, or of a desk. */
  readonly chain: string;
  /** Their makers' own numbers, rising. */
  readonly records: readonly number[];
  readonly reason: string;
}

export type RecordOrder = HoldRecords | UnholdRecords | RemoveContent;

/** 16 hex digits. */
export function removalId({ chain, records }: Pick<RemoveContent, 'chain' | 'records'>): string {
  return sha256Hex(canonicalJson({ chain, records })).slice(0, 16);
}

/** What is on record of each. */
export const recordOrderDone = {
  'records.hold': 'records.held',
  'records.unhold': 'records.unheld',
  'records.remove': 'records.remove-ordered',
} as const;

/** Orders of two people end a hold, or remove what records say, where the second comes within so many milliseconds after the first. */
export const secondWithinMs = 7 * 86_400_000;

export function holdScopeText(scope: HoldScope): string {
  if (scope.kind === 'time') return `everything from ${scope.from} to ${scope.until}`;
  return scope.run === undefined ? scope.incident : `${scope.incident}@${scope.run}`;
}

/** Reads what a record holds; undefined for anything of another shape. */
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
