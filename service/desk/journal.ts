import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditRecord, type AuditWriter, recordLink, type SignedRecord, signRecord } from '../../core/audit/audit.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import type { Signer } from '../../core/messages/signing.ts';

const waitMs = [100, 500, 2_000, 5_000];

/**
 * Records that belong to no incident: refused clicks, rejected alerts. They form one chain that several desks may write; each signs its own records. If the
 * store does not accept a record at once, it is kept and tried again.
 */
export class Journal {
  readonly #store: Pick<AuditWriter, 'appendNext'>;
  readonly #chain: string;
  readonly #signer: Signer;
  readonly #log: (problem: string) => void;
  #work: Promise<void> = Promise.resolve();
  /** The last record that this desk wrote: its next one refers to it, if no other desk wrote in between. */
  #last: SignedRecord | undefined;

  constructor(options: {
    readonly store: Pick<AuditWriter, 'appendNext'>;
    readonly chain: string;
    readonly signer: Signer;
    readonly log: (problem: string) => void;
  }) {
    this.#store = options.store;
    this.#chain = options.chain;
    this.#signer = options.signer;
    this.#log = options.log;
  }

  record(entry: Pick<AuditRecord, 'actor' | 'body'> & { readonly kind: RecordKind }): Promise<void> {
    const at = new Date().toISOString();
    this.#work = this.#work.then(() => this.#append({ ...entry, at }));
    return this.#work;
  }

  async flush(): Promise<void> {
    await this.#work;
  }

  async #append(entry: Omit<AuditRecord, 'chain' | 'number'>): Promise<void> {
    const chain = this.#chain;
    for (let attempt = 0; ; attempt += 1) {
      try {
        let signed: SignedRecord | undefined;
        await this.#store.appendNext(chain, async (number) => {
          const before = this.#last?.record.number === number - 1 ? recordLink(this.#last) : undefined;
          signed = await signRecord({ ...entry, chain, number }, this.#signer, before);
          return signed;
        });
        this.#last = signed;
        return;
      } catch {
        const wait = waitMs[attempt];
        if (wait === undefined) return this.#log(`a record of kind ${entry.kind} could not be written`);
        await sleep(wait);
      }
    }
  }
}
