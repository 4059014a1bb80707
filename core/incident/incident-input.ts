import type { Plan } from '../action/plan.ts';
import type { IncidentSettings, StepCall, UndoReason } from '../action/step.ts';
import type { CarriedRecords, OutgoingRecord } from '../audit/alert-archive.ts';
import type { TicketLink } from '../tickets/ticket.ts';
import type { PendingEffect } from './effect.ts';
import type { IncidentStart } from './incident.ts';
import type { IncidentState } from './incident-state.ts';

/** A reversible effect in force: its lease is in the state, and this is what its undo needs. */
export interface Holding {
  readonly leaseId: string;
  readonly call: StepCall;
  /** As it landed; absent until then. */
  readonly plan?: Plan;
  readonly output?: unknown;
  /** Why it is to be given back, where that is refused for now. */
  readonly release?: UndoReason;
}

/** What an incident remembers of its ticket and its page. */
export interface FollowUpState {
  readonly tickets: readonly TicketLink[];
  /** What the next comment says. */
  readonly lines: readonly string[];
  readonly comments: number;
  /** The ticket system failed for a whole day. */
  readonly gaveUp: boolean;
  /** Why people are called now: questions, and leases as `lease:ID`. */
  readonly calledFor: readonly string[];
  readonly calledGroups: readonly string[];
  readonly calls: number;
  /** By which of them the page began that is open, or was last. */
  readonly pageBegan: number;
  /** The last event of ticket or page that was read, and what it was. Absent: none yet. */
  readonly news?: { readonly number: number; readonly words: string };
}

/** What an incident takes with it when its history is cut: plain data, no body is open then. */
export interface CarriedIncident {
  readonly state: IncidentState;
  readonly holdings: readonly Holding[];
  readonly seen: readonly string[];
  readonly pendingRecords: readonly OutgoingRecord[];
  /** Of runs before this one that somebody has ended. Absent: none. */
  readonly handedRecords?: CarriedRecords;
  readonly callCounters: Readonly<Record<string, number>>;
  readonly followUp?: FollowUpState;
  /** Quarantines that are still to be looked at. Absent: none. */
  readonly effects?: readonly PendingEffect[];
  /** What those who have voted are called, by their ids: for the texts, and for nothing else. Absent: of a run that kept none. */
  readonly names?: Readonly<Record<string, string>>;
}

/** The one argument of the incident workflow. */
export interface IncidentInput {
  readonly start: IncidentStart;
  readonly settings: IncidentSettings;
  readonly carried?: CarriedIncident;
}
