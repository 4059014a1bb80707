import type { AuditRecord, AuditWriter, ChainHead, SignedRecord } from './audit.ts';
import type { SignedCheckpoint } from './checkpoint.ts';

/** A record's row as stored. */
export interface StoredRecord {
  readonly chain: string;
  /** Its position in the chain, from 1: the order in which the store accepted the rows. The maker's own number is in the record. */
  readonly place: number;
  readonly previous: string;
  readonly hash: string;
  /** Absent if the row does not hold a record as this program writes it: somebody else wrote there. */
  readonly signed?: SignedRecord;
}

/** The part of a row that proves whose record it is. */
export type RecordProof = Pick<StoredRecord, 'chain' | 'place' | 'signed'>;

/** Returns whether the content of a record is needed, and not only its proof of others. */
export type BodyWanted = (record: Pick<AuditRecord, 'kind' | 'at'>) => boolean;

/** All rows of one chain, by place, and its head, read at one moment. */
export interface StoredChain {
  readonly records: readonly StoredRecord[];
  readonly head?: ChainHead;
}

/** A checkpoint's row; `signed` is absent if it cannot be read as one. */
export interface StoredCheckpoint {
  readonly number: number;
  /** The stored text, unchanged. */
  readonly text: string;
  readonly signed?: SignedCheckpoint;
}

interface KindsAsked {
  readonly kinds: readonly string[];
  readonly since: string;
  readonly until?: string;
}

export interface AuditStore extends AuditWriter {
  /** Returns the chains whose names begin with one of these prefixes and that have records or a head. All names are scanned, but only these are kept. */
  chains(prefixes: readonly string[]): Promise<readonly string[]>;
  /**
   * Records of these kinds, in all chains, from `since` and before `until` (ISO 8601, UTC), according to the rows; by time, some at once. Only trust what is
   * proven of them: `takeProven`.
   */
  eachOfKinds(asked: KindsAsked): AsyncIterable<readonly StoredRecord[]>;
  /** Reads the heads of all chains, some at a time, all as of one moment. */
  eachHead(take: (heads: readonly ChainHead[]) => void): Promise<void>;
  /** Returns heads after `after`, by chain in the database's order, at most 500 at once. `head` is absent if the row is not one of ours. */
  headsAfter(after?: string): Promise<readonly { readonly chain: string; readonly head?: ChainHead }[]>;
  /** Returns the place up to which rows were deleted by `cut`, for each chain with deleted rows. Only for finding what is left to do: it proves nothing. */
  cutPlaces(): Promise<ReadonlyMap<string, number>>;
  /** Deletes the rows of a chain up to this place, with everything kept next to them. Only for what a proven cut names: see `carryOutCuts`. */
  cut(upTo: { readonly chain: string; readonly place: number }): Promise<void>;
  /**
   * Removes the content of the row at this place and keeps its hash, along with anything derived from it next to the records. Only by a proven removal: see
   * `carryOutRemovals`.
   */
  removeContent(of: {
    readonly chain: string;
    readonly place: number;
    readonly number: number;
    readonly content: string;
  }): Promise<void>;
  storedChain(chain: string): Promise<StoredChain>;
  /** Reads a chain of any length: its rows by place, some at a time, and then its head, all as of one moment. `upTo`: rows after that place are left out. */
  eachOfChain(chain: string, take: (rows: readonly StoredRecord[]) => void, upTo?: number): Promise<ChainHead | undefined>;
  /**
   * Returns the rows of a chain that have one of these numbers, by place, some at a time, for a chain of any length. There is one of each, unless somebody else
   * wrote there.
   */
  numbered(chain: string, numbers: readonly number[]): AsyncIterable<readonly StoredRecord[]>;
  /** Returns the chains that have records of these kinds in that time, according to the rows. */
  chainsWith(asked: {
    readonly kinds: readonly string[];
    readonly since: string;
    readonly until: string;
  }): Promise<readonly string[]>;
  /**
   * Returns rows of all chains, or of those after one and up to another, in the order of `headsAfter`, a part at a time: rows of a chain are together and by
   * place. Chains that grow meanwhile may show the new rows. Bodies as in `proofsOf`.
   */
  eachRow(
    isWanted: BodyWanted,
    chains?: { readonly after?: string | undefined; readonly upTo?: string | undefined },
  ): AsyncIterable<readonly StoredRecord[]>;
  /** The same for some chains, in the order asked. A record that is not `isWanted` has an empty body: it is only there as a proof of others. */
  proofsOf(chains: readonly string[], isWanted: BodyWanted): AsyncIterable<readonly RecordProof[]>;
  recordAt(where: Pick<StoredRecord, 'chain' | 'place'>): Promise<StoredRecord | undefined>;
  /**
   * A stored checkpoint with the same number that is not genuine is replaced, since it would block every later one. Returns true if one was.
   * @throws FB_ERR_CONFLICT when the number is taken by a genuine one.
   */
  addCheckpoint(signed: SignedCheckpoint, isGenuine: (stored: SignedCheckpoint) => boolean): Promise<boolean>;
  /** Returns checkpoints after `after`, by number: at most 500 at once, or all up to `upTo`. */
  checkpoints(options: { readonly after: number; readonly upTo?: number | undefined }): Promise<readonly StoredCheckpoint[]>;
  /** Returns the numbers after `after` at which each share of this many checkpoints ends: for reading several shares in parallel. */
  checkpointShares(options: { readonly after: number; readonly each: number }): Promise<readonly number[]>;
}
