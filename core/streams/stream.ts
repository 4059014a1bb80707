import type { SignedRecord } from '../audit/audit.ts';

/** A record to be delivered: as its maker signed it, with its place in its chain. */
export interface StreamedRecord {
  readonly place: number;
  readonly previous: string;
  readonly hash: string;
  readonly signed: SignedRecord;
}

/** A row that no known cell or desk has signed. Its content is left out: anybody with the database's password could have written it. */
export interface UnprovenRow {
  readonly chain: string;
  readonly place: number;
  /** Why it is not proven, without quoting its content. */
  readonly problem: string;
  /** When that was found: ISO 8601, UTC. */
  readonly foundAt: string;
}

export type StreamItem = { readonly record: StreamedRecord } | { readonly unproven: UnprovenRow };

/** The source of the events. */
export interface EventMaker {
  readonly cluster: string;
  /** The version of Firebreak. */
  readonly version: string;
}

export const streamFormats = ['ocsf', 'cloudevents'] as const;
export type StreamFormat = (typeof streamFormats)[number];

/** Format of an object in a bucket: compressed lines of JSON, or Parquet. */
export const bucketObjects = ['ndjson', 'parquet'] as const;
export type BucketObjects = (typeof bucketObjects)[number];

/** How clients authenticate to Kafka brokers. */
export const kafkaSaslMechanisms = ['scram-sha-512', 'scram-sha-256', 'plain'] as const;
export type KafkaSaslMechanism = (typeof kafkaSaslMechanisms)[number];

/** One event as a receiver gets it. The id is the same however often it is sent, so that receivers can drop duplicates. */
export interface StreamEvent {
  readonly id: string;
  /** The incident's run, or another chain: events of one chain are in order. */
  readonly chain: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `incident.opened` and others, as in the record. */
  readonly kind: string;
  /** Of JSON. */
  readonly json: string;
}

/** The result of delivering a batch. `refused`: the receiver examined it and does not accept it as it is. */
export type StreamOutcome =
  | { readonly state: 'delivered'; readonly answer: string }
  | { readonly state: 'later'; readonly reason: string; readonly waitMs?: number }
  | { readonly state: 'refused'; readonly reason: string };

/** The destination of a stream. Never rejects, and ends within its own time limit. */
export interface Receiver {
  /** Delivers all events in this order, or nothing that counts. */
  deliver(events: readonly StreamEvent[], signal: AbortSignal): Promise<StreamOutcome>;
  close(): Promise<void>;
}
