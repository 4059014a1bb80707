import type { ActionDeclaration } from '../../core/action/action.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import { evidenceSubject, isEvidenceOf, waiverOf } from '../../core/action/waiver.ts';
import { planIsCovered } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type Authority, mustBeApproved } from './approval-check.ts';
import type { ChokepointParts } from './parts.ts';

/** Maximum difference between the clocks of the cell and of Temporal's server: a wait that is over by one is not refused by the other. */
const clocksDifferMs = 2_000;

/** @throws FB_ERR_EVIDENCE_PENDING, FB_ERR_APPROVAL_INVALID, FB_ERR_UNAVAILABLE */
export type EvidenceRule = (call: StepCall, declaration: ActionDeclaration, plan: Plan) => Promise<void>;

/**
 * Nothing is destroyed until evidence of it is kept, people have waived that, or its time is over. Each is checked here: evidence must be in the store under a
 * signed manifest, a waiver must have its votes, and the time is over only if workflow and cell both say so; the cell counts from when it first heard of the
 * incident.
 */
export function createEvidenceRule(parts: Authority & Pick<ChokepointParts, 'hasEvidence' | 'evidenceWait'>): EvidenceRule {
  const now = (): number => (parts.now ?? Date.now)() + clocksDifferMs;

  return async (call, declaration, plan) => {
    if (declaration.effect !== 'destructive') return;
    // Checked first: an unreachable store must not hold up a step that no longer waits for it.
    const isOverForIncident = Date.parse(call.evidenceDeadline) <= now();
    const ends = parts.incidents.began(call.incident) + parts.evidenceWait.ms;
    if (isOverForIncident && ends <= now()) return;
    const subject = evidenceSubject(plan);
    for (const ref of call.evidence) if (isEvidenceOf(ref, subject) && (await parts.hasEvidence(ref, call.incident.id))) return;
    const pending = `no evidence of ${subject.name} is kept yet`;
    // The cell heard of the incident after it began: on a retry, the step is done once the time is over here, too.
    if (!call.waiver && isOverForIncident)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `${pending}: this process waits for it until ${new Date(ends).toISOString()}`,
      );
    if (!call.waiver) throw new FirebreakError('FB_ERR_EVIDENCE_PENDING', pending);
    await mustBeApproved(parts, call, call.waiver, 'waiver');
    if (!planIsCovered(call.waiver, waiverOf(subject)))
      throw new FirebreakError('FB_ERR_EVIDENCE_PENDING', `${pending}, and people waived something else`);
  };
}
