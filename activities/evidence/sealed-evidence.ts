import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { constants, createZstdCompress } from 'node:zlib';
import type { StepContext } from '../../core/action/action.ts';
import type { Artefact, EvidenceClass } from '../../core/evidence/evidence.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import type { IncidentKeys } from '../../core/evidence/incident-key.ts';
import { sealStream } from '../../integrations/evidence/sealed-stream.ts';
import type { EvidenceStreams } from './evidence-streams.ts';

/**
 * Bytes of a stream that may wait for garbage collection. In a small heap, eight more megabytes are reason enough to mark it; what waits is there three times.
 */
const betweenBytes = 1024 * 1024;

const collect = collector();

export interface SealingParts {
  readonly store: EvidenceStore;
  readonly keys: IncidentKeys;
  /** Absent: no limit except the slowest party. */
  readonly streams?: EvidenceStreams;
}

/**
 * Stores a stream under the key of its incident: hashed, sealed, hashed again and stored as it comes, in constant memory; a slow reader slows down the writer.
 * Throws what the source or the store threw, and then nothing is kept.
 */
export async function keepSealed(
  { store, keys, streams }: SealingParts,
  {
    kind,
    what,
    data,
    whole,
    context,
  }: {
    readonly kind: EvidenceClass;
    readonly what: Pick<Artefact, 'mediaType'>;
    readonly data: AsyncIterable<Uint8Array>;
    /** Checks what came before anything counts as kept. @throws if it is incomplete. */
    readonly whole?: (came: StreamDigest) => void;
    readonly context: Pick<StepContext, 'incident' | 'run'>;
  },
): Promise<Pick<Artefact, 'sha256' | 'bytes' | 'sealed'>> {
  const { incident, run } = context;
  const { id, key } = await keys.keyFor({ incident, run, class: kind });
  const plain = hashing(releasingBuffers(streams?.paced(data) ?? data), whole);
  const kept = await store.put(sealStream(plain.data, key), what.mediaType, kind);
  return { ...plain.result(), sealed: { keyId: id, ...kept } };
}

/** The same for data in memory: one write, without an intermediate file. */
export async function keepSealedBytes(
  { store, keyFor }: Pick<SealingParts, 'store'> & Pick<IncidentKeys, 'keyFor'>,
  {
    kind,
    what,
    data,
    context: { incident, run },
  }: {
    readonly kind: EvidenceClass;
    readonly what: Pick<Artefact, 'mediaType'>;
    readonly data: Uint8Array;
    readonly context: Pick<StepContext, 'incident' | 'run'>;
  },
): Promise<Pick<Artefact, 'sha256' | 'bytes' | 'sealed'>> {
  const { id, key } = await keyFor({ incident, run, class: kind });
  const parts: Uint8Array[] = [];
  for await (const part of sealStream(Readable.from([data]), key)) parts.push(Buffer.from(part));
  const kept = await store.put(Buffer.concat(parts), what.mediaType, kind);
  const sha256 = createHash('sha256').update(data).digest('hex');
  return { sha256, bytes: data.byteLength, sealed: { keyId: id, ...kept } };
}

/** Runs work that sends much data when it is its turn. */
export function inTurn<T>({ streams }: Pick<SealingParts, 'streams'>, context: StepContext, work: () => Promise<T>): Promise<T> {
  return streams ? streams.inTurn(context, work) : work();
}

/** Hash and length of a stream that has ended. */
export interface StreamDigest {
  readonly sha256: string;
  readonly bytes: number;
}

/** Passes bytes on, and knows their hash and number at the end. An error that `whole` throws is thrown to the reader. */
export function hashing(
  data: AsyncIterable<Uint8Array>,
  whole?: (came: StreamDigest) => void,
): { readonly data: AsyncIterable<Uint8Array>; result(): StreamDigest } {
  const hash = createHash('sha256');
  let bytes = 0;
  let came: StreamDigest | undefined;
  return {
    data: (async function* () {
      for await (const part of data) {
        hash.update(part);
        bytes += part.byteLength;
        yield part;
      }
      came = { sha256: hash.digest('hex'), bytes };
      whole?.(came);
    })(),
    result() {
      if (!came) throw new TypeError('the stream has not ended');
      return came;
    },
  };
}

const batchBytes = 1024 * 1024;

/** Each piece makes a round trip to another thread: so a few large ones. */
async function* batched(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of data) {
    parts.push(part);
    size += part.byteLength;
    if (size < batchBytes) continue;
    yield Buffer.concat(parts);
    [parts, size] = [[], 0];
  }
  if (size > 0) yield Buffer.concat(parts);
}

/** Zstandard (RFC 8878), at the cheapest level. */
export async function* compressed(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
  const zstd = createZstdCompress({ chunkSize: batchBytes, params });
  const fed = pipeline(batched(data), zstd);
  // Thrown where the stream is read, below.
  fed.catch(() => undefined);
  yield* zstd;
  await fed;
}

/**
 * Passes a stream on, and makes V8 release what went through. Buffers die young, but V8 collects its young generation only after 16 MB of objects, not counting
 * the bytes of buffers. Until then these bytes count as old, and every few megabytes of them V8 marks the whole heap: half of what a stream cost in a heap of
 * 22 MB (see `bench/actions`). Collecting the young generation takes a third of a millisecond.
 */
export async function* releasingBuffers(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const part of data) {
    bytes += part.byteLength;
    yield part;
    if (bytes < betweenBytes) continue;
    bytes = 0;
    collect({ type: 'minor' });
  }
}

/** V8's own collector. The flag is only set while this one context is created: others, such as those that workflows run in, must not have it. */
function collector(): (options: { readonly type: 'minor' }) => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  return typeof found === 'function' ? (options) => found(options) : () => {};
}
