import type { Sender, Trust } from '../messages/sender.ts';
import type { SignedBytes } from '../messages/signing.ts';
import { sha256Hex } from '../text/digest.ts';
import { recordBytes, type SignedRecord } from './audit.ts';
import type { RecordProof } from './audit-store.ts';

/**
 * Finds out whose signatures these are beside this thread, before somebody asks: the check of one takes as long as all else about some ten records. It
 * believes what the other trust believes, and whatever was not found ahead is asked there.
 */
export class SignaturesAhead implements Trust {
  readonly #trust: Trust;
  /** Those that are genuine, of the last rows and of those before them, by all that was signed. */
  #found = new Map<string, Sender>();
  #before = new Map<string, Sender>();

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  /** Each page once its signatures are found, while the next one is read and looked at. */
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

  /** Of rows that are asked about next, those of a chain in its order: the last one of each vouches for what is before it. */
  async find(rows: readonly RecordProof[]): Promise<void> {
    const found = this.#beginNext();
    const last = rows.flatMap((row, index) => (rows[index + 1]?.chain !== row.chain ? [row] : []));
    await Promise.all(last.map((row) => this.#findOne(row, found)));
  }

  /** The same of whole chains, one after another: each is given once its own are found, while the next ones are looked at. */
  async *eachChain<Row extends RecordProof>(chains: readonly (readonly Row[])[]): AsyncGenerator<readonly Row[], undefined> {
    const found = this.#beginNext();
    const ready = chains.map((rows) => this.#findOne(rows.at(-1), found));
    // Who comes to the chain is told.
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
