import type { SignedRecord } from '../audit/audit.ts';

/** A record on its way out: as its maker signed it, and where it stands in its chain. */
export interface StreamedRecord {
  readonly place: number;
  readonly previous: string;
  readonly hash: string;
  readonly signed: SignedRecord;
}

/** A row that no cell or desk that is known has signed. What it says is left out: anybody with the database's password can have written it. */
export interface UnprovenRow {
  readonly chain: string;
  readonly place: number;
  /** Why it is not proven, without its words. */
  readonly problem: string;
  /** When that was found: ISO 8601, UTC. */
  readonly foundAt: string;
}

export type StreamItem = { readonly record: StreamedRecord } | { readonly unproven: UnprovenRow };

/** Who speaks. */
export interface EventMaker {
  readonly cluster: string;
  /** Of Firebreak. */
  readonly version: string;
}

export const streamFormats = ['ocsf', 'cloudevents'] as const;
export type StreamFormat = (typeof streamFormats)[number];

/** What an object in a bucket is: zipped lines of JSON, or Parquet. */
export const bucketObjects = ['ndjson', 'parquet'] as const;
export type BucketObjects = (typeof bucketObjects)[number];

/** How brokers of Kafka are told who asks. */
export const kafkaSaslMechanisms = ['scram-sha-512', 'scram-sha-256', 'plain'] as const;
export type KafkaSaslMechanism = (typeof kafkaSaslMechanisms)[number];

/** One event as a receiver gets it. The id is the same however often it is sent: receivers leave out by it what comes twice. */
export interface StreamEvent {
  readonly id: string;
  /** The incident's run, or another chain: events of one stand in order. */
  readonly chain: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `incident.opened` and others, as the record has it. */
  readonly kind: string;
  /** Of JSON. */
  readonly json: string;
}

/** What became of a batch. `refused`: the receiver looked at it, and will not take it as it is. */
export type StreamOutcome =
  | { readonly state: 'delivered'; readonly answer: string }
  | { readonly state: 'later'; readonly reason: string; readonly waitMs?: number }
  | { readonly state: 'refused'; readonly reason: string };

/** Where a stream goes. Never rejects, and ends within its own time limit. */
export interface Receiver {
  /** All of them in this order, or nothing that counts. */
  deliver(events: readonly StreamEvent[], signal: AbortSignal): Promise<StreamOutcome>;
  close(): Promise<void>;
}
