import type { StoredRecord } from '../audit/audit-store.ts';

/** State of a stream, as every desk and the command line see it. */
export interface StreamState {
  readonly name: string;
  /** ISO 8601, UTC, like all times here. */
  readonly begunAt: string;
  /** The desk that sends, and until when no other desk may; empty if none has sent yet. */
  readonly holder: string;
  readonly heldUntil: string;
  /** Absent: never. */
  readonly deliveredAt?: string;
  /** Since when deliveries have failed, and why. */
  readonly failing?: { readonly since: string; readonly reason: string };
}

/** What is not delivered yet. */
export interface StreamLag {
  readonly records: number;
  readonly chains: number;
  /** When the oldest of these records was made. */
  readonly oldestAt?: string;
}

/** A chain with records to deliver: those after one place, up to another. */
export interface StreamGap {
  readonly chain: string;
  readonly after: number;
  readonly upTo: number;
  /** When it last grew, by the database's time. */
  readonly grownAt: string;
}

/** The records to be delivered: which there are, and how far each stream has come. */
export interface StreamFeed {
  /** Registers a stream. Its start is set the first time only: all existing records, or only new ones. */
  begin(name: string, from: 'beginning' | 'now'): Promise<void>;
  /** Returns true if this desk sends from now on, for `heldMs`; false while another desk does. */
  claim(name: string, holder: string, heldMs: number): Promise<boolean>;
  /** Lets other desks send at once. */
  release(name: string, holder: string): Promise<void>;
  /** Chains with records to deliver, those that grew first first: all of them, or those that grew since a time. */
  behind(name: string, options: { readonly grownSince?: string; readonly most: number }): Promise<readonly StreamGap[]>;
  /** The rows of several chains, between two places of each; the rows of each chain are in order. */
  rowsOf(gaps: readonly Omit<StreamGap, 'grownAt'>[]): Promise<ReadonlyMap<string, readonly StoredRecord[]>>;
  /** The rows of one chain, in order, at most `most`, even if places between them are missing. */
  rows(gap: Omit<StreamGap, 'grownAt'>, most: number): Promise<readonly StoredRecord[]>;
  /** Marks these as delivered. Returns false and stores nothing if another desk sends by now. */
  delivered(name: string, holder: string, upTo: readonly { readonly chain: string; readonly place: number }[]): Promise<boolean>;
  /** Records that nothing could be delivered. */
  failed(name: string, reason: string): Promise<void>;
  state(name: string): Promise<StreamState | undefined>;
  lag(name: string): Promise<StreamLag>;
}
