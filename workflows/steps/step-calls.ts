import type { ActionDeclaration } from '../../core/action/action.ts';
import { podUidOf, type StepCall } from '../../core/action/step.ts';
import type { SilenceProof } from '../../core/assessment/silence-seal.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import type { LeaseTerms } from '../../core/incident/hold.ts';
import { defaultLeaseMs } from '../../core/incident/lease.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Caller } from './caller.ts';
import type { EvidenceWait } from './evidence-wait.ts';

export interface StepOrder {
  readonly caller: Caller;
  readonly declaration: ActionDeclaration;
  readonly input: unknown;
  readonly lease?: Partial<LeaseTerms>;
  readonly approval?: ApprovalProof;
  /** Nobody has answered about it, and silence contains. */
  readonly unanswered?: SilenceProof;
}

/** Whether there is something to release, and therefore a lease. */
export function lasts({ effect, momentary }: ActionDeclaration): boolean {
  return effect === 'reversible' && momentary !== true;
}

/**
 * If a pool other than the cell's has applied it, silence releases nothing, whatever a playbook says: that pool has heard no votes. People are told so
 * beforehand.
 */
export function leaseTerms({ declaration, lease = {} }: Pick<StepOrder, 'declaration' | 'lease'>): LeaseTerms {
  const { durationMs = defaultLeaseMs, onExpiry = 'renew', saga } = lease;
  return { durationMs, onExpiry: declaration.pool === 'cell' ? onExpiry : 'renew', ...(saga && { saga }) };
}

/** The key: workflow id / first run id / playbook / subject / action / n-th call of that action in that body. */
export function stepCall(
  { model, evidence }: { readonly model: IncidentModel; readonly evidence: EvidenceWait },
  order: StepOrder,
  purpose: 'plan' | 'run',
): StepCall {
  const { caller, declaration } = order;
  const counter = `${caller.playbook}/${caller.subjectKey}/${declaration.name}/${purpose}`;
  const n = model.callCounters.get(counter) ?? 0;
  model.callCounters.set(counter, n + 1);
  const key = [
    model.ref.id,
    model.ref.run,
    caller.playbook,
    caller.subjectKey,
    declaration.name,
    purpose === 'plan' ? `plan${n}` : n,
  ].join('/');
  const uid = podUidOf(order.input);
  const others = model.holdingLeases.filter((lease) => lease.target.uid !== uid && declarationOf(lease.action).contains === true);
  const assessed = uid === undefined ? undefined : model.assessed.get(uid);
  const waiver = evidence.waiverFor({ ...order, action: declaration.name });
  return {
    key,
    action: declaration.name,
    input: order.input,
    incident: model.ref,
    incidentTitle: model.title,
    playbook: caller.playbook,
    severity: model.severity,
    ...(caller.workload ? { workload: caller.workload } : {}),
    ...(lasts(declaration) ? { lease: leaseTerms(order) } : {}),
    ownerContained: new Set(others.map((lease) => lease.target.uid)).size,
    evidence: model.evidence,
    evidenceDeadline: new Date(evidence.deadline).toISOString(),
    ...(order.approval ? { approval: order.approval } : {}),
    ...(waiver ? { waiver } : {}),
    ...model.namedActors,
    ...(caller.doubt === undefined ? {} : { doubt: caller.doubt }),
    ...(assessed === undefined ? {} : { assessed }),
    ...(order.unanswered && { unanswered: order.unanswered }),
  };
}
