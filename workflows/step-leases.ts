import type { ActionDeclaration } from '../core/action.ts';
import { digestOf } from '../core/digest.ts';
import type { Lease } from '../core/lease.ts';
import type { Plan } from '../core/plan.ts';
import type { StepResult } from '../core/playbook.ts';
import { podUidOf, type StepCall } from '../core/step.ts';
import type { Leases } from './leases.ts';
import type { IncidentModel } from './model.ts';
import type { StepOrder } from './step-calls.ts';
import { targetText } from './step-data.ts';

const defaultLeaseMs = 4 * 3_600_000;

interface Parts {
  readonly model: IncidentModel;
  readonly leases: Leases;
}

/** Whether there is something to give back, and so a lease. */
export function lasts({ effect, momentary }: ActionDeclaration): boolean {
  return effect === 'reversible' && momentary !== true;
}

/** Before the step is applied, so that whatever it has done can be undone. */
export function registerLease({ model, leases }: Parts, order: StepOrder, call: StepCall): Lease {
  const now = Date.now();
  const uid = podUidOf(order.input);
  const durationMs = order.lease?.durationMs ?? defaultLeaseMs;
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
    onExpiry: order.lease?.onExpiry ?? 'renew',
  };
  leases.register(lease, { leaseId: lease.id, call });
  return lease;
}

/** An identical step joins what is in force already. */
export function joinLease({ model, leases }: Parts, lease: Lease, order: StepOrder): StepResult {
  const holding = model.holdings.get(lease.id);
  const step = model.steps.get(lease.stepKey);
  const holder = `${order.caller.playbook}/${order.caller.subjectKey}`;
  leases.update({
    ...lease,
    holders: [...new Set([...lease.holders, holder])],
    until: Math.max(lease.until, Date.now() + (order.lease?.durationMs ?? defaultLeaseMs)),
  });
  model.record(
    'step.joined',
    `playbook/${order.caller.playbook}`,
    `${lease.action} on ${lease.target.name} is in force already: joined`,
    { lease: lease.id },
  );
  const plan: Plan = {
    action: lease.action,
    effect: 'reversible',
    reach: order.declaration.reach,
    target: lease.target,
    changes: [],
    blastRadius: [lease.target.name],
    notes: ['already in force'],
    inputDigest: digestOf(order.input),
  };
  return {
    action: lease.action,
    key: lease.stepKey,
    plan,
    output: holding?.output,
    verification: step?.verification ?? { state: 'applied', detail: 'in force already' },
    leaseId: lease.id,
  };
}
