import type { ApprovalProof } from '../core/approval.ts';
import { digestOf } from '../core/digest.ts';
import { FirebreakError } from '../core/errors.ts';
import type { Plan } from '../core/plan.ts';
import type { StepCall } from '../core/step.ts';
import { checkProof } from '../core/vote-check.ts';
import type { ChokepointParts } from './chokepoint.ts';

/** Who may answer, and by what it is told. */
export type Authority = Pick<ChokepointParts, 'roster' | 'keys' | 'rules' | 'now' | 'signIns'>;

/** The plan of this step that people said yes to. */
export function approvedPlan(call: StepCall): Plan | undefined {
  const { approval } = call;
  const choice = approval?.question.choices.find((offered) => offered.id === approval.choice);
  return choice?.plans.find((plan) => plan.action === call.action && plan.inputDigest === digestOf(call.input));
}

/** The proof is of this very run of this incident, and its votes stand today. What it approves is the caller's to compare. */
export async function mustBeApproved(parts: Authority, call: StepCall, proof: ApprovalProof): Promise<void> {
  const { incident } = proof.question;
  if (incident.id !== call.incident.id || incident.run !== call.incident.run)
    throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'the approval is of another incident');
  const stepUp = await parts.signIns?.read(proof.votes);
  const result = checkProof({
    proof,
    severity: call.severity,
    roster: parts.roster,
    keys: parts.keys,
    now: (parts.now ?? Date.now)(),
    protectedNamespaces: parts.rules.protectedNamespaces,
    ...(call.actors && { actors: call.actors }),
    ...(stepUp && { stepUp }),
  });
  if (!result.ok) throw new FirebreakError('FB_ERR_APPROVAL_INVALID', result.reason);
}
