import type { AlertBatch, IncidentNote, IncidentStart } from '../../../core/incident/incident.ts';
import type { SearchAttributeName } from '../../../core/incident/search-attributes.ts';

/** The service did not take it, or did not say: send it again later, with the same ids. `detail` is safe to log. */
interface Unavailable {
  readonly kind: 'unavailable';
  readonly detail: string;
}

/** It will never take this: sending it again is in vain. `detail` is safe to log. */
interface RefusedForGood {
  readonly kind: 'refused';
  readonly detail: string;
}

export type StartResult =
  /** `run` is the first execution's run id, `build` what it was begun with. */
  | { readonly kind: 'started'; readonly run: string; readonly build?: string | undefined }
  /** The incident runs already: nothing of this start was taken. */
  | { readonly kind: 'already-started' }
  | RefusedForGood
  | Unavailable;

export type SignalResult =
  | { readonly kind: 'signalled' }
  /** No run of this incident is open. */
  | { readonly kind: 'not-found' }
  /** This run takes no more signals for now: it is full or closing. Nothing was taken. */
  | { readonly kind: 'limit' }
  | Unavailable;

export interface StartOptions {
  /** Ask for the first workflow task right away, where this process can take it. */
  readonly eager: boolean;
  /** 1 (first) to 5. */
  readonly priority: 1 | 2 | 3 | 4 | 5;
  readonly searchAttributes: Readonly<Partial<Record<SearchAttributeName, string | readonly string[]>>>;
}

/** The way from the intake to the durable incidents. Never throws; both calls are safe to send again with the same ids. */
export interface IncidentGateway {
  start(id: string, start: IncidentStart, options: StartOptions): Promise<StartResult>;
  signal(id: string, batch: AlertBatch): Promise<SignalResult>;
  /** A line for an incident that is open; starts nothing. */
  note(id: string, note: IncidentNote): Promise<SignalResult>;
}
