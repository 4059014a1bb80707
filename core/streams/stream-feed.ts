import type { StoredRecord } from '../audit/audit-store.ts';

/** How a stream stands, as every desk and the command line see it. */
export interface StreamState {
  readonly name: string;
  /** ISO 8601, UTC, as all times here. */
  readonly begunAt: string;
  /** Who sends, and until when no other desk does; empty where none did yet. */
  readonly holder: string;
  readonly heldUntil: string;
  /** Absent: never. */
  readonly deliveredAt?: string;
  /** Since when nothing was delivered that should have been, and why. */
  readonly failing?: { readonly since: string; readonly reason: string };
}

/** What is not delivered yet. */
export interface StreamLag {
  readonly records: number;
  readonly chains: number;
  /** When the oldest of it was made. */
  readonly oldestAt?: string;
}

/** A chain of which records are to come: those after one place, up to another. */
export interface StreamGap {
  readonly chain: string;
  readonly after: number;
  readonly upTo: number;
  /** When it grew last, as the database has it. */
  readonly grownAt: string;
}

/** The records on their way out: what there is, and how far each stream has come. */
export interface StreamFeed {
  /** Makes a stream known. Where it begins counts the first time only: with all records that there are, or with those that come. */
  begin(name: string, from: 'beginning' | 'now'): Promise<void>;
  /** True where this desk sends from now on, for so long; false while another one does. */
  claim(name: string, holder: string, heldMs: number): Promise<boolean>;
  /** Lets others send at once. */
  release(name: string, holder: string): Promise<void>;
  /** Chains with records to come, those that grew first before others: all of them, or those that grew since a time. */
  behind(name: string, options: { readonly grownSince?: string; readonly most: number }): Promise<readonly StreamGap[]>;
  /** Of several chains, those between two places of each; the rows of a chain stand in their order. */
  rowsOf(gaps: readonly Omit<StreamGap, 'grownAt'>[]): Promise<ReadonlyMap<string, readonly StoredRecord[]>>;
  /** Of one chain, in their order, `most` at most, also where places between them are missing. */
  rows(gap: Omit<StreamGap, 'grownAt'>, most: number): Promise<readonly StoredRecord[]>;
  /** These are delivered. False, and nothing is noted, where another desk sends by now. */
  delivered(name: string, holder: string, upTo: readonly { readonly chain: string; readonly place: number }[]): Promise<boolean>;
  /** Nothing could be delivered. */
  failed(name: string, reason: string): Promise<void>;
  state(name: string): Promise<StreamState | undefined>;
  lag(name: string): Promise<StreamLag>;
}
