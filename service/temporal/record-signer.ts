import type { DeskActivities } from '../../core/action/step.ts';
import { genesisHash, type RecordSignature, recordLink, signRecord } from '../../core/audit/audit.ts';
import type { Message } from '../../core/messages/message.ts';
import type { Signer } from '../../core/messages/signing.ts';

/** How a message to the desk with records begins. The interceptors of workflows write it; no value from outside stands at the beginning of a payload. */
const beginning = Buffer.from('{"to":"activity:recordAudit"');

const nobodys: RecordSignature = { keyId: '', follows: genesisHash, salt: '', signature: '' };

/** Chains of which it is known what was signed last. Who is forgotten begins a new run: that costs a reader one check of a signature. */
const mostChains = 5_000;
/** Ends of batches: a workflow task that failed is done again, and then its records follow what came before it. */
const mostEnds = 4;

interface SignedEnd {
  readonly number: number;
  readonly link: string;
}

/**
 * Puts the signatures of an incident's records into the message that takes them to the desk, as it leaves the sandbox: the workflow has no key. It is
 * no oracle: only what a workflow of this very worker sends comes here, and only records of that workflow's own chain are signed. Each names the one
 * before it as this process itself has signed it, whatever Temporal says of it.
 */
export class RecordSigner {
  readonly #signer: Signer;
  readonly #ends = new Map<string, readonly SignedEnd[]>();

  constructor(signer: Signer) {
    this.#signer = signer;
  }

  /** Any other payload is given back as it is. */
  async withSignatures(json: Uint8Array): Promise<Uint8Array> {
    if (!beginning.equals(json.subarray(0, beginning.length))) return json;
    const { workflow, value }: RecordsMessage = JSON.parse(Buffer.from(json).toString());
    const signatures: RecordSignature[] = [];
    const last = new Map<string, SignedEnd>();
    for (const record of value[0]) {
      const { chain, number } = record;
      if (!chain.startsWith(`${workflow}@`)) {
        signatures.push(nobodys);
        continue;
      }
      const before = last.get(chain) ?? this.#endAt(chain, number - 1);
      const signed = await signRecord(record, this.#signer, before?.number === number - 1 ? before.link : undefined);
      last.set(chain, { number, link: recordLink(signed) });
      const { keyId, follows, salt, signature } = signed;
      signatures.push({ keyId, follows, salt, signature });
    }
    for (const [chain, end] of last) this.#remember(chain, end);
    return Buffer.concat([json.subarray(0, -1), Buffer.from(`,"signatures":${JSON.stringify(signatures)}}`)]);
  }

  #endAt(chain: string, number: number): SignedEnd | undefined {
    return this.#ends.get(chain)?.find((end) => end.number === number);
  }

  #remember(chain: string, end: SignedEnd): void {
    const others = (this.#ends.get(chain) ?? []).filter(({ number }) => number !== end.number);
    // Those that are asked for again stay: the one that was signed longest ago is forgotten.
    this.#ends.delete(chain);
    this.#ends.set(chain, [...others, end].slice(-mostEnds));
    const [oldest] = this.#ends.size > mostChains ? this.#ends.keys() : [];
    if (oldest !== undefined) this.#ends.delete(oldest);
  }
}

type RecordsMessage = Pick<Message, 'workflow'> & { readonly value: Parameters<DeskActivities['recordAudit']> };
