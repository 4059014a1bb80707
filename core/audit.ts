import { digestOf } from './digest.ts';

/** Who did it: `playbook/ID`, `person/ID`, `engine`, `sensor/NAME`, `slack/USER` for a refused stranger. */
export type Actor = string;

/** One line of the record, as the workflow numbers it. Numbers of a chain begin at 1 and have no gap. */
export interface AuditRecord {
  /** `INCIDENT@RUN`, or `cell/NAME` and `desk/NAME` for what belongs to no incident. */
  readonly chain: string;
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `incident.opened`, `alert.joined`, `step.planned`, `step.applied`, `step.checked` (whatever was found), `question.asked`, `vote.accepted`, `vote.refused`, `lease.renewed` … */
  readonly kind: string;
  readonly actor: Actor;
  /** Plain JSON, redacted; null is used for absent. */
  readonly body: Readonly<Record<string, unknown>>;
}

export const genesisHash = '0'.repeat(64);

/** The hash that links a record to the one before it: `previous` is that one's hash, 64 zeros for the first. */
export function recordHash(record: AuditRecord, previous: string): string {
  return digestOf({ previous, record });
}

export interface ChainHead {
  readonly chain: string;
  readonly number: number;
  readonly hash: string;
}

/** What the workflow's outbox and everyone else writes to. A known (chain, number) with the same content is compared, not written. */
export interface AuditWriter {
  /** @throws FB_ERR_AUDIT_CONFLICT when a number is taken by other content, or a gap would come to be. */
  append(records: readonly AuditRecord[]): Promise<ChainHead>;
}
