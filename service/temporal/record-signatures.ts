import type { DeskActivities } from '../../core/action/step.ts';
import { type RecordSignature, signRecord } from '../../core/audit/audit.ts';
import type { Message } from '../../core/messages/message.ts';
import type { Signer } from '../../core/messages/signing.ts';

/** How a message to the desk with records begins. The interceptors of workflows write it; no value from outside stands at the beginning of a payload. */
const beginning = Buffer.from('{"to":"activity:recordAudit"');
const nobodys: RecordSignature = { keyId: '', signature: '' };

/**
 * Puts the signatures of an incident's records into the message that takes them to the desk, as it leaves the sandbox: the workflow has no key. It is
 * no oracle: only what a workflow of this very worker sends comes here, and only records of that workflow's own chain are signed. Any other
 * payload is given back as it is.
 */
export async function withRecordSignatures(json: Uint8Array, signer: Signer): Promise<Uint8Array> {
  if (!beginning.equals(json.subarray(0, beginning.length))) return json;
  const { workflow, value }: RecordsMessage = JSON.parse(Buffer.from(json).toString());
  const signed = value[0].map(async (record): Promise<RecordSignature> => {
    if (!record.chain.startsWith(`${workflow}@`)) return nobodys;
    const { keyId, signature } = await signRecord(record, signer);
    return { keyId, signature };
  });
  const signatures = JSON.stringify(await Promise.all(signed));
  return Buffer.concat([json.subarray(0, -1), Buffer.from(`,"signatures":${signatures}}`)]);
}

type RecordsMessage = Pick<Message, 'workflow'> & { readonly value: Parameters<DeskActivities['recordAudit']> };
