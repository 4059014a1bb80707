import type { Alert } from '../../../core/alert/alert.ts';
import type { Subject } from '../../../core/incident/incident.ts';

/** One accepted alert, until Temporal has it. */
export interface SpoolEntry {
  readonly alert: Alert;
  readonly subject: Subject;
  /** The bytes as they came, sealed; absent for a repetition within a storm, which is counted only. */
  readonly raw?: Uint8Array;
  /** ISO 8601, UTC. */
  readonly receivedAt: string;
  /** Sent by itself while it was written: after a crash it is sent by itself again, so that its batch has the same id. */
  readonly alone?: true;
}

export interface PlacedEntry {
  readonly place: number;
  readonly entry: SpoolEntry;
}
