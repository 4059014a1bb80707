import type { Alert } from '../alert/alert.ts';
import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { AuditRecord } from './audit.ts';
import type { StoredRecord } from './audit-store.ts';

/**
 * The complete alerts behind a record, including labels and command lines, which may be secrets. The record only has their digest. The alerts are kept sealed
 * next to it, and only for a while: the record stays valid without them.
 */
interface StoredAlerts {
  /** The stored text. */
  readonly text: string;
  /** The digest on record: SHA-256, lower-case hex. */
  readonly digest: string;
}

/** A record on its way to the store, with what is kept next to it. */
export interface OutgoingRecord extends AuditRecord {
  /** `StoredAlerts.text`: its digest is `body.kept`. It is not part of the record. */
  readonly kept?: string;
}

/** With a longer text, a payload with the record would not pass through Temporal. */
const longestKept = 200_000;

/** Returns as many of the alerts as there is room for. @param salt secret: without it, nobody who reads the digest can check guesses against it */
export function storedAlerts(alerts: readonly Alert[], salt: string): StoredAlerts {
  let length = 0;
  const whole = alerts.filter((alert) => {
    length += JSON.stringify(alert).length;
    return length <= longestKept;
  });
  const text = JSON.stringify({ salt, alerts: whole });
  return { text, digest: sha256Hex(text) };
}

/** Returns the text if its record vouches for it; otherwise undefined. */
export function vouchedFor(text: string, { body }: Pick<AuditRecord, 'body'>): string | undefined {
  return typeof body.kept === 'string' && body.kept === sha256Hex(text) ? text : undefined;
}

/** Parses a text that its record vouches for. */
export function alertsIn(text: string): readonly Alert[] {
  const value: unknown = JSON.parse(text);
  // Trusted, because a cell wrote it.
  return isObject(value) && Array.isArray(value.alerts) ? (value.alerts as readonly Alert[]) : [];
}

/** What is kept for one record. */
export interface SealedAlerts extends Pick<AuditRecord, 'chain' | 'number' | 'at'> {
  readonly sealed: Uint8Array;
}

/** Binds `SealedAlerts.sealed` to its record: it cannot be opened for any other. */
export function sealedAt({ chain, number }: Pick<AuditRecord, 'chain' | 'number'>): string {
  return `firebreak.alerts.v1\n${chain}\n${number}`;
}

/** Kinds of the records about alerts. */
export const alertKinds = ['incident.opened', 'alert.joined'] as const;

/** A record about alerts, with what is kept next to it. */
export interface ArchivedRecord {
  readonly stored: StoredRecord;
  /** As its row says. */
  readonly at: string;
  readonly sealed?: Uint8Array;
}

/** The complete alerts, for as long as they are kept. */
export interface AlertArchive {
  /** Stores each once, however often it is called. */
  keep(alerts: readonly SealedAlerts[]): Promise<void>;
  /** Destroys everything older than this: ISO 8601, UTC. Records stay as they are. */
  expire(before: string): Promise<void>;
  /** Returns records about alerts, of all chains or of one, by time; those after `after`, at most `most`. Only trust what is proven of them: `provenOf`. */
  read(asked: {
    readonly since: string;
    readonly chain?: string;
    readonly after?: ArchivedRecord;
    readonly most: number;
  }): Promise<readonly ArchivedRecord[]>;
  /** Returns the records about these chains' verdicts. */
  verdicts(chains: readonly string[]): Promise<readonly StoredRecord[]>;
}

/** A record that its cell keeps until the audit store has it: the run that made it may be ended before it is sent. */
export interface UnsentRecord {
  /** Temporal's own id of the run: a run that was reset has another. */
  readonly run: string;
  readonly record: OutgoingRecord;
}

/** State about the records that a cell has handed to a run, for the next run to continue with. */
export interface CarriedRecords {
  readonly waiting: readonly OutgoingRecord[];
  readonly stored: readonly string[];
}

/** Whose records a run sends. */
export interface HandedState {
  /** The run that reports this, and before it the runs that handed it all their records. */
  readonly runs: readonly string[];
  /** Keys of records that a cell has handed to it, from runs that were ended or reset. */
  readonly waiting: readonly string[];
  /** Keys of those that the store already has. */
  readonly stored: readonly string[];
}

/** Where a record stands, and when it was made. */
export type RecordPlace = Pick<AuditRecord, 'chain' | 'number' | 'at'>;

/** Is notified of each record once, and not when a history is replayed. */
export interface RecordListener {
  made(record: OutgoingRecord): void;
  left(records: readonly RecordPlace[]): void;
}

/** Returns a key made of where the record stands and when it was made: after a run was reset, another record may have the same number. */
export function keyOfRecord({ chain, number, at }: RecordPlace): string {
  return `${chain} ${number} ${at}`;
}
