import type { IncidentRef } from './incident.ts';

/** What is filed. `key` makes it happen once: it is found again by it. Texts are plain; the integration escapes. */
export interface TicketRequest {
  readonly key: string;
  readonly incident: IncidentRef;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
}

/** `ambiguous`: the create timed out and cannot be found yet; it is looked for again before anything is created. */
export interface Ticket {
  readonly state: 'created' | 'existing' | 'ambiguous';
  readonly id?: string;
  readonly url?: string;
}

/** One ticket system. `open` is find → create → confirm, idempotent by `request.key`. */
export interface TicketSystem {
  readonly name: string;
  /** @throws FB_ERR_UNAVAILABLE (retry), FB_ERR_REFUSED (do not). */
  open(request: TicketRequest, signal: AbortSignal): Promise<Ticket>;
  comment(call: { readonly id: string; readonly key: string; readonly text: string }, signal: AbortSignal): Promise<void>;
  close(call: { readonly id: string; readonly reason: 'completed' | 'not_planned' }, signal: AbortSignal): Promise<void>;
}
