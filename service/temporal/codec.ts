import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { type Box, type BoxKey, createBox } from '../../integrations/crypto-box/box.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const encoding = 'binary/encrypted';

/** For `bundleWorkflowCode({ failureConverterPath })` as well: the workflow sandbox converts its own failures. */
export const failureConverterPath = fileURLToPath(new URL('./failure-converter.cjs', import.meta.url));

/**
 * How everything that Firebreak gives to Temporal is encrypted: arguments, results, signals, queries, memos, and the messages and
 * stacks of failures. Give it to every client, worker and replay of the namespace.
 * Not encrypted, whatever a codec does: workflow ids, search attributes, the names of activities, signals and queries.
 * @throws FB_ERR_CONFIG_INVALID for an unusable key ring (the first key encrypts, all of them decrypt).
 */
export function dataConverter(options: { readonly keys: readonly BoxKey[]; readonly namespace: string }): DataConverter {
  return { failureConverterPath, payloadCodecs: [createPayloadCodec(options)] };
}

/**
 * AES-256-GCM, bound to the namespace and, where the SDK says which, to the workflow: a payload that is moved to another workflow
 * does not open. The workflow's id stands in the metadata, so that a codec endpoint, which is told no workflow, can open it too.
 * A payload that is not encrypted passes: what Temporal's own tools send must not stop an incident, and nothing rests on
 * a payload being encrypted (votes are signed).
 */
export function createPayloadCodec({
  keys,
  namespace,
}: {
  readonly keys: readonly BoxKey[];
  readonly namespace: string;
}): PayloadCodec {
  const box = createBox({ keys });
  return {
    encode: async (payloads, context) =>
      payloads.map((payload) => encrypted({ payload, box, namespace, workflow: context?.workflowId })),
    decode: async (payloads, context) => payloads.map((payload) => decrypted({ payload, box, namespace, context })),
  };
}

function encrypted({
  payload,
  box,
  namespace,
  workflow = '',
}: {
  readonly payload: Payload;
  readonly box: Box;
  readonly namespace: string;
  readonly workflow: string | undefined;
}): Payload {
  const bytes = PayloadMessage.encode(payload).finish();
  return {
    metadata: {
      encoding: Buffer.from(encoding),
      'encryption-key-id': Buffer.from(box.activeKeyId),
      'encryption-workflow': Buffer.from(workflow),
    },
    data: box.seal(bytes, boundTo(namespace, workflow)),
  };
}

function decrypted({
  payload,
  box,
  namespace,
  context,
}: {
  readonly payload: Payload;
  readonly box: Box;
  readonly namespace: string;
  readonly context: SerializationContext | undefined;
}): Payload {
  if (textOf(payload, 'encoding') !== encoding) return payload;
  const sealedFor = textOf(payload, 'encryption-workflow');
  // Sealed without a workflow (the SDK named none): then the namespace is all that it is bound to.
  const workflow = sealedFor === '' ? '' : (context?.workflowId ?? sealedFor);
  const message = PayloadMessage.decode(box.open(payload.data ?? new Uint8Array(), boundTo(namespace, workflow)));
  return { metadata: message.metadata, data: message.data };
}

function boundTo(namespace: string, workflow: string): string {
  return JSON.stringify(['temporal', namespace, workflow]);
}

function textOf(payload: Payload, name: string): string {
  return Buffer.from(payload.metadata?.[name] ?? []).toString();
}
