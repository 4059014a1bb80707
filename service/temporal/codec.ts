import { createHash } from 'node:crypto';
import { extname, join } from 'node:path';
import type { DataConverter, Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { FirebreakError } from '../../core/errors.ts';
import { endsRun, type Received, type Unreadable } from '../../core/messages/message.ts';
import type { Judgements, Sender, Trust } from '../../core/messages/sender.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { type Box, type BoxKey, createBox } from '../../integrations/crypto-box/box.ts';
import { RecordSigner } from './record-signer.ts';

/** Prefix of the message by which a workflow ends. */
const endBeginning = Buffer.from('{"to":"end:');

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
const encoding = 'binary/encrypted';
const json = 'json/plain';
const closingBrace = 0x7d;

/** Also for `bundleWorkflowCode({ failureConverterPath })`: the workflow sandbox converts its own failures. */
export const failureConverterPath = join(import.meta.dirname, `failure-converter${extname(import.meta.filename)}`);

export interface CodecOptions {
  /** The first key encrypts; all of them decrypt. */
  readonly keys: readonly BoxKey[];
  readonly namespace: string;
  /** Identity of this process. Absent for the command line, whose users sign what they say themselves. */
  readonly signer?: Signer | undefined;
  /** Whom this process believes. */
  readonly trust: Trust;
  /** For a worker with workflows: what runs have concluded about their payloads, returned again when they reread them. */
  readonly judgements?: Judgements | undefined;
  /** For everyone else, only judgements about how a workflow ended count. */
  readonly judgedAre?: 'all' | 'ends';
}

/**
 * How everything that Firebreak gives to Temporal is signed and encrypted: arguments, results, signals, queries, memos, and the messages and stacks of
 * failures. Pass it to every client, worker and replay of the namespace. Never encrypted, whatever the codec: workflow ids, search attributes, the names of
 * activities, signals and queries.
 * @throws FB_ERR_CONFIG_INVALID for an unusable key ring.
 */
export function dataConverter(options: CodecOptions): DataConverter {
  return { failureConverterPath, payloadCodecs: [createPayloadCodec(options)] };
}

/**
 * AES-256-GCM, bound to the namespace and, if the SDK names it, to the workflow; inside it an Ed25519 signature of the sender. The encryption key keeps things
 * secret, and many processes hold it; only the signature proves who said something.
 *
 * Decoding does not return the payload but what is known of it (`Received`): its sender, and its value or why there is none. It does not throw, except for a
 * minute at most (`mustBeSure`): in a workflow's worker, an error makes the task retry, and a single garbage signal would stop an incident.
 */
export function createPayloadCodec({
  keys,
  namespace,
  signer,
  trust,
  judgements,
  judgedAre = 'all',
}: CodecOptions): PayloadCodec {
  const box = createBox({ keys });
  const records = signer && new RecordSigner(signer);
  /** From now on this process itself remembers that the workflow ended, whichever keys are trusted when it is asked. */
  const remember = (whole: Payload, sealed: Payload, { workflowId }: SerializationContext, memory: Judgements): void => {
    const judged = senderOf(whole, namespace, trust);
    if (judged && workflowId !== undefined)
      memory.found({ workflow: workflowId, run: endsRun, digest: digestIn(sealed), judged });
  };
  return {
    encode: (payloads, context) =>
      Promise.all(
        payloads.map(async (payload) => {
          const whole = signer && records ? await signed({ payload, signer, records, namespace }) : payload;
          const sealed = encrypted({ payload: whole, box, namespace, workflow: context?.workflowId });
          if (judgements && context && isEnd(payload)) remember(whole, sealed, context, judgements);
          return sealed;
        }),
      ),
    decode: async (payloads, context) =>
      payloads.map((payload) => {
        const opened = received({ payload, box, namespace, context, trust });
        if (judgements && judgedAre === 'all') mustBeSure(payload, opened, { trust, context, judgements });
        const isJudged = judgedAre === 'all' || ('json' in opened && isEnd({ data: opened.json }));
        return asPayload(opened, judgements && isJudged ? foundBefore(payload, context, judgements) : {});
      }),
  };
}

/** What a signature covers: a signature for one purpose is never accepted for another. */
function signedBytes(payload: Payload, namespace: string): Uint8Array {
  const head = `firebreak.message.v1\n${JSON.stringify([namespace, textOf(payload, 'encoding')])}\n`;
  return Buffer.concat([Buffer.from(head), bytesOf(payload)]);
}

async function signed({
  payload,
  signer,
  records,
  namespace,
}: {
  readonly payload: Payload;
  readonly signer: Signer;
  readonly records: RecordSigner;
  readonly namespace: string;
}): Promise<Payload> {
  const data = payload.data && (await records.withSignatures(payload.data));
  const whole = { ...payload, ...(data && { data }) };
  const signature = await signer.sign(signedBytes(whole, namespace));
  const by = { 'signer-key-id': Buffer.from(signer.keyId), signature: Buffer.from(signature) };
  return { ...whole, metadata: { ...payload.metadata, ...by } };
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

/** The value as unparsed JSON; absent for `undefined`. */
type Opened =
  | { readonly from: Sender | null; readonly keyId: string; readonly json?: Uint8Array }
  | { readonly unreadable: Unreadable };

function received({
  payload,
  box,
  namespace,
  context,
  trust,
}: {
  readonly payload: Payload;
  readonly box: Box;
  readonly namespace: string;
  readonly context: SerializationContext | undefined;
  readonly trust: Trust;
}): Opened {
  if (textOf(payload, 'encoding') !== encoding) return { unreadable: 'not-sealed' };
  let inner: Payload;
  let from: Sender | null;
  try {
    const sealedFor = textOf(payload, 'encryption-workflow');
    // Sealed without a workflow (the SDK named none): then it is bound only to the namespace.
    const workflow = sealedFor === '' ? '' : (context?.workflowId ?? sealedFor);
    inner = PayloadMessage.decode(box.open(bytesOf(payload), boundTo(namespace, workflow)));
    from = senderOf(inner, namespace, trust) ?? null;
  } catch {
    return { unreadable: 'unopenable' };
  }
  const keyId = textOf(inner, 'signer-key-id');
  if (textOf(inner, 'encoding') !== json) return { from, keyId };
  const text = bytesOf(inner);
  // What a trusted process has signed was written by its own converter.
  return from || isJson(text) ? { from, keyId, json: text } : { unreadable: 'no-json' };
}

/**
 * The only error of this codec: the task is retried a moment later. Otherwise a run would reject for good, even on replay, a payload signed with a key whose
 * file is just being written.
 * @throws FB_ERR_UNAVAILABLE
 */
function mustBeSure(
  payload: Payload,
  opened: Opened,
  known: { readonly trust: Trust; readonly context: SerializationContext | undefined; readonly judgements: Judgements },
): void {
  if (!('from' in opened) || opened.from !== null || opened.keyId === '' || !known.trust.isUnsureOf?.(opened.keyId)) return;
  const { judgements: before = {} } = foundBefore(payload, known.context, known.judgements);
  if (Object.keys(before).length === 0)
    throw new FirebreakError('FB_ERR_UNAVAILABLE', 'a public key that `trust` or `desk` names cannot be read at the moment');
}

type FoundBefore = Pick<Received, 'digest' | 'judgements'>;

function foundBefore(payload: Payload, context: SerializationContext | undefined, judgements: Judgements): FoundBefore {
  const workflow = context?.workflowId;
  if (workflow === undefined || textOf(payload, 'encoding') !== encoding) return {};
  const digest = digestIn(payload);
  return { digest, judgements: judgements.of(workflow, digest) };
}

/** Identifies a payload again, in the form in which Temporal stores it. */
function digestIn(payload: Payload): string {
  const opensBy = JSON.stringify([textOf(payload, 'encryption-key-id'), textOf(payload, 'encryption-workflow')]);
  return createHash('sha256').update(`${opensBy}\n`).update(bytesOf(payload)).digest('hex');
}

function isEnd({ data }: Pick<Payload, 'data'>): boolean {
  return data != null && endBeginning.equals(data.subarray(0, endBeginning.length));
}

function senderOf(inner: Payload, namespace: string, trust: Trust): Sender | undefined {
  const [keyId, signature] = [textOf(inner, 'signer-key-id'), textOf(inner, 'signature')];
  return trust.senderOf({ keyId, bytes: signedBytes(inner, namespace), signature });
}

function isJson(text: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(text).toString());
    return true;
  } catch {
    return false;
  }
}

const utf8 = new TextEncoder();
const plain = { encoding: utf8.encode(json) };

/**
 * Concatenated from JSON parts: a value of megabytes is not parsed and serialised again. Each payload has its own buffer: a small `Buffer` is a view of a
 * shared 64 kB one, which would go along to the workflow as a whole and stay there while the run is cached.
 */
function asPayload(opened: Opened, before: FoundBefore = {}): Payload {
  if ('unreadable' in opened) {
    const { unreadable } = opened;
    return {
      metadata: plain,
      data: utf8.encode(JSON.stringify({ from: null, unreadable, value: null, ...before } satisfies Received)),
    };
  }
  const { from, json: value = utf8.encode('null') } = opened;
  const head = utf8.encode(`${JSON.stringify({ from, ...before }).slice(0, -1)},"value":`);
  const data = new Uint8Array(head.length + value.length + 1);
  data.set(head);
  data.set(value, head.length);
  data[data.length - 1] = closingBrace;
  return { metadata: plain, data };
}

function boundTo(namespace: string, workflow: string): string {
  return JSON.stringify(['temporal', namespace, workflow]);
}

/** For a payload without bytes, the library's default is not always a Uint8Array. */
function bytesOf({ data }: Payload): Uint8Array {
  return Buffer.from(data ?? []);
}

function textOf(payload: Payload, name: string): string {
  return Buffer.from(payload.metadata?.[name] ?? []).toString();
}
