import type { Plan } from '../../core/action/plan.ts';
import { isReleaseOf, problemOfRelease } from '../../core/action/release-plan.ts';
import type { StepCall, UndoReason } from '../../core/action/step.ts';
import { worse } from '../../core/alert/severity.ts';
import { type ApprovalProof, planIsCovered } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { ReleasedObject } from '../../core/incident/hold.ts';
import { failedWithinMs, type LandedSteps } from '../memory/landed-steps.ts';
import { type Authority, knownOf, mustBeApproved } from './approval-check.ts';

/** After longer than this, a part of a playbook has not simply failed: people have to look at what has happened since. */
const sagaWithinMs = 3_600_000;
/** Maximum difference between the cell's clock and Temporal's, by which the workflow waits. */
const clocksDifferMs = 60_000;

type LeaseEnded = Extract<UndoReason, { kind: 'lease-ended' }>;

/** What people have said about what is to be released, if that is needed. */
interface Said {
  /** The release that they agreed to. Absent: they said that it is harmless. */
  readonly release?: Plan;
  /** When the last of them answered, in milliseconds since 1970. */
  readonly at: number;
}

/** Whether something may be released: checked before it is looked at, and again with the cell's sealed note on it. */
export interface ReleaseRule {
  before(call: StepCall, reason: UndoReason): Promise<void>;
  given(call: StepCall, reason: UndoReason, notes: readonly ReleasedObject[]): Promise<void>;
}

/**
 * Containment may be released if people approved exactly this release; or if its lease has ended by the note on it, by what people have answered since, and by
 * the cell's clock, and silence may free it; or if the step failed; or if a later part of its saga failed, by the note and by the envelope of its playbook.
 * What the call says can only make it stricter.
 */
export function createReleaseRule(parts: Authority & { readonly landed: LandedSteps }): ReleaseRule {
  const now = parts.now ?? Date.now;
  /** The process that seals a note and the one that hears a vote may have different clocks. */
  const clocksMs = parts.warrants || (parts.rules.cells ?? 1) > 1 ? clocksDifferMs : 0;

  /** The release that people agreed to, if it is of this step. */
  const approvedRelease = async (call: StepCall, proof: ApprovalProof, offered: readonly Plan[]): Promise<Said> => {
    const at = await mustBeApproved(parts, call, proof, 'release');
    const release = offered.find((plan) => isReleaseOf(plan, call) && planIsCovered(proof, plan));
    return release ? { release, at } : refuse('the approval belongs to another release');
  };

  /** Undefined if nobody has to approve. */
  const check = async (call: StepCall, reason: UndoReason): Promise<Said | undefined> => {
    if (parts.warrants) return checkElsewhere(call, reason);
    switch (reason.kind) {
      case 'step-failed':
        return undefined;
      case 'saga-failed':
        return refuseSaga(call);
      case 'approved':
        return approvedRelease(call, reason.proof, [reason.plan]);
      case 'lease-ended':
        return atLeaseEnd(call, reason);
    }
  };

  /** A pool has seen no votes, and knows of no extension of a lease: it releases only what people have approved, or what failed. */
  const checkElsewhere = async (call: StepCall, reason: UndoReason): Promise<Said | undefined> => {
    if (reason.kind === 'step-failed') return undefined;
    const proof = releaseProofOf(call, reason);
    if (!proof) return refuse(`nobody has approved the release: a pool releases nothing on its own`);
    return approvedRelease(call, proof.proof, proof.offered);
  };

  /** As the envelope says: so that anyone who reviews a playbook sees what it may release by itself. */
  const refuseSaga = (call: StepCall): undefined => {
    const playbook = parts.asking(call.incident).playbooks.find(({ id }) => id === call.playbook);
    if (playbook?.sagaUndo !== 'below-critical') refuse(`${call.playbook} releases nothing on its own`);
    const { severity } = knownOf(parts, call);
    if (severity === 'critical' || severity === 'unknown')
      refuse(`nothing is released automatically on an incident that is ${severity}`);
    return undefined;
  };

  const isOfSaga = (call: StepCall, notes: readonly ReleasedObject[]): void => {
    const { leases } = parts.votes;
    const forPeople = 'people decide whether it is released';
    for (const { object, step, terms } of notes) {
      const at = Date.parse(terms.at);
      if (step !== call.key) refuse(`${object} is held by another step`);
      if (terms.lease.saga !== true) refuse(`${call.action} on ${object} was not part of a saga: ${forPeople}`);
      if (terms.severity === 'critical' || terms.severity === 'unknown')
        refuse(`${object} was taken on an incident that is ${terms.severity}: ${forPeople}`);
      if (!(now() - at <= sagaWithinMs)) refuse(`${object} has been held since ${terms.at}: ${forPeople}`);
      if (!leases.reachesBackTo(at)) refuse(`this cell does not know what people have decided on ${object} since`);
      if (leases.endOf(call, terms) > at + terms.lease.durationMs) refuse(`people have extended ${call.action} on ${object}`);
    }
  };

  const atLeaseEnd = async (call: StepCall, { verdict, severity, proof }: LeaseEnded): Promise<Said | undefined> => {
    const choice = proof?.question.choices.find(({ id }) => id === proof.choice);
    if (proof && choice?.plans.some((plan) => isReleaseOf(plan, call))) return approvedRelease(call, proof, choice.plans);
    const worst = worse(knownOf(parts, call).severity, severity);
    if (worst === 'critical')
      refuse(
        'on a critical incident a containment is never lifted because nobody answered, only by the answer to the question about its release',
      );
    if (verdict === 'true_positive') refuse('a containment of a confirmed attack is never lifted because nobody answered');
    if (verdict !== 'benign' || !proof) return undefined;
    const at = await mustBeApproved(parts, call, proof, 'release');
    return choice?.harmless === true ? { at } : refuse('nobody has said that it is harmless');
  };

  /** A replayed call carries what people have said about an earlier containment. */
  const isTakenAnew = ({ key }: StepCall, said: Said | undefined, notes: readonly ReleasedObject[]): void => {
    for (const { object, step, terms } of notes) {
      if (step !== key && parts.landed.wasUndone(key)) refuse(`${object} was contained again since this step was released`);
      if (said && Date.parse(terms.at) > said.at + clocksMs) refuse(`${object} was contained after people had answered`);
    }
  };

  const hasEnded = (call: StepCall, { verdict, proof }: LeaseEnded, notes: readonly ReleasedObject[]): void => {
    const { leases } = parts.votes;
    for (const { object, terms } of notes) {
      const ends = leases.endOf(call, terms);
      if (ends === Number.POSITIVE_INFINITY) refuse(`people decided to keep ${call.action} on ${object} for good`);
      if (!(ends <= now() + clocksDifferMs))
        refuse(`the lease of ${call.action} on ${object} lasts until ${new Date(ends).toISOString()}`);
      // Nobody has said that it is harmless: then silence frees only if the playbook said so beforehand.
      if (verdict === 'benign' && proof) continue;
      if (!leases.reachesBackTo(Date.parse(terms.at)))
        refuse(`this cell does not know whether people have extended ${call.action} on ${object}`);
      if (terms.lease.onExpiry !== 'release' || terms.severity === 'unknown')
        refuse(`silence renews ${call.action} on ${object}, and never releases it`);
    }
  };

  const hasFailed = ({ key }: StepCall, notes: readonly ReleasedObject[]): void => {
    for (const { object, step, terms } of notes) {
      const at = Date.parse(terms.at);
      if (step !== key) refuse(`${object} is held by another step, which succeeded`);
      if (parts.landed.mayHaveLanded(step, at)) refuse('the step succeeded: people decide whether it is undone');
      if (!(now() - at <= failedWithinMs))
        refuse(`${object} has been held since ${terms.at}: people decide whether it is released`);
    }
  };

  return {
    before: async (call, reason) => {
      await check(call, reason);
    },
    given: async (call, reason, notes) => {
      if (notes.some(({ incident }) => incident !== call.incident.id)) refuse('it belongs to another incident');
      const severity = notes.reduce((worst, { terms }) => worse(worst, terms.severity), call.severity);
      const said = await check({ ...call, severity }, reason);
      const release = said?.release;
      const problem = release && problemOfRelease(release, notes);
      if (problem !== undefined) refuse(problem);
      isTakenAnew(call, said, notes);
      if (!release && notes.length === 0) refuse('nothing is left that says who took it: people decide whether it is released');
      if (reason.kind === 'step-failed') hasFailed(call, notes);
      if (reason.kind === 'saga-failed') isOfSaga(call, notes);
      if (reason.kind === 'lease-ended' && !release) hasEnded(call, reason, notes);
    },
  };
}

/** What people have said about exactly the release of this step, and the plans that they were shown. */
export function releaseProofOf(
  call: StepCall,
  reason: UndoReason,
): { readonly proof: ApprovalProof; readonly offered: readonly Plan[] } | undefined {
  if (reason.kind === 'approved') return { proof: reason.proof, offered: [reason.plan] };
  if (reason.kind !== 'lease-ended' || !reason.proof) return undefined;
  const { proof } = reason;
  const offered = proof.question.choices.find(({ id }) => id === proof.choice)?.plans ?? [];
  return offered.some((plan) => isReleaseOf(plan, call)) ? { proof, offered } : undefined;
}

function refuse(reason: string): never {
  throw new FirebreakError('FB_ERR_APPROVAL_INVALID', reason);
}
