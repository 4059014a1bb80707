import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import { worse } from '../../core/alert/severity.ts';
import type { ApprovalProof, SignedVote } from '../../core/decide/approval.ts';
import { type Approved, groupsAskedBy, leastSeverityOf, problemOfApproval } from '../../core/decide/asking.ts';
import { checkProof, clockToleranceMs, timeOf } from '../../core/decide/vote-check.ts';
import { FirebreakError } from '../../core/errors.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { ChokepointParts } from './parts.ts';

/** What is needed to decide who may answer. */
export type Authority = Pick<
  ChokepointParts,
  'roster' | 'keys' | 'rules' | 'now' | 'signIns' | 'asking' | 'incidents' | 'votes' | 'warrants'
>;

/** The plan of this step that people approved. */
export function approvedPlan(call: StepCall): Plan | undefined {
  const { approval } = call;
  const choice = approval?.question.choices.find((offered) => offered.id === approval.choice);
  return choice?.plans.find((plan) => plan.action === call.action && plan.inputDigest === digestOf(call.input));
}

/** What the cell knows of a call's incident; the call can only add to it. */
export function knownOf(parts: Pick<Authority, 'incidents' | 'asking'>, call: StepCall) {
  const known = parts.incidents.of(call.incident);
  return {
    actors: [...new Set([...known.actors, ...(call.actors ?? [])])],
    requesters: known.requesters,
    severity: [known.severity, leastSeverityOf(call.playbook, parts.asking(call.incident))].reduce(worse, call.severity),
    playbooks: known.playbooks,
  };
}

/**
 * Requires that the proof is for this very run of this incident, and that its votes are valid today. Who was asked, who may not answer and how many are needed
 * is what the cell itself knows. The caller must compare what it approves.
 *
 * @returns when the last of them had said so, in milliseconds since 1970
 */
export async function mustBeApproved(parts: Authority, call: StepCall, proof: ApprovalProof, as: Approved): Promise<number> {
  const { incident, requester } = proof.question;
  if (incident.id !== call.incident.id || incident.run !== call.incident.run) refuse('the approval belongs to another incident');
  const { actors, requesters, severity, playbooks } = knownOf(parts, call);
  // A pool has heard and seen nothing itself: the warrant adds what the cell knows.
  const warrant = as === 'release' ? parts.warrants?.readRelease(call, proof) : parts.warrants?.read(call);
  const asking = parts.asking(call.incident);
  const problem = problemOfApproval(proof, { ...call, as }, asking);
  if (problem !== undefined) refuse(problem);
  const asker = requester.replace(/^playbook\//, '');
  if (parts.votes.isAskedAnew(proof.question)) refuse('the question has since been asked again, and answered');
  const stepUp = await parts.signIns?.read(proof.votes);
  const seen = parts.votes.of(proof.question);
  const toldAt = ({ signature }: SignedVote) => warrant?.deciders.find((one) => one.signature === signature)?.at;
  const result = checkProof({
    proof,
    severity: [severity, leastSeverityOf(asker, asking)].reduce(worse, warrant?.severity ?? 'unknown'),
    roster: parts.roster,
    keys: parts.keys,
    now: (parts.now ?? Date.now)(),
    protectedNamespaces: parts.rules.protectedNamespaces,
    actors: [...new Set([...actors, ...(warrant?.actors ?? [])])],
    requesters: [...new Set([...requesters, ...(warrant?.requesters ?? [])])],
    groups: groupsAskedBy(proof.question, asking, playbooks),
    seen,
    cameAt: toldAt,
    ...(stepUp && { stepUp }),
  });
  if (!result.ok) refuse(result.reason);
  const cameAt = (signed: SignedVote): number =>
    seen.find((one) => one.signed.signature === signed.signature)?.at ??
    toldAt(signed) ??
    (timeOf(signed.vote) ?? 0) + clockToleranceMs;
  return Math.max(...proof.votes.map(cameAt));
}

function refuse(reason: string): never {
  throw new FirebreakError('FB_ERR_APPROVAL_INVALID', reason);
}
