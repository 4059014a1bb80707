import type { AlertBatch, IncidentNote, IncidentStart } from '../../../core/incident/incident.ts';
import type { SearchAttributeName } from '../../../core/incident/search-attributes.ts';

/** The service did not accept it, or did not answer: send it again later, with the same ids. `detail` is safe to log. */
interface Unavailable {
  readonly kind: 'unavailable';
  readonly detail: string;
}

/** The service will never accept this: sending it again is pointless. `detail` is safe to log. */
interface RefusedForGood {
  readonly kind: 'refused';
  readonly detail: string;
}

export type StartResult =
  /** `run` is the first execution's run id, `build` the build it was started with. */
  | { readonly kind: 'started'; readonly run: string; readonly build?: string | undefined }
  /** The incident is already running: nothing of this start was accepted. */
  | { readonly kind: 'already-started' }
  | RefusedForGood
  | Unavailable;

export type SignalResult =
  | { readonly kind: 'signalled' }
  /** No run of this incident is open. */
  | { readonly kind: 'not-found' }
  /** The run accepts no more signals for now, because it is full or closing. Nothing was accepted. */
  | { readonly kind: 'limit' }
  | Unavailable;

export interface StartOptions {
  /** Ask for the first workflow task right away, if this process can run it. */
  readonly eager: boolean;
  /** 1 (first) to 5. */
  readonly priority: 1 | 2 | 3 | 4 | 5;
  readonly searchAttributes: Readonly<Partial<Record<SearchAttributeName, string | readonly string[]>>>;
}

/** Connects the intake to the durable incidents. Never throws; both calls are safe to repeat with the same ids. */
export interface IncidentGateway {
  start(id: string, start: IncidentStart, options: StartOptions): Promise<StartResult>;
  signal(id: string, batch: AlertBatch): Promise<SignalResult>;
  /** Adds a line to an open incident; starts nothing. */
  note(id: string, note: IncidentNote): Promise<SignalResult>;
}
