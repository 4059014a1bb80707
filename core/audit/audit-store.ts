import type { AuditRecord, AuditWriter, ChainHead, SignedRecord } from './audit.ts';
import type { SignedCheckpoint } from './checkpoint.ts';

/** A record's row as it lies in the store. */
export interface StoredRecord {
  readonly chain: string;
  /** Where it stands in its chain, from 1: the order in which the store took them. Its maker's number is in the record. */
  readonly place: number;
  readonly previous: string;
  readonly hash: string;
  /** Absent when the row does not hold a record as this program writes it: somebody else wrote there. */
  readonly signed?: SignedRecord;
}

/** Of a row what shows whose record it is. */
export type RecordProof = Pick<StoredRecord, 'chain' | 'place' | 'signed'>;

/** Whether somebody asks for what a record says, and not only for the proof of others. */
export type BodyWanted = (record: Pick<AuditRecord, 'kind' | 'at'>) => boolean;

/** All rows of one chain, by place, and its head, read at one moment. */
export interface StoredChain {
  readonly records: readonly StoredRecord[];
  readonly head?: ChainHead;
}

/** A checkpoint's row; `signed` is absent when it cannot be read as one. */
export interface StoredCheckpoint {
  readonly number: number;
  /** As it stands there. */
  readonly text: string;
  readonly signed?: SignedCheckpoint;
}

interface KindsAsked {
  readonly kinds: readonly string[];
  readonly since: string;
  readonly until?: string;
}

export interface AuditStore extends AuditWriter {
  /** The chains whose names begin in one of these ways and that have records or a head. All names are looked through, and no others are kept. */
  chains(prefixes: readonly string[]): Promise<readonly string[]>;
  /** Of these kinds, in all chains, from `since` and before `until` (ISO 8601, UTC), as the rows say it; by time, and some at once. Go by what is proven of them: `takeProven`. */
  eachOfKinds(asked: KindsAsked): AsyncIterable<readonly StoredRecord[]>;
  /** The heads of all chains, some at a time, all as of one moment. */
  eachHead(take: (heads: readonly ChainHead[]) => void): Promise<void>;
  /** By chain as the database orders them, at most 500 at once, those after `after`. `head` is absent where the row is none of ours. */
  headsAfter(after?: string): Promise<readonly { readonly chain: string; readonly head?: ChainHead }[]>;
  /** The place up to which a chain's rows were deleted by `cut`, of those of which some were. For who looks what is left to do: it proves nothing. */
  cutPlaces(): Promise<ReadonlyMap<string, number>>;
  /** Deletes the rows of a chain up to this place, with all that is kept beside them. Only what a proven cut names: see `carryOutCuts`. */
  cut(upTo: { readonly chain: string; readonly place: number }): Promise<void>;
  /** Takes what it says from the row at this place, and keeps the hash of that; with what was made of it beside the records. Only by a proven removal: see `carryOutRemovals`. */
  removeContent(of: {
    readonly chain: string;
    readonly place: number;
    readonly number: number;
    readonly content: string;
  }): Promise<void>;
  storedChain(chain: string): Promise<StoredChain>;
  /** Of a chain of any length: its rows by place, some at a time, and then its head, all as of one moment. `upTo`: those behind that place are left out. */
  eachOfChain(chain: string, take: (rows: readonly StoredRecord[]) => void, upTo?: number): Promise<ChainHead | undefined>;
  /** Of a chain of any length: the rows that have one of these numbers, by place, some at a time. There is one of each, but where somebody wrote there. */
  numbered(chain: string, numbers: readonly number[]): AsyncIterable<readonly StoredRecord[]>;
  /** The chains that have records of these kinds in that time, as the rows say it. */
  chainsWith(asked: {
    readonly kinds: readonly string[];
    readonly since: string;
    readonly until: string;
  }): Promise<readonly string[]>;
  /**
   * Rows of all chains, or of those behind one and up to another, in the order of `headsAfter`, a part at a time: those of a chain together and by place. Chains that grow meanwhile may
   * show it. Bodies as in `proofsOf`.
   */
  eachRow(
    isWanted: BodyWanted,
    chains?: { readonly after?: string | undefined; readonly upTo?: string | undefined },
  ): AsyncIterable<readonly StoredRecord[]>;
  /** The same of some chains, as they are asked for. Who is not `isWanted` has an empty body: it is there as a proof of others. */
  proofsOf(chains: readonly string[], isWanted: BodyWanted): AsyncIterable<readonly RecordProof[]>;
  recordAt(where: Pick<StoredRecord, 'chain' | 'place'>): Promise<StoredRecord | undefined>;
  /**
   * What stands under its number and is not genuine gives way, since it would keep every later checkpoint out: true where something did.
   * @throws FB_ERR_CONFLICT when the number is taken by a genuine one.
   */
  addCheckpoint(signed: SignedCheckpoint, isGenuine: (stored: SignedCheckpoint) => boolean): Promise<boolean>;
  /** By number, those after `after`: at most 500 at once, or all up to `upTo`. */
  checkpoints(options: { readonly after: number; readonly upTo?: number | undefined }): Promise<readonly StoredCheckpoint[]>;
  /** The numbers behind `after` at which a share of so many checkpoints ends: for who reads several side by side. */
  checkpointShares(options: { readonly after: number; readonly each: number }): Promise<readonly number[]>;
}
