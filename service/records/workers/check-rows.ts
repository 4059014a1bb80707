import type { ChainHead } from '../../../core/audit/audit.ts';
import { ChainCheck, type CheckedChain } from '../../../core/audit/audit-check.ts';
import { DecisionCheck, type VoteSigners } from '../../../core/audit/audit-decisions.ts';
import type { AuditStore, StoredRecord } from '../../../core/audit/audit-store.ts';
import type { StatedHead } from '../../../core/audit/head-history.ts';
import type { RecordCut } from '../../../core/audit/record-cut.ts';
import type { Trust } from '../../../core/messages/sender.ts';

/** What is known of a chain before its rows are read. */
export interface KnownOfChain {
  readonly stated: readonly StatedHead[];
  /** Digest over their hashes, if not each head has one. */
  readonly digest: string | undefined;
  readonly cuts: readonly Pick<RecordCut, 'to' | 'after'>[];
  /** Numbers of records whose content was removed by order of two people. */
  readonly removals: ReadonlySet<number>;
  readonly head: ChainHead | undefined;
}

export interface ChainResult extends CheckedChain {
  readonly chain: string;
  readonly rows: number;
}

/** Checks chains row by row: signatures, the links between records, what checkpoints state, and what people have decided. */
export class RowsCheck {
  readonly #keys: { readonly trust: Trust; readonly signers: VoteSigners };
  readonly #knownOf: (chain: string) => KnownOfChain;

  constructor(keys: { readonly trust: Trust; readonly signers: VoteSigners }, knownOf: (chain: string) => KnownOfChain) {
    this.#keys = keys;
    this.#knownOf = knownOf;
  }

  /** Yields a result for each chain of these rows, which must come chain by chain and in order of place. */
  async *each(pages: AsyncIterable<readonly StoredRecord[]>): AsyncGenerator<ChainResult, undefined> {
    let running: Running | undefined;
    for await (const page of pages)
      for (const [chain, rows] of Map.groupBy(page, (row) => row.chain)) {
        if (running && running.chain !== chain) yield running.finish(running.head);
        if (running?.chain !== chain) running = this.#begin(chain);
        running.add(rows);
      }
    if (running) yield running.finish(running.head);
  }

  /** Returns the result for a chain without rows. */
  ofNone(chain: string): ChainResult {
    const running = this.#begin(chain);
    return running.finish(running.head);
  }

  /** Checks one chain, as of one moment. */
  async alone(chain: string, store: Pick<AuditStore, 'eachOfChain'>): Promise<ChainResult> {
    const running = this.#begin(chain);
    const head = await store.eachOfChain(chain, (rows) => running.add(rows));
    return running.finish(head);
  }

  #begin(chain: string): Running {
    return new Running(chain, this.#knownOf(chain), this.#keys);
  }
}

class Running {
  readonly chain: string;
  readonly #check: ChainCheck;
  readonly #decisions: DecisionCheck;
  /** The head as it was before the rows were read. */
  readonly head: ChainHead | undefined;
  #rows = 0;

  constructor(
    chain: string,
    { head, ...known }: KnownOfChain,
    { trust, signers }: { readonly trust: Trust; readonly signers: VoteSigners },
  ) {
    this.chain = chain;
    this.#check = new ChainCheck({ chain, trust, ...known });
    this.#decisions = new DecisionCheck({ chain, signers });
    this.head = head;
  }

  add(rows: readonly StoredRecord[]): void {
    this.#decisions.add(this.#check.add(rows));
    this.#rows += rows.length;
  }

  finish(head: ChainHead | undefined): ChainResult {
    const checked = this.#check.finish(head);
    return {
      ...checked,
      ...{ chain: this.chain, rows: this.#rows },
      findings: [...checked.findings, ...this.#decisions.findings],
    };
  }
}
