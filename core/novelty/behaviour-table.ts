import { sha256Hex } from '../text/digest.ts';
import { ownCopy } from './behaviour.ts';

/** What a feature or an image is remembered by: 64 bits of its SHA-256. */
export interface ShortHash {
  readonly high: number;
  readonly low: number;
}

const mostHashes = 4_000;
const longestCached = 1_000;
const hashes = new Map<string, ShortHash>();

/** The same texts come again and again: they are hashed once. Whoever sends ever others makes it begin anew, and no larger. */
export function shortHash(text: string): ShortHash {
  const known = hashes.get(text);
  if (known) return known;
  const hex = sha256Hex(text);
  const hash = { high: Number.parseInt(hex.slice(0, 8), 16), low: Number.parseInt(hex.slice(8, 16), 16) };
  if (hashes.size >= mostHashes) hashes.clear();
  if (text.length <= longestCached) hashes.set(ownCopy(text), hash);
  return hash;
}

/** A feature as it is remembered. All times are seconds since 1970. */
export interface RememberedFeature {
  readonly first: number;
  /** From when on it counts as known. */
  readonly knownFrom: number;
  readonly last: number;
}

/** Of one workload: those that were seen last. */
const mostFeatures = 256;
const mostImages = 8;
/** A table has at most so many, on the disk and in memory. */
export const mostTableBytes = 4 * (6 + 3 * mostImages + 5 * mostFeatures);

/** A table of another layout is not read: what it knew is learned anew. */
const layout = 1;
const headFields = 6;
const imageFields = 3;
const featureFields = 5;

/** What was seen of one workload: two hundred and fifty-six features of twenty bytes, and the images that it ran. It forgets what it has seen least lately. */
export class BehaviourTable {
  /** Of the workload's namespace, empty where it has none: its neighbours are its peers. */
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

  /** @param reach nothing is remembered from before: seconds since 1970 */
  static begin(namespace: ShortHash, reach: number): BehaviourTable {
    return new BehaviourTable(namespace, reach, new Uint32Array(0), new Uint32Array(0));
  }

  /** Undefined for what this version has not written. */
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

  /** What was seen from then on is remembered whole. */
  get reach(): number {
    return this.#reach;
  }

  /** When anything was seen last. */
  get last(): number {
    return this.#last;
  }

  get(hash: ShortHash): RememberedFeature | undefined {
    const at = this.#placeOf(hash);
    if (at < 0) return undefined;
    const [first = 0, knownFrom = 0, last = 0] = this.#features.subarray(at + 2, at + featureFields);
    return { first, knownFrom, last };
  }

  /** Where there is no room, what was seen least lately is forgotten for it. */
  set(hash: ShortHash, { first, knownFrom, last }: RememberedFeature): void {
    const known = this.#placeOf(hash);
    const at = known < 0 ? this.#room() : known;
    this.#features.set([hash.high, hash.low, first, knownFrom, last], at);
    this.#last = Math.max(this.#last, last);
  }

  /** How many features are known by now that match. */
  count(isMeant: (hash: ShortHash, feature: RememberedFeature) => boolean): number {
    let count = 0;
    for (let at = 0; at < this.#size * featureFields; at += featureFields) {
      const [high = 0, low = 0, first = 0, knownFrom = 0, last = 0] = this.#features.subarray(at, at + featureFields);
      if (isMeant({ high, low }, { first, knownFrom, last })) count += 1;
    }
    return count;
  }

  /** Until when what comes with an image is learned; undefined for one that was not seen. */
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

  /** The oldest of too many is forgotten. */
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
    // Whatever was seen before that may have been forgotten.
    this.#reach = Math.max(this.#reach, this.#features[oldest + 4] ?? 0);
    return oldest;
  }
}
