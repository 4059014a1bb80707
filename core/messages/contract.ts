import type { CellActivities, DeskActivities, FollowUpActivities, LookActivities, WarrantActivities } from '../action/step.ts';
import type { IntakeReport } from '../alert/intake-report.ts';
import type { StormReport } from '../alert/storm.ts';
import type { SignedVote } from '../decide/approval.ts';
import type { ControlActivities, ControlInput, ControlState, EvidenceActivities, KnownDecisions } from '../decide/control.ts';
import type { AnyOrder } from '../decide/decision.ts';
import type { AlertBatch, IncidentNote } from '../incident/incident.ts';
import type { IncidentState } from '../incident/incident-state.ts';
import type { SignedRemark } from '../incident/remark.ts';
import type { SignedOrder } from '../orders/order.ts';
import type { ScheduleActivities } from '../playbook/scheduled-runs.ts';

/** What a workflow may have done, by the role whose queue it asks. */
export interface ActivitiesByRole {
  readonly cell: CellActivities &
    WarrantActivities &
    LookActivities &
    ControlActivities &
    EvidenceActivities &
    ScheduleActivities;
  readonly secrets: CellActivities;
  readonly forensics: CellActivities;
  readonly packs: CellActivities;
  readonly desk: CellActivities & DeskActivities & FollowUpActivities;
}

/** What each workflow is told, as those who tell it write it. A workflow itself takes what came from people for unknown until the cell has looked at it. */
export interface SignalsByWorkflow {
  readonly incident: {
    readonly alerts: [AlertBatch];
    readonly note: [IncidentNote];
    readonly vote: [SignedVote];
    readonly remark: [SignedRemark];
    readonly ticketNews: [];
  };
  readonly control: {
    readonly order: [SignedOrder<AnyOrder>];
    readonly vote: [SignedVote];
    readonly storm: [StormReport];
    readonly intake: [IntakeReport];
    readonly expireEvidence: [];
    readonly recall: [KnownDecisions];
    /** Id of the build. */
    readonly handOver: [string];
  };
}

/** What each workflow says of itself, while it runs and as its result. */
export interface StateByWorkflow {
  readonly incident: IncidentState;
  readonly control: ControlState;
}

/** What a workflow of one build hands to the next run, which another build may be. An incident stays on its build, the control workflow does not. */
export interface HandedOver {
  readonly control: ControlInput;
}
