import type { Alert } from '../alert/alert.ts';
import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { AuditRecord } from './audit.ts';
import type { StoredRecord } from './audit-store.ts';

/**
 * The alerts that a record tells of, whole: labels, command lines and all, which may be secrets. The record has their digest; they themselves are
 * kept sealed beside it, and for a while only: without them the record stays what it is.
 */
interface StoredAlerts {
  /** What is kept. */
  readonly text: string;
  /** What the record says of it: SHA-256, lower-case hex. */
  readonly digest: string;
}

/** A record on its way to the store, with what is kept beside it. */
export interface OutgoingRecord extends AuditRecord {
  /** `StoredAlerts.text`: its digest is `body.kept`. It is no part of the record. */
  readonly kept?: string;
}

/** Beyond it, a payload with the record would not go through Temporal. */
const longestKept = 200_000;

/** As many of the alerts as there is room for. @param salt nobody else knows it: whoever reads the digest can try no guess on it */
export function storedAlerts(alerts: readonly Alert[], salt: string): StoredAlerts {
  let length = 0;
  const whole = alerts.filter((alert) => {
    length += JSON.stringify(alert).length;
    return length <= longestKept;
  });
  const text = JSON.stringify({ salt, alerts: whole });
  return { text, digest: sha256Hex(text) };
}

/** The text that its record vouches for; undefined for any other. */
export function vouchedFor(text: string, { body }: Pick<AuditRecord, 'body'>): string | undefined {
  return typeof body.kept === 'string' && body.kept === sha256Hex(text) ? text : undefined;
}

/** Of a text that its record vouches for. */
export function alertsIn(text: string): readonly Alert[] {
  const value: unknown = JSON.parse(text);
  // As a cell has put them in.
  return isObject(value) && Array.isArray(value.alerts) ? (value.alerts as readonly Alert[]) : [];
}

/** What is kept of one record. */
export interface SealedAlerts extends Pick<AuditRecord, 'chain' | 'number' | 'at'> {
  readonly sealed: Uint8Array;
}

/** Where `SealedAlerts.sealed` belongs: it opens at no other record. */
export function sealedAt({ chain, number }: Pick<AuditRecord, 'chain' | 'number'>): string {
  return `firebreak.alerts.v1\n${chain}\n${number}`;
}

/** Kinds of the records that tell of alerts. */
export const alertKinds = ['incident.opened', 'alert.joined'] as const;

/** A record that tells of alerts, with what is kept beside it. */
export interface ArchivedRecord {
  readonly stored: StoredRecord;
  /** As its row says it. */
  readonly at: string;
  readonly sealed?: Uint8Array;
}

/** What alerts were, for as long as they are kept. */
export interface AlertArchive {
  /** Once, however often. */
  keep(alerts: readonly SealedAlerts[]): Promise<void>;
  /** Destroys what is older: ISO 8601, UTC. Records stay as they are. */
  expire(before: string): Promise<void>;
  /** Records that tell of alerts, of all chains or of one, by time; those after `after`, as many as `most`. Go by what is proven of them: `provenOf`. */
  read(asked: {
    readonly since: string;
    readonly chain?: string;
    readonly after?: ArchivedRecord;
    readonly most: number;
  }): Promise<readonly ArchivedRecord[]>;
  /** What is on record of these chains' verdicts. */
  verdicts(chains: readonly string[]): Promise<readonly StoredRecord[]>;
}

/** A record that its cell keeps until the audit store has it: the run that has made it may be ended before it has left. */
export interface UnsentRecord {
  /** Temporal's own id of the run: one that was set back has another. */
  readonly run: string;
  readonly record: OutgoingRecord;
}

/** Of what a cell has handed a run: what the next run goes on with. */
export interface CarriedRecords {
  readonly waiting: readonly OutgoingRecord[];
  readonly stored: readonly string[];
}

/** Whose records a run sends. */
export interface HandedState {
  /** The run that says so, and before it those that have handed it all that they had. */
  readonly runs: readonly string[];
  /** Keys of records that a cell has handed it, of runs that were ended or set back. */
  readonly waiting: readonly string[];
  /** Of those, the ones that the store has. */
  readonly stored: readonly string[];
}

/** Of a record where it stands and when it was made. */
export type RecordPlace = Pick<AuditRecord, 'chain' | 'number' | 'at'>;

/** Hears of each record once, and not when a history is played back. */
export interface RecordListener {
  made(record: OutgoingRecord): void;
  left(records: readonly RecordPlace[]): void;
}

/** By where it stands and when it was made: after a run was set back, another one may stand under its number. */
export function keyOfRecord({ chain, number, at }: RecordPlace): string {
  return `${chain} ${number} ${at}`;
}
