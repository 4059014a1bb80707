import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Producer, type SASLMechanismValue } from '@platformatic/kafka';
import type { KafkaSaslMechanism, Receiver, StreamEvent, StreamFormat, StreamOutcome } from '../../core/streams/stream.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { PostTls } from '../http-post.ts';
import { inTime } from './in-time.ts';

/** Credentials for the brokers. */
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
  /** Called before each delivery. */
  readonly access: () => KafkaReceiverAccess;
}

type BufferProducer = Producer<Buffer, Buffer, Buffer, Buffer>;

const mechanisms: Readonly<Record<KafkaSaslMechanism, SASLMechanismValue>> = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
};

/** Maximum bytes sent at once: by default, brokers accept a million bytes for one partition. */
const mostBytes = 900_000;
/** Retries within a delivery, for example if a leader has moved or a broker restarts. */
const retries = 3;
const retryMs = 250;
/** A connection that does not close within this time is abandoned. */
const closeMs = 1_000;

/** The broker has checked the events and rejects them. https://kafka.apache.org/protocol#protocol_error_codes */
const refusals: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

/** Prefix of the client's own codes: the error that they wrap says more. */
const ofClient = 'PLT_KFK_';
/** Errors that the client reports by such a code alone, with their names in the protocol. */
const unsaidReasons: ReadonlyMap<string, string> = new Map([
  ['PLT_KFK_AUTHENTICATION', 'SASL_AUTHENTICATION_FAILED'],
  // The only one of the client's user errors that is not checked beforehand.
  ['PLT_KFK_USER', 'UNKNOWN_TOPIC_OR_PARTITION'],
]);

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md */
const mediaTypes: Readonly<Record<StreamFormat, string>> = {
  ocsf: 'application/json',
  cloudevents: 'application/cloudevents+json; charset=UTF-8',
};

/**
 * Sends to a Kafka topic. The key is the chain: everything of one incident is in one partition, in order. Events count as delivered once all in-sync replicas
 * have them, and retries within a delivery create no duplicates. After a failure there is a new producer, which brokers do not know: then events may appear
 * twice.
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

/** @throws what Node throws for invalid certificates */
function producerFor(options: KafkaReceiverOptions, { username, password, tls }: KafkaReceiverAccess): BufferProducer {
  const { brokers, isPlaintext, mechanism, timeoutMs } = options;
  // An IP address has no name to ask for.
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

/** Splits events into parts as large as brokers accept at once; a larger event goes alone, and the broker decides about it. */
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

/** Yields the error first, then all errors that it wraps. Messages are not read: they may contain anything. */
function* errorsIn(error: unknown, depth = 0): Generator<Readonly<Record<string, unknown>>> {
  if (!isObject(error) || depth > 8) return;
  yield error;
  yield* errorsIn(error.cause, depth + 1);
  if (Array.isArray(error.errors)) for (const one of error.errors) yield* errorsIn(one, depth + 1);
}
