import type { Plan } from '../../core/action/plan.ts';
import { type AppliedStep, podUidOf, type StepCall } from '../../core/action/step.ts';
import { containmentText } from '../../core/cards/card-words.ts';
import type { Lease } from '../../core/incident/lease.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { IncidentModel } from '../incident/model.ts';
import { nowMs } from '../world.ts';
import type { Leases } from './leases.ts';
import { leaseTerms, type StepOrder } from './step-calls.ts';
import { targetText } from './step-data.ts';

interface Parts {
  readonly model: IncidentModel;
  readonly leases: Leases;
}

/** Called before the step is applied, so that whatever it has done can be undone. */
export function registerLease({ model, leases }: Parts, order: StepOrder, call: StepCall): Lease {
  const now = nowMs();
  const uid = podUidOf(order.input);
  const { durationMs, onExpiry } = leaseTerms(order);
  const lease: Lease = {
    id: `${model.newId()}-l`,
    action: order.declaration.name,
    target: { name: targetText(order.input), ...(uid ? { uid } : {}) },
    stepKey: call.key,
    holders: [`${order.caller.playbook}/${order.caller.subjectKey}`],
    startedAt: now,
    until: now + durationMs,
    durationMs,
    renewals: 0,
    state: 'active',
    onExpiry,
  };
  leases.register(lease, { leaseId: lease.id, call });
  return lease;
}

/**
 * Sets the time from which the lease is in force, and the terms that the cell has accepted: it limits what a playbook asks for, and releases nothing earlier.
 * People are shown what they would find on the object.
 */
export function inForce(lease: Lease, { lease: terms }: Pick<AppliedStep, 'lease'>): Lease {
  const { durationMs = lease.durationMs, onExpiry = lease.onExpiry, longestMs } = terms ?? {};
  return { ...lease, durationMs, onExpiry, until: nowMs() + durationMs, ...(longestMs !== undefined && { longestMs }) };
}

/** An identical step joins the effect that is already in force. */
export function joinLease({ model, leases }: Parts, lease: Lease, order: StepOrder): StepResult {
  const holding = model.holdings.get(lease.id);
  const step = model.steps.get(lease.stepKey);
  const holder = `${order.caller.playbook}/${order.caller.subjectKey}`;
  // The holder who wanted it released has let go: it must not be released from under the new holder.
  const kept = lease.refused ? { ...leases.withoutRelease(lease), holders: [] } : lease;
  leases.update({
    ...kept,
    holders: [...new Set([...kept.holders, holder])],
    until: Math.max(lease.until, nowMs() + Math.min(leaseTerms(order).durationMs, lease.longestMs ?? Number.POSITIVE_INFINITY)),
  });
  model.record('step.joined', `playbook/${order.caller.playbook}`, `${containmentText(lease)} is already in force: joined`, {
    lease: lease.id,
  });
  // It is released through the step in force, which covers everything that it touched.
  const plan = holding?.plan ?? planOfHeld(lease, order);
  return {
    action: lease.action,
    key: lease.stepKey,
    plan,
    output: holding?.output,
    verification: step?.verification ?? { state: 'applied', detail: 'already in force' },
    leaseId: lease.id,
  };
}

/** What is known of a step whose own plan is unknown. */
export function planOfHeld(lease: Lease, { declaration, input }: Pick<StepOrder, 'declaration' | 'input'>): Plan {
  return {
    action: lease.action,
    effect: 'reversible',
    reach: declaration.reach,
    target: lease.target,
    changes: [],
    blastRadius: [lease.target.name],
    notes: ['already in force'],
    inputDigest: digestOf(input),
  };
}
