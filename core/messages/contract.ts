import type { CellActivities, DeskActivities, FollowUpActivities, LookActivities, WarrantActivities } from '../action/step.ts';
import type { IntakeReport } from '../alert/intake-report.ts';
import type { StormReport } from '../alert/storm.ts';
import type { SignedVote } from '../decide/approval.ts';
import type {
  ControlActivities,
  ControlInput,
  ControlState,
  EvidenceActivities,
  HaltedRunReport,
  KnownDecisions,
} from '../decide/control.ts';
import type { AnyOrder } from '../decide/decision.ts';
import type { AlertBatch, IncidentNote } from '../incident/incident.ts';
import type { IncidentState } from '../incident/incident-state.ts';
import type { SignedRemark } from '../incident/remark.ts';
import type { SignedOrder } from '../orders/order.ts';
import type { ScheduleActivities } from '../playbook/scheduled-runs.ts';

/** The activities that a workflow may call, by the role whose queue it calls. */
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

/** The signals of each workflow, as their senders type them. A workflow itself treats what came from people as unknown until the cell has checked it. */
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
    readonly setAside: [HaltedRunReport];
    readonly expireEvidence: [];
    readonly recall: [KnownDecisions];
    /** Id of the build. */
    readonly handOver: [string];
  };
}

/** What each workflow reports about itself, while it runs and as its result. */
export interface StateByWorkflow {
  readonly incident: IncidentState;
  readonly control: ControlState;
}

/** What a workflow hands to its next run, which may be of another build. An incident stays on its build, the control workflow does not. */
export interface HandedOver {
  readonly control: ControlInput;
}
