const bits = 65_536;
const words = bits / 32;

/** About how many different texts there were, in 8 KiB however many: by linear counting, within some percent up to half a million. */
export class DistinctCount {
  readonly #words = new Uint32Array(words);

  add(text: string): void {
    const bit = hashOf(text) % bits;
    const place = bit >>> 5;
    this.#words[place] = (this.#words[place] ?? 0) | (1 << (bit & 31));
  }

  clear(): void {
    this.#words.fill(0);
  }

  /** What the other one has counted counts here too. */
  include(other: DistinctCount): void {
    for (let place = 0; place < words; place += 1) this.#words[place] = (this.#words[place] ?? 0) | (other.#words[place] ?? 0);
  }

  get count(): number {
    let set = 0;
    for (const word of this.#words) for (let rest = word; rest !== 0; rest &= rest - 1) set += 1;
    return Math.round(-bits * Math.log(Math.max(1, bits - set) / bits));
  }
}

/** FNV-1a, with its bits mixed at the end: neighbours must not fall side by side. http://www.isthe.com/chongo/tech/comp/fnv */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
