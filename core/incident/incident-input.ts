import type { Plan } from '../action/plan.ts';
import type { IncidentSettings, StepCall, UndoReason } from '../action/step.ts';
import type { Alert } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { CarriedRecords, OutgoingRecord } from '../audit/alert-archive.ts';
import type { TicketLink } from '../tickets/ticket.ts';
import type { PendingEffect } from './effect.ts';
import type { IncidentStart } from './incident.ts';
import type { IncidentState } from './incident-state.ts';

/** A reversible effect in force: its lease is in the state; this is what its undo needs. */
export interface Holding {
  readonly leaseId: string;
  readonly call: StepCall;
  /** The plan as it was applied; absent until then. */
  readonly plan?: Plan;
  readonly output?: unknown;
  /** Why it is to be released, if the release is refused for now. */
  readonly release?: UndoReason;
}

/** What an incident remembers about its ticket and its page. */
export interface FollowUpState {
  readonly tickets: readonly TicketLink[];
  /** Lines of the next comment. */
  readonly lines: readonly string[];
  readonly comments: number;
  /** The ticket system failed for a whole day. */
  readonly gaveUp: boolean;
  /** Why people are being called now: questions, and leases as `lease:ID`. */
  readonly calledFor: readonly string[];
  readonly calledGroups: readonly string[];
  readonly calls: number;
  /** Number of the call with which the current or last page began. */
  readonly pageBegan: number;
  /** What mode `contain` would have done about the worst alert so far, in words. Absent: the same. */
  readonly wouldHave?: string;
  /** What the worst alert so far says happened. Absent: from a run that kept none. */
  readonly what?: { readonly what: string; readonly severity: Severity };
  /** The last ticket or page event that was read, and its text. Absent: none yet. */
  readonly news?: { readonly number: number; readonly words: string };
}

/** What an incident carries over on continue-as-new: plain data, no body is open then. */
/** The card of a question that is over: it is edited once more when what is contained ends. */
export interface CarriedCard {
  readonly question: string;
  readonly alert: Alert;
}

export interface CarriedIncident {
  readonly state: IncidentState;
  readonly holdings: readonly Holding[];
  readonly seen: readonly string[];
  readonly pendingRecords: readonly OutgoingRecord[];
  /** Records of earlier runs that somebody ended. Absent: none. */
  readonly handedRecords?: CarriedRecords;
  readonly callCounters: Readonly<Record<string, number>>;
  readonly followUp?: FollowUpState;
  /** Quarantines whose effect is still to be checked. Absent: none. */
  readonly effects?: readonly PendingEffect[];
  /** Names of the voters by id, used only in texts. Absent: from a run that kept none. */
  readonly names?: Readonly<Record<string, string>>;
  /** Absent: no card can change any more. */
  readonly cards?: readonly CarriedCard[];
}

/** The one argument of the incident workflow. */
export interface IncidentInput {
  readonly start: IncidentStart;
  readonly settings: IncidentSettings;
  readonly carried?: CarriedIncident;
}
