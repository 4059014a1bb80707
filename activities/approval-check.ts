import { type ApprovalProof, planIsCovered } from '../core/approval.ts';
import { digestOf } from '../core/digest.ts';
import { FirebreakError } from '../core/errors.ts';
import type { Plan } from '../core/plan.ts';
import { worse } from '../core/severity.ts';
import type { StepCall, UndoCall } from '../core/step.ts';
import type { Taken } from '../core/taken.ts';
import { checkProof } from '../core/vote-check.ts';
import type { ChokepointParts } from './chokepoint.ts';

/** A step that did not come about is taken back by then, or by people. */
const failedWithinMs = 15 * 60_000;

/** Who may answer, and by what it is told. */
type Authority = Pick<ChokepointParts, 'roster' | 'keys' | 'rules' | 'now' | 'signIns'>;

/** The plan of this step that people said yes to. */
export function approvedPlan(call: StepCall): Plan | undefined {
  const { approval } = call;
  const choice = approval?.question.choices.find((offered) => offered.id === approval.choice);
  return choice?.plans.find((plan) => plan.action === call.action && plan.inputDigest === digestOf(call.input));
}

/** On critical a lease ends by itself only where people have approved its release: the workflow's own `benign` frees nothing. */
async function saidBenign(
  parts: Authority,
  call: StepCall,
  { verdict, proof }: Extract<UndoCall['reason'], { kind: 'lease-ended' }>,
): Promise<void> {
  if (verdict !== 'benign' || !proof) {
    throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'on a critical incident silence never frees');
  }
  await mustBeApproved(parts, call, proof);
  if (!offersUndo(proof, call)) throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'the approval is not of this release');
}

function offersUndo(proof: ApprovalProof, call: StepCall): boolean {
  const choice = proof.question.choices.find((offered) => offered.id === proof.choice);
  return choice?.plans.some((plan) => isUndoOf(plan, call)) === true;
}

function isUndoOf(plan: Plan, call: StepCall): boolean {
  return plan.action === `undo:${call.action}` && plan.inputDigest === digestOf({ key: call.key });
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

/**
 * The same, held to what the note on the object says of when it was taken: a workflow that claims less than that, or that a step which has been in
 * force for long did not come about, needs the people whom it should have asked.
 */
export async function mayUndoTaken(
  parts: Authority,
  call: StepCall,
  reason: UndoCall['reason'],
  taken: Taken | undefined,
): Promise<void> {
  if (!taken) return;
  if (reason.kind === 'step-failed') {
    const age = (parts.now ?? Date.now)() - Date.parse(taken.at);
    if (age <= failedWithinMs) return;
    throw new FirebreakError(
      'FB_ERR_APPROVAL_INVALID',
      `it has been in force since ${taken.at}: giving it back is for people to decide`,
    );
  }
  const severity = worse(call.severity, taken.severity);
  if (severity !== call.severity) await mayUndo(parts, { ...call, severity }, reason);
}

/** Giving containment back: people approved exactly this undo, or the lease ended where silence may free, or the step itself failed. */
export async function mayUndo(parts: Authority, call: StepCall, reason: UndoCall['reason']): Promise<void> {
  if (reason.kind === 'step-failed') return;
  if (reason.kind === 'lease-ended') {
    if (worse(call.severity, reason.severity) === 'critical') await saidBenign(parts, call, reason);
    return;
  }
  const { proof, plan } = reason;
  await mustBeApproved(parts, call, proof);
  const fits = isUndoOf(plan, call) && planIsCovered(proof, plan);
  if (!fits) throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'the approval is of another release');
}
