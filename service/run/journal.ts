import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditRecord } from '../../core/audit.ts';
import type { AuditStore } from '../../core/audit-store.ts';

const waitMs = [100, 500, 2_000, 5_000];

/**
 * Records that belong to no incident: refused clicks, rejected alerts. One chain, one writer; what the store does not take at once is kept
 * and tried again.
 */
export class Journal {
  readonly #store: Pick<AuditStore, 'append' | 'heads'>;
  readonly #chain: string;
  readonly #log: (problem: string) => void;
  #last: number | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly store: Pick<AuditStore, 'append' | 'heads'>;
    readonly chain: string;
    readonly log: (problem: string) => void;
  }) {
    this.#store = options.store;
    this.#chain = options.chain;
    this.#log = options.log;
  }

  record(entry: Pick<AuditRecord, 'kind' | 'actor' | 'body'>): Promise<void> {
    const at = new Date().toISOString();
    this.#work = this.#work.then(() => this.#append({ ...entry, at }));
    return this.#work;
  }

  async flush(): Promise<void> {
    await this.#work;
  }

  async #append(entry: Omit<AuditRecord, 'chain' | 'number'>): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        this.#last ??= (await this.#store.heads()).find((head) => head.chain === this.#chain)?.number ?? 0;
        await this.#store.append([{ ...entry, chain: this.#chain, number: this.#last + 1 }]);
        this.#last += 1;
        return;
      } catch {
        // Another desk may have written in between: the end of the chain is read again.
        this.#last = undefined;
        const wait = waitMs[attempt];
        if (wait === undefined) return this.#log(`a record of kind ${entry.kind} could not be written`);
        await sleep(wait);
      }
    }
  }
}
