import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import { type ChainHead, genesisHash, quoted } from './audit.ts';
import { type HeadsTree, headLeaf, headText } from './heads-tree.ts';
import { type InclusionProof, inclusionProof, merkleRoot } from './merkle.ts';

/**
 * What the notary states about all chains at a point in time. Checkpoints form a chain of their own. A later one covers every chain that an earlier one named,
 * so a deleted chain is noticed.
 */
export interface Checkpoint {
  readonly version: 1;
  /** From 1, without a gap. */
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `checkpointDigest` of the previous one, with its signature; 64 zeros for the first. */
  readonly previous: string;
  /** Heads that have moved since the previous checkpoint, by chain. */
  readonly moved: readonly ChainHead[];
  /** The number of chains, and the root of the tree over all their heads, moved or not. */
  readonly chains: number;
  readonly allHeads: string;
}

/** The signed part of a checkpoint: only the roots of the trees of heads, so that one incident can be proven to somebody who must not learn of any other. */
interface CheckpointHeader extends Omit<Checkpoint, 'moved'> {
  /** The root of the tree over the heads that have moved, and their number. */
  readonly moved: string;
  readonly movedCount: number;
}

export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly keyId: string;
  /** Ed25519 over `checkpointBytes(checkpoint)`, base64. */
  readonly signature: string;
}

/** Stores its digest in itself, once requested: in a WeakMap, half a million of them lived on until a full garbage collection. */
class ReadCheckpoint implements SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly keyId: string;
  readonly signature: string;
  #digest: string | undefined;

  constructor({ checkpoint, keyId, signature }: SignedCheckpoint, digest?: string) {
    this.checkpoint = checkpoint;
    this.keyId = keyId;
    this.signature = signature;
    this.#digest = digest;
  }

  static digestOf(signed: SignedCheckpoint): string {
    if (!(#digest in signed)) return digestOf(signed);
    signed.#digest ??= digestOf(signed);
    return signed.#digest;
  }
}

/** Milliseconds between the notary's signatures if nothing moves: continued signing shows that nobody went back to an older state. */
export const heartbeatMs = 15 * 60_000;

/** A newest checkpoint older than this shows that the notary is not running, or that database and log were both rolled back. */
export const staleAfterMs = heartbeatMs + 5 * 60_000;

export function headerOf(checkpoint: Checkpoint): CheckpointHeader {
  const { version, number, at, previous, moved, chains, allHeads } = checkpoint;
  return { version, number, at, previous, moved: merkleRoot(moved.map(headLeaf)), movedCount: moved.length, chains, allHeads };
}

/** The bytes that are signed. */
export function checkpointBytes(checkpoint: Checkpoint): Uint8Array {
  return new TextEncoder().encode(`firebreak.checkpoint.v1\n${headerText(checkpoint)}`);
}

/** Covers the signature, too: proving the last of some checkpoints proves those before it. Checking a signature takes as long as computing 50 hashes. */
export function checkpointDigest(signed: SignedCheckpoint): string {
  return ReadCheckpoint.digestOf(signed);
}

function digestOf({ checkpoint, keyId, signature }: SignedCheckpoint): string {
  const by = `"keyId":${quoted(keyId)},"signature":${quoted(signature)}`;
  return sha256Hex(`{"header":${headerText(checkpoint)},${by}}`);
}

/** Returns a checkpoint that another thread has parsed and whose digest it has computed. */
export function checkpointWithDigest(text: string, digest: string): SignedCheckpoint {
  return new ReadCheckpoint(JSON.parse(text), digest);
}

/** The canonical JSON of its header, assembled by hand: this runs for each of the half a million checkpoints in a year. */
function headerText(checkpoint: Checkpoint): string {
  const { version, number, at, previous, moved, movedCount, chains, allHeads } = headerOf(checkpoint);
  const first = `"allHeads":${quoted(allHeads)},"at":${quoted(at)},"chains":${chains},"moved":"${moved}","movedCount":${movedCount}`;
  return `{${first},"number":${number},"previous":${quoted(previous)},"version":${version}}`;
}

/** The canonical JSON of a signed checkpoint, as stored in the database. */
export function checkpointText({ checkpoint, keyId, signature }: SignedCheckpoint): string {
  const { version, number, at, previous, moved, chains, allHeads } = checkpoint;
  const first = `"allHeads":${quoted(allHeads)},"at":${quoted(at)},"chains":${chains},"moved":[${moved.map(headText).join(',')}]`;
  const stated = `{${first},"number":${number},"previous":${quoted(previous)},"version":${version}}`;
  return `{"checkpoint":${stated},"keyId":${quoted(keyId)},"signature":${quoted(signature)}}`;
}

/** Returns the proof that a chain's head is among these, which are the leaves of a tree in this order; undefined if it is not. */
export function headProof(heads: readonly ChainHead[], chain: string): InclusionProof | undefined {
  const index = heads.findIndex((head) => head.chain === chain);
  return index === -1 ? undefined : inclusionProof(heads.map(headLeaf), index);
}

/**
 * Compares all heads that the store shows, some at a time, with the stated ones. What was stated stays stated: a head that went back, changed in place or
 * vanished is put into `retracted`, as it was stated, for an alarm; all others move on.
 */
export class HeadsComparison {
  readonly #stated: HeadsTree;
  /** By place. */
  readonly #isShown: Uint8Array;
  readonly #moved: ChainHead[] = [];
  readonly #retracted: ChainHead[] = [];

  constructor(stated: HeadsTree) {
    this.#stated = stated;
    this.#isShown = new Uint8Array(stated.size);
  }

  add(shown: readonly ChainHead[]): void {
    for (const head of shown) {
      const place = this.#stated.placeOf(head.chain);
      const before = place === undefined ? undefined : this.#stated.values()[place];
      if (place !== undefined) this.#isShown[place] = 1;
      if (!before || head.number > before.number) this.#moved.push(head);
      else if (head.number < before.number || head.hash !== before.hash) this.#retracted.push(before);
    }
  }

  finish(): { readonly moved: readonly ChainHead[]; readonly retracted: readonly ChainHead[] } {
    const gone = this.#stated.values().filter((_, place) => this.#isShown[place] !== 1);
    return { moved: this.#moved, retracted: [...this.#retracted, ...gone] };
  }
}

/** Does not change `stated`: set what has moved once the checkpoint is signed. */
export function nextCheckpoint({
  last,
  stated,
  moved,
  at,
}: {
  readonly last: SignedCheckpoint | undefined;
  readonly stated: HeadsTree;
  readonly moved: readonly ChainHead[];
  readonly at: string;
}): Checkpoint {
  const named = byChain(moved);
  const added = named.filter(({ chain }) => !stated.get(chain));
  return {
    version: 1,
    number: (last?.checkpoint.number ?? 0) + 1,
    at,
    previous: last ? checkpointDigest(last) : genesisHash,
    moved: named,
    chains: stated.size + added.length,
    allHeads: moved.length === 0 && last ? last.checkpoint.allHeads : stated.rootWith(named),
  };
}

function byChain(heads: readonly ChainHead[]): readonly ChainHead[] {
  return [...heads].sort((a, b) => (a.chain < b.chain ? -1 : a.chain > b.chain ? 1 : 0));
}

/** Parses `checkpointText`; undefined if it cannot be read. */
export function parseCheckpoint(text: string): SignedCheckpoint | undefined {
  try {
    return asSignedCheckpoint(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Reads parsed JSON as a signed checkpoint; undefined for any other shape. Whether it is genuine, the signature shows. */
export function asSignedCheckpoint(value: unknown): SignedCheckpoint | undefined {
  return isSignedCheckpoint(value) ? new ReadCheckpoint(value) : undefined;
}

function isSignedCheckpoint(value: unknown): value is SignedCheckpoint {
  if (!isObject(value) || !hasOnly(value, 3)) return false;
  return typeof value.keyId === 'string' && typeof value.signature === 'string' && isCheckpoint(value.checkpoint);
}

function isCheckpoint(value: unknown): value is Checkpoint {
  if (!isObject(value) || !hasOnly(value, 7) || value.version !== 1 || !Array.isArray(value.moved)) return false;
  const { number, chains, at, previous, allHeads, moved } = value;
  return (
    [number, chains].every(Number.isSafeInteger) &&
    [at, previous, allHeads].every((text) => typeof text === 'string') &&
    moved.every(isHead)
  );
}

function isHead(value: unknown): value is ChainHead {
  if (!isObject(value) || !hasOnly(value, 3)) return false;
  return typeof value.chain === 'string' && Number.isSafeInteger(value.number) && typeof value.hash === 'string';
}

/** No unknown fields: what is not signed would be ignored by every reader, and reported by none. */
function hasOnly(value: object, fields: number): boolean {
  return Object.keys(value).length === fields;
}
