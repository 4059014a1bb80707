import { randomUUID } from 'node:crypto';
import { type Plan, planDigest } from '../../core/action/plan.ts';
import { isReleaseOf } from '../../core/action/release-plan.ts';
import type { StepCall, UndoCall } from '../../core/action/step.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import {
  isOutdated,
  problemOfWarrant,
  proofDigestOf,
  releaseOfCall,
  type SignedWarrant,
  type Warrant,
  type WarrantedCall,
  warrantBytes,
  warrantLastsMs,
} from '../../core/decide/warrant.ts';
import { FirebreakError } from '../../core/errors.ts';
import { clusterOfWorkflow } from '../../core/messages/message.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { UsedWarrants } from '../memory/used-warrants.ts';
import { type Authority, approvedPlan, knownOf, mustBeApproved } from './approval-check.ts';
import type { WarrantRule } from './parts.ts';
import { releaseProofOf } from './release-check.ts';

/** Issues a cell's warrants to its pools. */
interface WarrantIssuer {
  issue(call: StepCall): Promise<SignedWarrant>;
  issueRelease(undo: Pick<UndoCall, 'call' | 'reason'>): Promise<SignedWarrant>;
}

/** The cell's part: it has heard the alerts and seen the votes, so it certifies that a step, or its release, is approved. It performs nothing itself. */
export function createWarrantIssuer(parts: Authority & { readonly signer: Signer }): WarrantIssuer {
  const { signer, votes, now = Date.now } = parts;

  /** @param proofs what people have said, on which the warrant is based. */
  const signed = async (call: StepCall, bound: WarrantedCall, plan: Plan, proofs: readonly ApprovalProof[]) => {
    const { actors, requesters, severity } = knownOf(parts, call);
    const at = now();
    const decidersOf = ({ question, votes: cast }: ApprovalProof) =>
      cast.map(({ vote, signature }) => {
        const seen = votes.of(question).find(({ signed: one }) => one.signature === signature);
        return { person: vote.person, signature, at: seen?.at ?? at };
      });
    const warrant: Warrant = {
      version: 1,
      id: randomUUID(),
      incident: bound.incident,
      step: bound.key,
      action: bound.action,
      inputDigest: digestOf(bound.input),
      planDigest: planDigest(plan),
      proofDigest: proofDigestOf(bound),
      severity,
      deciders: proofs.flatMap(decidersOf),
      actors,
      requesters,
      at,
      until: at + warrantLastsMs,
    };
    return { warrant, keyId: signer.keyId, signature: await signer.sign(warrantBytes(warrant)) };
  };

  return {
    issue: async (call) => {
      const { approval, waiver } = call;
      const plan = approvedPlan(call);
      if (!approval || !plan) return refuse('nobody has approved this step');
      await mustBeApproved(parts, call, approval, 'step');
      if (waiver) await mustBeApproved(parts, call, waiver, 'waiver');
      return signed(call, call, plan, [approval, ...(waiver ? [waiver] : [])]);
    },
    issueRelease: async ({ call, reason }) => {
      const said = releaseProofOf(call, reason);
      const plan = said && releasePlanIn(call, said.proof);
      if (!said || !plan) return refuse('nobody has approved this release');
      await mustBeApproved(parts, call, said.proof, 'release');
      return signed(call, releaseOfCall(call, said.proof), plan, [said.proof]);
    },
  };
}

/** The release of this step among what people have approved. */
function releasePlanIn(call: StepCall, { question, choice }: ApprovalProof): Plan | undefined {
  return question.choices.find(({ id }) => id === choice)?.plans.find((plan) => isReleaseOf(plan, call));
}

/** The pool's part. */
export function createWarrantRule(parts: {
  readonly trust: Trust;
  readonly used: UsedWarrants;
  readonly now?: (() => number) | undefined;
}): WarrantRule {
  const { trust, used, now = Date.now } = parts;
  const readAs = (call: StepCall, bound: WarrantedCall, plan: Plan | undefined): Warrant => {
    if (!call.warrant) return refuse('it has no warrant from a cell');
    const { warrant, keyId, signature } = call.warrant;
    const sender = trust.senderOf({ keyId, bytes: warrantBytes(warrant), signature });
    if (sender?.role !== 'cell' || sender.cluster !== clusterOfWorkflow(call.incident.id))
      return refuse('no cell of this cluster has signed the warrant');
    const problem = problemOfWarrant(warrant, bound, plan && planDigest(plan));
    return problem === undefined ? warrant : refuse(problem);
  };
  const read = (call: StepCall): Warrant => readAs(call, call, approvedPlan(call));
  return {
    read,
    readRelease: (call, proof) => {
      const warrant = readAs(call, releaseOfCall(call, proof), releasePlanIn(call, proof));
      // People may have decided otherwise since: then the cell issues no other warrant.
      if (isOutdated(warrant, now())) throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'it has expired, or is not valid yet');
      return warrant;
    },
    take: (call, order) => {
      const warrant = read(call);
      const at = now();
      // A step that began in time continues: a pool that was killed finishes its step.
      if (used.by(warrant) === order) return;
      if (used.by(warrant) !== undefined) throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'another call has used it');
      if (isOutdated(warrant, at)) throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'it has expired, or is not valid yet');
      if (!used.reachesBackTo(warrant))
        throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'this pool does not know whether it was used');
      used.note(warrant, order, at);
    },
  };
}

function refuse(reason: string): never {
  throw new FirebreakError('FB_ERR_APPROVAL_INVALID', reason);
}
