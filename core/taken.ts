import { type Severity, severities } from './severity.ts';

/**
 * Under which circumstances something was taken, as the note on it says, sealed by the cell. What gives it back later is held to this, whatever
 * the workflow says by then.
 */
export interface Taken {
  /** Of the incident, as its step brought it along. */
  readonly severity: Severity;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** Asked with what the note says, absent in notes of older versions, before anything is given back. @throws FB_ERR_APPROVAL_INVALID */
export type AllowGivingBack = (taken: Taken | undefined) => Promise<void>;

export function takenNow({ severity }: { readonly severity?: Severity | undefined }): { readonly taken?: Taken } {
  return severity === undefined ? {} : { taken: { severity, at: new Date().toISOString() } };
}

export function isTaken(value: unknown): value is Taken {
  if (typeof value !== 'object' || value === null) return false;
  const { severity, at }: { severity?: unknown; at?: unknown } = value;
  return severities.some((known) => known === severity) && typeof at === 'string' && !Number.isNaN(Date.parse(at));
}
