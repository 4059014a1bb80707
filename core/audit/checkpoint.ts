import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import { type ChainHead, genesisHash, quoted } from './audit.ts';
import { type HeadsTree, headLeaf, headText } from './heads-tree.ts';
import { type InclusionProof, inclusionProof, merkleRoot } from './merkle.ts';

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
  /** `checkpointDigest` of the one before, with its signature; 64 zeros for the first. */
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

/** Has its digest with it, once that was asked for: with half a million of them in a WeakMap each lived on until all that is old was collected. */
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
  return new TextEncoder().encode(`firebreak.checkpoint.v1\n${headerText(checkpoint)}`);
}

/** Over the signature, too: whoever proves the last of some checkpoints has proven those before it. The check of a signature takes as long as that of 50 hashes. */
export function checkpointDigest(signed: SignedCheckpoint): string {
  return ReadCheckpoint.digestOf(signed);
}

function digestOf({ checkpoint, keyId, signature }: SignedCheckpoint): string {
  const by = `"keyId":${quoted(keyId)},"signature":${quoted(signature)}`;
  return sha256Hex(`{"header":${headerText(checkpoint)},${by}}`);
}

/** What another thread has found to be one, and whose digest it has worked out. */
export function checkpointWithDigest(text: string, digest: string): SignedCheckpoint {
  return new ReadCheckpoint(JSON.parse(text), digest);
}

/** The canonical JSON of its header, put together by hand: it is made for each of the half a million that a year has. */
function headerText(checkpoint: Checkpoint): string {
  const { version, number, at, previous, moved, movedCount, chains, allHeads } = headerOf(checkpoint);
  const first = `"allHeads":${quoted(allHeads)},"at":${quoted(at)},"chains":${chains},"moved":"${moved}","movedCount":${movedCount}`;
  return `{${first},"number":${number},"previous":${quoted(previous)},"version":${version}}`;
}

/** The canonical JSON of a signed one, as database and anchor have it. */
export function checkpointText({ checkpoint, keyId, signature }: SignedCheckpoint): string {
  const { version, number, at, previous, moved, chains, allHeads } = checkpoint;
  const first = `"allHeads":${quoted(allHeads)},"at":${quoted(at)},"chains":${chains},"moved":[${moved.map(headText).join(',')}]`;
  const stated = `{${first},"number":${number},"previous":${quoted(previous)},"version":${version}}`;
  return `{"checkpoint":${stated},"keyId":${quoted(keyId)},"signature":${quoted(signature)}}`;
}

/** That a chain's head is among these, which are the leaves of a tree in this order; undefined where it is not. */
export function headProof(heads: readonly ChainHead[], chain: string): InclusionProof | undefined {
  const index = heads.findIndex((head) => head.chain === chain);
  return index === -1 ? undefined : inclusionProof(heads.map(headLeaf), index);
}

/**
 * Compares all heads that the store shows, some at a time, with those that are stated. What was stated once stays stated: a head that went back, changed
 * in place or vanished is in `retracted`, for an alarm, as it was stated; all others move on.
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

/** `stated` stays as it is: set what has moved once it is signed. */
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

/** Where checkpoints are kept outside the database, by other credentials than its writer's. */
export interface Anchor {
  /** For people: `file /var/lib/firebreak/anchor.jsonl`. */
  readonly description: string;
  /** Some, in their order. Durable when it resolves; idempotent for the same checkpoint. @throws FB_ERR_CONFLICT when the number of one is taken by another one. */
  append(...signed: readonly SignedCheckpoint[]): Promise<void>;
  /** Its lines as they are, in the order in which they were written, some at a time: `checkpointOfLine`. */
  read(): AsyncIterable<readonly string[]>;
}

/** What a line of an anchor says; undefined where it cannot be read, as one that a crash tore. */
export function checkpointOfLine(line: string): SignedCheckpoint | undefined {
  try {
    return asSignedCheckpoint(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Reads what JSON gave as a signed checkpoint; undefined for anything of another shape. Whether it is genuine the signature says. */
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

/** Nothing beside what is known: what is not signed would be read by nobody, and told by nobody. */
function hasOnly(value: object, fields: number): boolean {
  return Object.keys(value).length === fields;
}
