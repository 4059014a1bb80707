import type { z } from 'zod';
import type { ActionDeclaration, ActionImplementation } from '../../core/action/action.ts';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { WorkloadRef } from '../../core/alert/alert.ts';
import type { ResponsePolicy } from '../../core/assessment/assessment.ts';
import type { containedBySilence, SilenceProof } from '../../core/assessment/silence-seal.ts';
import type { StepOutcome } from '../../core/cluster/object-event.ts';
import type { ApprovalProof, SignedVote } from '../../core/decide/approval.ts';
import type { AskingIn } from '../../core/decide/asking.ts';
import type { SignIn, StepUpPolicy } from '../../core/decide/step-up.ts';
import type { StepUp, VoteKeys } from '../../core/decide/vote-check.ts';
import type { Warrant } from '../../core/decide/warrant.ts';
import type { EvidenceRef } from '../../core/evidence/evidence.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import type { ActiveRestraint, Restrainable } from '../../core/orders/restraint.ts';
import type { Roster } from '../../core/people/roster.ts';
import type { IncidentMemory } from '../memory/incident-memory.ts';
import type { LandedSteps } from '../memory/landed-steps.ts';
import type { VoteMemory } from '../memory/vote-memory.ts';
import type { StepRegister } from './step-register.ts';

/** How long a destructive step waits for evidence, as far as the cell itself knows. */
export interface EvidenceWait {
  readonly ms: number;
}

/** One action as the chokepoint runs it: its declaration, its input schema, and its implementation. */
export interface RegisteredAction<Input = unknown, Output = unknown> {
  readonly declaration: ActionDeclaration<string, Input, Output>;
  readonly input: z.ZodType<Input>;
  readonly implementation: ActionImplementation<Input, Output>;
}

/** For the cluster, and for one namespace. */
export interface ContainedCount {
  readonly total: number;
  readonly namespace: number;
}

/** Counts pods. From the watch cache: no call on the fast path. */
export interface Census {
  /** Number of pods of the workload, including contained ones. */
  ownerReplicas(call: StepCall): number | undefined;
  /** How many pods are contained, not counting the one with this uid. Called for each containment, so it does not list them. */
  contained(except: string | undefined, namespace: string): ContainedCount;
  isContained(uid: string): boolean;
  /** Pods of this namespace that this incident has contained, as their sealed before-states prove, even if the label was removed. */
  containedBy(incident: string, namespace: string): ReadonlySet<string>;
}

/**
 * Reads the identity provider's tokens that votes carry.
 * @throws FB_ERR_UNAVAILABLE while the provider's keys cannot be fetched: the step waits.
 */
export interface SignInReader {
  readonly policy: StepUpPolicy;
  read(votes: readonly SignedVote[]): Promise<StepUp>;
  /** The sign-in of a token that was valid at `at` (milliseconds since 1970); undefined for one that the provider did not issue for us. */
  readToken(idToken: string, at: number): Promise<SignIn | undefined>;
}

/**
 * Which approved steps the cells of a cluster have done, taken together: each cell remembers only its own, and a call can be sent to another one.
 * @throws if it cannot be read or stored: the call comes again
 */
export interface StepsOfCells {
  /** Undefined: no cell has done it. Without `output`: one has, but its result is no longer known. */
  doneBefore(incident: string, step: string): Promise<{ readonly output?: unknown } | undefined>;
  done(incident: string, step: string, output: unknown): Promise<void>;
}

export interface ChokepointParts {
  readonly actions: readonly RegisteredAction[];
  readonly rules: GuardrailRules;
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Absent: no step needs a sign-in. */
  readonly signIns?: SignInReader;
  readonly census: Census;
  /** Whether a signed manifest of this target really exists in the evidence store. */
  readonly hasEvidence: (ref: EvidenceRef, incident: string) => Promise<boolean>;
  readonly evidenceWait: EvidenceWait;
  /** Who may be asked, regardless of what a question says. */
  readonly asking: AskingIn;
  /** What this process itself has heard about incidents. */
  readonly incidents: IncidentMemory;
  /** Which votes this process has seen arrive. */
  readonly votes: VoteMemory;
  /** For a pool, which has heard no alerts and has seen no votes: an approved step needs a cell's warrant. Absent: this is the cell. */
  readonly warrants?: WarrantRule;
  readonly now?: () => number;
  readonly steps?: StepRegister;
  /** Whether this text is a cell's confirmation that the pod with this uid is to be cut off without people. Absent: nothing is done to a pod without them. */
  readonly isAssessed?: (text: string | undefined, podUid: string | undefined) => boolean;
  /** From when on silence contains a pod, by what the cell has sealed. Absent: silence does nothing. */
  readonly bySilence?: (
    unanswered: SilenceProof,
    of: { readonly podUid: string | undefined; readonly incident: IncidentRef },
  ) => ReturnType<typeof containedBySilence>;
  /** Absent: remembered for as long as the process lives. */
  readonly landed?: LandedSteps;
  /** Absent: there is one cell. */
  readonly stepsOfCells?: StepsOfCells;
  /** The strictest freeze or observe mode that applies to a step now. From memory: no call on the fast path. */
  readonly restraintOn?: (step: Restrainable) => ActiveRestraint | undefined;
  /** What the configuration lets the cell do to a target. From memory, and nothing that Temporal says makes it stronger. Absent: no limit. */
  readonly policyOn?: (step: PolicyStep) => ResponsePolicy;
  /** Marks what is written to the cluster meanwhile as written by a step that is allowed. */
  readonly writing?: WriteBarrier | undefined;
  /** Notifies the owners of what was touched. Returns at once, and never throws. Absent: nobody is notified. */
  readonly tell?: ((outcome: StepOutcome) => void) | undefined;
}

/** What a step is about, as far as the policy asks for it. */
export interface PolicyStep {
  readonly namespaces: readonly string[];
  /** Of the target, if it is a pod. */
  readonly uid?: string | undefined;
  readonly workload?: WorkloadRef | undefined;
  /** According to the call. */
  readonly playbook: string;
  readonly incident: IncidentRef;
}

/** Stops what is written where the configuration lets nothing be written. */
export interface WriteBarrier {
  /** A step that the guardrails have let through: it may write to objects of the whole cluster. */
  step<T>(work: () => Promise<T>): Promise<T>;
  /** A release of what was taken earlier: it is not stopped, or it would stay taken for good. */
  release<T>(work: () => Promise<T>): Promise<T>;
}

/** What a pool in its own process requires of an approved step. */
export interface WarrantRule {
  /** Returns the warrant of this call, with a valid signature and binding. @throws FB_ERR_APPROVAL_INVALID */
  read(call: StepCall): Warrant;
  /**
   * Returns the warrant of this call for the release that people have approved with this proof; it must also be current. @throws FB_ERR_APPROVAL_INVALID,
   * FB_ERR_WARRANT_OUTDATED
   */
  readRelease(call: StepCall, proof: ApprovalProof): Warrant;
  /**
   * Takes the warrant of a step that is about to begin: it must be current, and not used by another call. @throws FB_ERR_APPROVAL_INVALID,
   * FB_ERR_WARRANT_OUTDATED
   */
  take(call: StepCall, order: string): void;
}
