import type { Alert } from '../../../core/alert/alert.ts';
import type { Subject } from '../../../core/incident/incident.ts';

/** One accepted alert, until Temporal has it. */
export interface SpoolEntry {
  readonly alert: Alert;
  readonly subject: Subject;
  /** The received bytes, sealed; absent for a repetition within a storm, which is only counted. */
  readonly raw?: Uint8Array;
  /** ISO 8601, UTC. */
  readonly receivedAt: string;
  /** The alert was sent alone while it was written: after a crash it is sent alone again, so that its batch has the same id. */
  readonly alone?: true;
}

export interface PlacedEntry {
  readonly place: number;
  readonly entry: SpoolEntry;
}
