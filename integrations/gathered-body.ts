const smallPart = 1_024;
const fewParts = 16;
const pageBytes = 16_384;

/**
 * Collects a body as it arrives, in about the memory that it takes as a whole. A sender may split it into parts of one byte, each of which would cost two
 * hundred: after the first few, small parts are copied together.
 */
export class GatheredBody {
  readonly #parts: Buffer[] = [];
  #page = Buffer.alloc(0);
  /** Bytes of the page that belong to no part yet. */
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(part: Buffer): void {
    this.#length += part.length;
    if (this.#parts.length < fewParts || part.length >= smallPart) {
      this.#closePage();
      this.#parts.push(part);
      return;
    }
    if (this.#used + part.length > this.#page.length) {
      this.#closePage();
      this.#page = Buffer.allocUnsafeSlow(pageBytes);
    }
    this.#used += part.copy(this.#page, this.#used);
  }

  whole(): Buffer {
    this.#closePage();
    // Each part is its own copy, so a part that is the whole body need not be copied again.
    const [only] = this.#parts;
    return this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts, this.#length);
  }

  #closePage(): void {
    if (this.#used === 0) return;
    this.#parts.push(this.#page.subarray(0, this.#used));
    this.#page = this.#page.subarray(this.#used);
    this.#used = 0;
  }
}
