import { sha256Hex } from '../text/digest.ts';
import { ownCopy } from './behaviour.ts';

/** How a feature or an image is remembered: by 64 bits of its SHA-256. */
export interface ShortHash {
  readonly high: number;
  readonly low: number;
}

const mostHashes = 4_000;
const longestCached = 1_000;
const hashes = new Map<string, ShortHash>();

/** The same texts come again and again, so they are hashed once. A sender of ever new texts makes the cache start over, not grow. */
export function shortHash(text: string): ShortHash {
  const known = hashes.get(text);
  if (known) return known;
  const hex = sha256Hex(text);
  const hash = { high: Number.parseInt(hex.slice(0, 8), 16), low: Number.parseInt(hex.slice(8, 16), 16) };
  if (hashes.size >= mostHashes) hashes.clear();
  if (text.length <= longestCached) hashes.set(ownCopy(text), hash);
  return hash;
}

/** A remembered feature. All times are seconds since 1970. */
export interface RememberedFeature {
  readonly first: number;
  /** When it starts to count as known. */
  readonly knownFrom: number;
  readonly last: number;
}

/** Per workload: the most recently seen are kept. */
const mostFeatures = 256;
const mostImages = 8;
/** Maximum size of a table, on disk and in memory. */
export const mostTableBytes = 4 * (6 + 3 * mostImages + 5 * mostFeatures);

/** A table of another layout is not read: its knowledge is learned again. */
const layout = 1;
const headFields = 6;
const imageFields = 3;
const featureFields = 5;

/** What was seen of one workload: 256 features of twenty bytes, and the images that it ran. It forgets the least recently seen first. */
export class BehaviourTable {
  /** Hash of the workload's namespace, empty if it has none: workloads of the same namespace are its peers. */
  readonly namespace: ShortHash;
  #reach: number;
  #images: Uint32Array<ArrayBuffer>;
  #features: Uint32Array<ArrayBuffer>;
  #size: number;
  #last = 0;

  private constructor(namespace: ShortHash, reach: number, images: Uint32Array<ArrayBuffer>, features: Uint32Array<ArrayBuffer>) {
    this.namespace = namespace;
    this.#reach = reach;
    this.#images = images;
    this.#features = features;
    this.#size = features.length / featureFields;
    for (let at = 4; at < features.length; at += featureFields) this.#last = Math.max(this.#last, features[at] ?? 0);
  }

  /** @param reach nothing is remembered from before this: seconds since 1970 */
  static begin(namespace: ShortHash, reach: number): BehaviourTable {
    return new BehaviourTable(namespace, reach, new Uint32Array(0), new Uint32Array(0));
  }

  /** Undefined for anything that this version did not write. */
  static read(bytes: Uint8Array): BehaviourTable | undefined {
    if (bytes.length < 4 * headFields || bytes.length % 4 !== 0 || bytes.length > mostTableBytes) return undefined;
    const fields = new Uint32Array(bytes.slice().buffer);
    const [version, high = 0, low = 0, reach = 0, images = 0, features = 0] = fields;
    const endOfImages = headFields + images * imageFields;
    if (version !== layout || fields.length !== endOfImages + features * featureFields) return undefined;
    return new BehaviourTable({ high, low }, reach, fields.slice(headFields, endOfImages), fields.slice(endOfImages));
  }

  write(): Uint8Array {
    const { high, low } = this.namespace;
    const head = [layout, high, low, this.#reach, this.#images.length / imageFields, this.#size];
    const features = this.#features.subarray(0, this.#size * featureFields);
    const fields = new Uint32Array(headFields + this.#images.length + features.length);
    fields.set(head);
    fields.set(this.#images, headFields);
    fields.set(features, headFields + this.#images.length);
    return new Uint8Array(fields.buffer);
  }

  /** Everything seen since then is remembered. */
  get reach(): number {
    return this.#reach;
  }

  /** When anything was last seen. */
  get last(): number {
    return this.#last;
  }

  get(hash: ShortHash): RememberedFeature | undefined {
    const at = this.#placeOf(hash);
    if (at < 0) return undefined;
    const [first = 0, knownFrom = 0, last = 0] = this.#features.subarray(at + 2, at + featureFields);
    return { first, knownFrom, last };
  }

  /** If the table is full, the least recently seen feature is forgotten. */
  set(hash: ShortHash, { first, knownFrom, last }: RememberedFeature): void {
    const known = this.#placeOf(hash);
    const at = known < 0 ? this.#room() : known;
    this.#features.set([hash.high, hash.low, first, knownFrom, last], at);
    this.#last = Math.max(this.#last, last);
  }

  /** Number of matching features that are known by now. */
  count(isMeant: (hash: ShortHash, feature: RememberedFeature) => boolean): number {
    let count = 0;
    for (let at = 0; at < this.#size * featureFields; at += featureFields) {
      const [high = 0, low = 0, first = 0, knownFrom = 0, last = 0] = this.#features.subarray(at, at + featureFields);
      if (isMeant({ high, low }, { first, knownFrom, last })) count += 1;
    }
    return count;
  }

  /** When the learning period of an image ends; undefined for an image that was not seen. */
  learnsUntil({ high, low }: ShortHash): number | undefined {
    for (let at = 0; at < this.#images.length; at += imageFields)
      if (this.#images[at] === high && this.#images[at + 1] === low) return this.#images[at + 2];
    return undefined;
  }

  get images(): readonly ShortHash[] {
    const count = this.#images.length / imageFields;
    return Array.from({ length: count }, (_, at) => ({
      high: this.#images[at * imageFields] ?? 0,
      low: this.#images[at * imageFields + 1] ?? 0,
    }));
  }

  /** If there are too many, the oldest is forgotten. */
  addImage({ high, low }: ShortHash, learnsUntil: number): void {
    const before = this.#images.length === mostImages * imageFields ? this.#images.subarray(imageFields) : this.#images;
    this.#images = new Uint32Array([...before, high, low, learnsUntil]);
  }

  #placeOf({ high, low }: ShortHash): number {
    const features = this.#features;
    const end = this.#size * featureFields;
    for (let at = 0; at < end; at += featureFields) if (features[at] === high && features[at + 1] === low) return at;
    return -1;
  }

  #room(): number {
    if (this.#size === mostFeatures) return this.#oldest();
    const at = this.#size * featureFields;
    if (at === this.#features.length) {
      const larger = new Uint32Array(Math.min(mostFeatures, Math.max(8, 2 * this.#size)) * featureFields);
      larger.set(this.#features);
      this.#features = larger;
    }
    this.#size += 1;
    return at;
  }

  #oldest(): number {
    let oldest = 0;
    for (let at = featureFields; at < this.#features.length; at += featureFields)
      if ((this.#features[at + 4] ?? 0) < (this.#features[oldest + 4] ?? 0)) oldest = at;
    // Anything seen before that may have been forgotten.
    this.#reach = Math.max(this.#reach, this.#features[oldest + 4] ?? 0);
    return oldest;
  }
}
