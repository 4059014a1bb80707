import type { DeskActivities } from '../../core/action/step.ts';
import { genesisHash, type RecordSignature, recordLink, signRecord } from '../../core/audit/audit.ts';
import type { Message } from '../../core/messages/message.ts';
import type { Signer } from '../../core/messages/signing.ts';

/** Prefix of a message with records to the desk. The workflow interceptors write it; no outside value stands at the beginning of a payload. */
const beginning = Buffer.from('{"to":"activity:recordAudit"');

const nobodys: RecordSignature = { keyId: '', follows: genesisHash, salt: '', signature: '' };

/** Maximum number of chains whose last signed record is remembered. A forgotten chain begins a new run: that costs a reader one signature check. */
const mostChains = 5_000;
/** Ends of batches kept per chain: a failed workflow task is retried, and its records then follow what came before it. */
const mostEnds = 4;

interface SignedEnd {
  readonly number: number;
  readonly link: string;
}

/**
 * Adds the signatures of an incident's records to the message that takes them to the desk, as it leaves the sandbox: the workflow has no key. It is no oracle:
 * only what a workflow of this very worker sends comes here, and only records of that workflow's own chain are signed. Each names its predecessor as this
 * process itself has signed it, whatever Temporal says of it.
 */
export class RecordSigner {
  readonly #signer: Signer;
  readonly #ends = new Map<string, readonly SignedEnd[]>();

  constructor(signer: Signer) {
    this.#signer = signer;
  }

  /** Any other payload is returned unchanged. */
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
    // Recently used chains stay: the one signed longest ago is dropped.
    this.#ends.delete(chain);
    this.#ends.set(chain, [...others, end].slice(-mostEnds));
    const [oldest] = this.#ends.size > mostChains ? this.#ends.keys() : [];
    if (oldest !== undefined) this.#ends.delete(oldest);
  }
}

type RecordsMessage = Pick<Message, 'workflow'> & { readonly value: Parameters<DeskActivities['recordAudit']> };
