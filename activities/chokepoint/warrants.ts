import { randomUUID } from 'node:crypto';
import { planDigest } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import {
  isOutdated,
  problemOfWarrant,
  proofDigestOf,
  type SignedWarrant,
  type Warrant,
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

/** The cell's part: it has heard the alerts and has seen the votes, so it says that a step is approved. It does nothing. */
export function createWarrantIssuer(parts: Authority & { readonly signer: Signer }): (call: StepCall) => Promise<SignedWarrant> {
  const { signer, votes, now = Date.now } = parts;
  return async (call) => {
    const { approval, waiver, incident } = call;
    const plan = approvedPlan(call);
    if (!approval || !plan) return refuse('nobody has approved this step');
    await mustBeApproved(parts, call, approval, 'step');
    if (waiver) await mustBeApproved(parts, call, waiver, 'waiver');
    const { actors, requesters, severity } = knownOf(parts, call);
    const at = now();
    const decidersOf = ({ question, votes: cast }: ApprovalProof) =>
      cast.map(({ vote, signature }) => {
        const seen = votes.of(question).find(({ signed }) => signed.signature === signature);
        return { person: vote.person, signature, at: seen?.at ?? at };
      });
    const warrant: Warrant = {
      version: 1,
      id: randomUUID(),
      incident,
      step: call.key,
      action: call.action,
      inputDigest: digestOf(call.input),
      planDigest: planDigest(plan),
      proofDigest: proofDigestOf(call),
      severity,
      deciders: [...decidersOf(approval), ...(waiver ? decidersOf(waiver) : [])],
      actors,
      requesters,
      at,
      until: at + warrantLastsMs,
    };
    return { warrant, keyId: signer.keyId, signature: await signer.sign(warrantBytes(warrant)) };
  };
}

/** The pool's part. */
export function createWarrantRule(parts: {
  readonly trust: Trust;
  readonly used: UsedWarrants;
  readonly now?: (() => number) | undefined;
}): WarrantRule {
  const { trust, used, now = Date.now } = parts;
  const read = (call: StepCall): Warrant => {
    if (!call.warrant) return refuse('it comes without the warrant of a cell');
    const { warrant, keyId, signature } = call.warrant;
    const sender = trust.senderOf({ keyId, bytes: warrantBytes(warrant), signature });
    if (sender?.role !== 'cell' || sender.cluster !== clusterOfWorkflow(call.incident.id))
      return refuse('no cell of this cluster has signed the warrant');
    const plan = approvedPlan(call);
    const problem = problemOfWarrant(warrant, call, plan && planDigest(plan));
    return problem === undefined ? warrant : refuse(problem);
  };
  return {
    read,
    take: (call, order) => {
      const warrant = read(call);
      const at = now();
      // What has begun in time goes on: a pool that was killed does its step to the end.
      if (used.by(warrant) === order) return;
      if (used.by(warrant) !== undefined) throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'another call has used it');
      if (isOutdated(warrant, at)) throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'its time is over, or has not begun');
      if (!used.reachesBackTo(warrant))
        throw new FirebreakError('FB_ERR_WARRANT_OUTDATED', 'this pool does not know whether it was used');
      used.note(warrant, order, at);
    },
  };
}

function refuse(reason: string): never {
  throw new FirebreakError('FB_ERR_APPROVAL_INVALID', reason);
}
