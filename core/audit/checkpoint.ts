import { canonicalJson, digestOf } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import { type ChainHead, genesisHash } from './audit.ts';
import { type InclusionProof, inclusionProof, type LeafHash, leafHash, merkleRoot } from './merkle.ts';

/**
 * What the notary states at a time about all chains. Checkpoints are a chain of their own. A later one names every chain that
 * an earlier one named, so a chain that is gone is missed.
 */
export interface Checkpoint {
  readonly version: 1;
  /** From 1, without a gap. */
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `checkpointDigest` of the one before; 64 zeros for the first. */
  readonly previous: string;
  /** Heads that have moved since the one before, by chain. */
  readonly moved: readonly ChainHead[];
  /** How many chains there are, and the root of the tree over the heads of all of them, moved or not. */
  readonly chains: number;
  readonly allHeads: string;
}

/** What is signed of a checkpoint: of the heads only the roots of their trees, so that one incident can be proven to somebody who may know of no other. */
interface CheckpointHeader extends Omit<Checkpoint, 'moved'> {
  /** The root of the tree over the heads that have moved, and how many these are. */
  readonly moved: string;
  readonly movedCount: number;
}

export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly keyId: string;
  /** Ed25519 over `checkpointBytes(checkpoint)`, base64. */
  readonly signature: string;
}

/** How often the notary signs where nothing moves, milliseconds: that it still does shows that nobody went back to an older state. */
export const heartbeatMs = 15 * 60_000;

/** A newest checkpoint that is older shows that the notary does not run, or that database and anchor were both rolled back. */
export const staleAfterMs = heartbeatMs + 5 * 60_000;

export function headerOf(checkpoint: Checkpoint): CheckpointHeader {
  const { version, number, at, previous, moved, chains, allHeads } = checkpoint;
  return { version, number, at, previous, moved: merkleRoot(moved.map(headLeaf)), movedCount: moved.length, chains, allHeads };
}

/** The bytes that are signed. */
export function checkpointBytes(checkpoint: Checkpoint): Uint8Array {
  return new TextEncoder().encode(`firebreak.checkpoint.v1\n${canonicalJson(headerOf(checkpoint))}`);
}

export function checkpointDigest(checkpoint: Checkpoint): string {
  return digestOf(headerOf(checkpoint));
}

/** By chain, in the order in which checkpoints have named these first. */
export type Heads = ReadonlyMap<string, ChainHead>;

/** The root of the tree over these heads, in the order in which checkpoints have named their chains first. */
export function headsRoot(heads: Heads): string {
  return merkleRoot([...heads.values()].map(headLeaf));
}

/** That a chain's head is among these, which are the leaves of a tree in this order; undefined where it is not. */
export function headProof(heads: readonly ChainHead[], chain: string): InclusionProof | undefined {
  const index = heads.findIndex((head) => head.chain === chain);
  return index === -1 ? undefined : inclusionProof(heads.map(headLeaf), index);
}

/** Of its canonical JSON, written by hand: `canonicalJson` takes seconds for 100 000. */
function headLeaf({ chain, number, hash }: ChainHead): LeafHash {
  return leafHash(`{"chain":${JSON.stringify(chain)},"hash":${JSON.stringify(hash)},"number":${number}}`);
}

/**
 * The next checkpoint over the heads as the store shows them. What was stated once stays stated: a head that went back, changed
 * in place or vanished is not taken over but returned in `retracted`, for an alarm; all others move on.
 */
export function nextCheckpoint({
  last,
  stated,
  shown,
  at,
}: {
  readonly last: Checkpoint | undefined;
  readonly stated: Heads;
  readonly shown: readonly ChainHead[];
  readonly at: string;
}): { readonly checkpoint: Checkpoint; readonly heads: Heads; readonly retracted: readonly ChainHead[] } {
  const moved: ChainHead[] = [];
  const retracted: ChainHead[] = [];
  const present = new Set<string>();
  for (const { chain, number, hash } of shown) {
    present.add(chain);
    const before = stated.get(chain);
    if (!before || number > before.number) {
      moved.push({ chain, number, hash });
    } else if (number < before.number || hash !== before.hash) {
      retracted.push(before);
    }
  }
  for (const before of stated.values()) if (!present.has(before.chain)) retracted.push(before);
  const named = byChain(moved);
  const heads = new Map(stated);
  for (const head of named) heads.set(head.chain, head);
  const checkpoint: Checkpoint = {
    version: 1,
    number: (last?.number ?? 0) + 1,
    at,
    previous: last ? checkpointDigest(last) : genesisHash,
    moved: named,
    chains: heads.size,
    allHeads: moved.length === 0 && last ? last.allHeads : headsRoot(heads),
  };
  return { checkpoint, heads, retracted };
}

function byChain(heads: readonly ChainHead[]): readonly ChainHead[] {
  return [...heads].sort((a, b) => (a.chain < b.chain ? -1 : a.chain > b.chain ? 1 : 0));
}

/** Where checkpoints are kept outside the database, by other credentials than its writer's. */
export interface Anchor {
  /** For people: `file /var/lib/firebreak/anchor.jsonl`. */
  readonly description: string;
  /** Durable when it resolves; idempotent for the same checkpoint. @throws FB_ERR_CONFLICT when its number is taken by another one. */
  append(signed: SignedCheckpoint): Promise<void>;
  /** In the order in which they were written. Lines that cannot be read are given as text. */
  read(): AsyncIterable<SignedCheckpoint | string>;
}

/** Reads what JSON gave as a signed checkpoint; undefined for anything of another shape. Whether it is genuine the signature says. */
export function asSignedCheckpoint(value: unknown): SignedCheckpoint | undefined {
  return isSignedCheckpoint(value) ? value : undefined;
}

function isSignedCheckpoint(value: unknown): value is SignedCheckpoint {
  return (
    isObject(value) && typeof value.keyId === 'string' && typeof value.signature === 'string' && isCheckpoint(value.checkpoint)
  );
}

function isCheckpoint(value: unknown): value is Checkpoint {
  if (!isObject(value) || value.version !== 1 || !Array.isArray(value.moved)) return false;
  const { number, chains, at, previous, allHeads, moved } = value;
  return (
    [number, chains].every(Number.isSafeInteger) &&
    [at, previous, allHeads].every((text) => typeof text === 'string') &&
    moved.every(isHead)
  );
}

function isHead(value: unknown): value is ChainHead {
  return (
    isObject(value) && typeof value.chain === 'string' && Number.isSafeInteger(value.number) && typeof value.hash === 'string'
  );
}
