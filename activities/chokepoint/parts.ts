import type { z } from 'zod';
import type { ActionDeclaration, ActionImplementation } from '../../core/action/action.ts';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { StepOutcome } from '../../core/cluster/object-event.ts';
import type { ApprovalProof, SignedVote } from '../../core/decide/approval.ts';
import type { AskingIn } from '../../core/decide/asking.ts';
import type { SignIn, StepUpPolicy } from '../../core/decide/step-up.ts';
import type { StepUp, VoteKeys } from '../../core/decide/vote-check.ts';
import type { Warrant } from '../../core/decide/warrant.ts';
import type { EvidenceRef } from '../../core/evidence/evidence.ts';
import type { ActiveRestraint, Restrainable } from '../../core/orders/restraint.ts';
import type { Roster } from '../../core/people/roster.ts';
import type { IncidentMemory } from '../memory/incident-memory.ts';
import type { LandedSteps } from '../memory/landed-steps.ts';
import type { VoteMemory } from '../memory/vote-memory.ts';
import type { StepRegister } from './step-register.ts';

/** How long a destructive step waits for evidence, by what the cell itself knows. */
export interface EvidenceWait {
  readonly ms: number;
}

/** One action as the chokepoint runs it: what it declares, what its input must be, what does it. */
export interface RegisteredAction<Input = unknown, Output = unknown> {
  readonly declaration: ActionDeclaration<string, Input, Output>;
  readonly input: z.ZodType<Input>;
  readonly implementation: ActionImplementation<Input, Output>;
}

/** Of the cluster, and of one namespace. */
export interface ContainedCount {
  readonly total: number;
  readonly namespace: number;
}

/** Who knows how many there are. From the watch cache: no call on the fast path. */
export interface Census {
  /** Pods of the workload, contained ones included. */
  ownerReplicas(call: StepCall): number | undefined;
  /** How many pods are contained, the one with this uid not counted. It is asked for each containment, so it does not list them. */
  contained(except: string | undefined, namespace: string): ContainedCount;
  isContained(uid: string): boolean;
  /** Pods of this namespace that this incident has taken, as their sealed before-states prove, with the label or robbed of it. */
  containedBy(incident: string, namespace: string): ReadonlySet<string>;
}

/**
 * Who reads the identity provider's tokens that votes carry.
 * @throws FB_ERR_UNAVAILABLE while the provider's keys cannot be had: the step waits.
 */
export interface SignInReader {
  readonly policy: StepUpPolicy;
  read(votes: readonly SignedVote[]): Promise<StepUp>;
  /** Of one token that was valid at `at` (milliseconds since 1970); undefined for one that the provider did not make for us. */
  readToken(idToken: string, at: number): Promise<SignIn | undefined>;
}

/**
 * Which steps that people approved the cells of a cluster have done, together: each remembers only its own, and a call can be sent to another one.
 * @throws where it cannot be had or kept: the call comes again
 */
export interface StepsOfCells {
  /** Undefined: no cell has. Without `output`: one has, and what came of it cannot be told any more. */
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
  /** Whether a signed manifest of this target is really in the evidence store. */
  readonly hasEvidence: (ref: EvidenceRef, incident: string) => Promise<boolean>;
  readonly evidenceWait: EvidenceWait;
  /** Who may be asked, whatever a question says. */
  readonly asking: AskingIn;
  /** What this process has heard of incidents itself. */
  readonly incidents: IncidentMemory;
  /** Which votes it has seen arrive. */
  readonly votes: VoteMemory;
  /** Of a pool, which has heard no alerts and has seen no votes: an approved step needs a cell's warrant. Absent: this is the cell. */
  readonly warrants?: WarrantRule;
  readonly now?: () => number;
  readonly steps?: StepRegister;
  /** Absent: remembered for as long as the process lives. */
  readonly landed?: LandedSteps;
  /** Absent: there is one cell. */
  readonly stepsOfCells?: StepsOfCells;
  /** The strictest freeze or observe mode on a step now. From memory: no call on the fast path. */
  readonly restraintOn?: (step: Restrainable) => ActiveRestraint | undefined;
  /** Who tells the owners of what was touched. Returns at once, and never throws. Absent: nobody. */
  readonly tell?: ((outcome: StepOutcome) => void) | undefined;
}

/** What a pool in a process of its own holds an approved step to. */
export interface WarrantRule {
  /** The warrant of this call, whose signature and binding hold. @throws FB_ERR_APPROVAL_INVALID */
  read(call: StepCall): Warrant;
  /** The warrant of this call for the release that people have approved by this proof: it is of now, too. @throws FB_ERR_APPROVAL_INVALID, FB_ERR_WARRANT_OUTDATED */
  readRelease(call: StepCall, proof: ApprovalProof): Warrant;
  /** Of a step that is about to begin: it is of now, and no other call has used it. @throws FB_ERR_APPROVAL_INVALID, FB_ERR_WARRANT_OUTDATED */
  take(call: StepCall, order: string): void;
}
