import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Producer, type SASLMechanismValue } from '@platformatic/kafka';
import type { KafkaSaslMechanism, Receiver, StreamEvent, StreamFormat, StreamOutcome } from '../../core/streams/stream.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { PostTls } from '../http-post.ts';
import { inTime } from './in-time.ts';

/** What opens the brokers' door. */
interface KafkaReceiverAccess {
  readonly username?: string;
  readonly password?: string;
  readonly tls: PostTls;
}

export interface KafkaReceiverOptions {
  readonly brokers: readonly { readonly host: string; readonly port: number }[];
  readonly topic: string;
  readonly format: StreamFormat;
  readonly isPlaintext: boolean;
  readonly gzip: boolean;
  readonly mechanism?: KafkaSaslMechanism;
  readonly timeoutMs: number;
  /** Asked before each delivery. */
  readonly access: () => KafkaReceiverAccess;
}

type BufferProducer = Producer<Buffer, Buffer, Buffer, Buffer>;

const mechanisms: Readonly<Record<KafkaSaslMechanism, SASLMechanismValue>> = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
};

/** What is sent at once: brokers take a million bytes for one partition, if nobody has told them otherwise. */
const mostBytes = 900_000;
/** Retries within a delivery: a leader that has moved, a broker that starts again. */
const retries = 3;
const retryMs = 250;
/** A connection that does not close is left behind. */
const closeMs = 1_000;

/** The broker has looked at it, and does not want it as it is. https://kafka.apache.org/protocol#protocol_error_codes */
const refusals: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

/** Codes of the client itself: the error that it stands around says more. */
const ofClient = 'PLT_KFK_';
/** What it says by such a code alone, as the protocol names it. */
const unsaidReasons: ReadonlyMap<string, string> = new Map([
  ['PLT_KFK_AUTHENTICATION', 'SASL_AUTHENTICATION_FAILED'],
  // Of all that it calls a fault of its user, this is not checked before.
  ['PLT_KFK_USER', 'UNKNOWN_TOPIC_OR_PARTITION'],
]);

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md */
const mediaTypes: Readonly<Record<StreamFormat, string>> = {
  ocsf: 'application/json',
  cloudevents: 'application/cloudevents+json; charset=UTF-8',
};

/**
 * A topic of Kafka. The key is the chain: what belongs to one incident is in one partition, in its order. It counts once all replicas that are in sync
 * have it, and what the client sends again within a delivery is there once. After a failure the producer is another one, which brokers do not know: then it
 * may be there twice.
 */
export function createKafkaReceiver(options: KafkaReceiverOptions): Receiver {
  const { timeoutMs, access } = options;
  let open: { readonly of: string; readonly producer: BufferProducer } | undefined;
  const drop = async (): Promise<void> => {
    const producer = open?.producer;
    open = undefined;
    await Promise.race([producer?.close(true).catch(() => undefined), sleep(closeMs, undefined, { ref: false })]);
  };
  const current = async (): Promise<BufferProducer> => {
    const now = access();
    const of = JSON.stringify(now);
    if (open?.of === of) return open.producer;
    await drop();
    const producer = producerFor(options, now);
    open = { of, producer };
    return producer;
  };
  return {
    deliver: async (events, signal) => {
      const outcome = await inTime(
        current().then((producer) => sendAll(producer, events, options), certificatesFailed),
        { signal, timeoutMs },
      );
      if (outcome.state !== 'delivered') void drop();
      return outcome;
    },
    close: drop,
  };
}

function certificatesFailed(): StreamOutcome {
  return { state: 'later', reason: 'its certificates cannot be used' };
}

/** @throws what Node says of certificates that are none */
function producerFor(options: KafkaReceiverOptions, { username, password, tls }: KafkaReceiverAccess): BufferProducer {
  const { brokers, isPlaintext, mechanism, timeoutMs } = options;
  // An address has no name to ask for.
  const hasNames = brokers.every(({ host }) => isIP(host) === 0);
  return new Producer({
    clientId: 'firebreak',
    bootstrapBrokers: [...brokers],
    idempotent: true,
    autocreateTopics: false,
    retries,
    retryDelay: retryMs,
    connectTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    timeout: timeoutMs,
    ...(!isPlaintext && {
      tls: { secureContext: createSecureContext({ minVersion: 'TLSv1.2', ...tls }) },
      tlsServerName: hasNames,
    }),
    ...(mechanism && {
      sasl: { mechanism: mechanisms[mechanism], username: username ?? '', password: password ?? '' },
    }),
  });
}

async function sendAll(
  producer: BufferProducer,
  events: readonly StreamEvent[],
  { topic, format, gzip }: KafkaReceiverOptions,
): Promise<StreamOutcome> {
  const contentType = Buffer.from(mediaTypes[format]);
  try {
    for (const part of partsOf(events)) {
      const messages = part.map(({ id, chain, value }) => ({
        topic,
        key: Buffer.from(chain),
        value,
        headers: new Map([
          [Buffer.from('content-type'), contentType],
          [Buffer.from('id'), Buffer.from(id)],
        ]),
      }));
      await producer.send({ messages, compression: gzip ? 'gzip' : 'none' });
    }
    return { state: 'delivered', answer: `all of it in ${topic}` };
  } catch (error) {
    return outcomeOf(error);
  }
}

type Part = readonly { readonly id: string; readonly chain: string; readonly value: Buffer }[];

/** As many as brokers take at once; what is larger goes by itself, and is the broker's to judge. */
function* partsOf(events: readonly StreamEvent[]): Generator<Part> {
  let part: Part[number][] = [];
  let bytes = 0;
  for (const { id, chain, json } of events) {
    const value = Buffer.from(json);
    if (part.length > 0 && bytes + value.length > mostBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push({ id, chain, value });
    bytes += value.length;
  }
  if (part.length > 0) yield part;
}

function outcomeOf(error: unknown): StreamOutcome {
  const all = [...errorsIn(error)];
  const named = all.flatMap(({ apiId }) => (typeof apiId === 'string' ? [apiId] : []));
  const refused = named.find((name) => refusals.has(name));
  if (refused !== undefined) return { state: 'refused', reason: refused };
  const codes = all.flatMap(({ code }) => (typeof code === 'string' && !code.startsWith(ofClient) ? [code] : []));
  const [unsaid] = all.flatMap(({ code }) => (typeof code === 'string' ? (unsaidReasons.get(code) ?? []) : []));
  const reason = named.at(-1) ?? codes.at(-1) ?? unsaid ?? 'it failed';
  return { state: 'later', reason };
}

/** With all that it stands around, that first. Texts are not looked at: who knows what is in them. */
function* errorsIn(error: unknown, depth = 0): Generator<Readonly<Record<string, unknown>>> {
  if (!isObject(error) || depth > 8) return;
  yield error;
  yield* errorsIn(error.cause, depth + 1);
  if (Array.isArray(error.errors)) for (const one of error.errors) yield* errorsIn(one, depth + 1);
}
