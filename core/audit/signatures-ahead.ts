import type { Sender, Trust } from '../messages/sender.ts';
import type { SignedBytes } from '../messages/signing.ts';
import { sha256Hex } from '../text/digest.ts';
import { recordBytes, type SignedRecord } from './audit.ts';
import type { RecordProof } from './audit-store.ts';

/**
 * Verifies signatures on other threads before they are asked for: checking one takes as long as everything else about some ten records. It trusts what the
 * other trust trusts, and asks it about everything not verified ahead.
 */
export class SignaturesAhead implements Trust {
  readonly #trust: Trust;
  /** Genuine signatures of the last rows and of those before them, keyed by everything that was signed. */
  #found = new Map<string, Sender>();
  #before = new Map<string, Sender>();

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  /** Yields each page once its signatures are verified, while the next one is read and verified. */
  async *each<Row extends RecordProof>(pages: AsyncIterable<readonly Row[]>): AsyncGenerator<readonly Row[], undefined> {
    let first: { readonly page: readonly Row[]; readonly isReady: Promise<void> } | undefined;
    for await (const page of pages) {
      const next = { page, isReady: this.find(page) };
      await first?.isReady;
      if (first) yield first.page;
      first = next;
    }
    await first?.isReady;
    if (first) yield first.page;
  }

  /** Verifies rows that are asked about next, those of a chain in its order: the last one of each vouches for those before it. */
  async find(rows: readonly RecordProof[]): Promise<void> {
    const found = this.#beginNext();
    const last = rows.flatMap((row, index) => (rows[index + 1]?.chain !== row.chain ? [row] : []));
    await Promise.all(last.map((row) => this.#findOne(row, found)));
  }

  /** The same for whole chains, one after another: each is yielded once its own signatures are verified, while the next ones are in progress. */
  async *eachChain<Row extends RecordProof>(chains: readonly (readonly Row[])[]): AsyncGenerator<readonly Row[], undefined> {
    const found = this.#beginNext();
    const ready = chains.map((rows) => this.#findOne(rows.at(-1), found));
    // The error is reported to whoever gets to the chain.
    for (const one of ready) one.catch(() => undefined);
    for (const [index, rows] of chains.entries()) {
      await ready[index];
      yield rows;
    }
  }

  #beginNext(): Map<string, Sender> {
    this.#before = this.#found;
    this.#found = new Map();
    return this.#found;
  }

  senderOf(signed: SignedBytes): Sender | undefined {
    const key = keyOf(signed);
    return this.#found.get(key) ?? this.#before.get(key) ?? this.#trust.senderOf(signed);
  }

  isUnsureOf(keyId: string): boolean {
    return this.#trust.isUnsureOf?.(keyId) ?? false;
  }

  async #findOne(row: RecordProof | undefined, found: Map<string, Sender>): Promise<void> {
    if (!row?.signed || !this.#trust.senderOfAsync) return;
    const signed = signedBytes(row.signed);
    const sender = await this.#trust.senderOfAsync(signed);
    if (sender) found.set(keyOf(signed), sender);
  }
}

function signedBytes(signed: SignedRecord): SignedBytes {
  return { keyId: signed.keyId, bytes: recordBytes(signed), signature: signed.signature };
}

function keyOf({ keyId, bytes, signature }: SignedBytes): string {
  return JSON.stringify([keyId, signature, sha256Hex(bytes)]);
}
