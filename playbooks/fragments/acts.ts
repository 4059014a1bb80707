import { type ActKind, actKinds } from '../../core/assessment/rules/act-kinds.ts';
import type { Match } from '../../core/playbook/match.ts';

const policySensors = ['kubearmor', 'tetragon'] as const;
const lesser = ['low', 'info'] as const;

/** Alerts about an act of this kind, whichever rule reports it. Lesser ones of users' own policies belong to `ticket-policy-violation`, which asks nobody. */
export function actsOf(act: Exclude<ActKind, 'shell' | 'file-access' | 'hardening'>): Match {
  return { act, not: { sensor: policySensors, severity: lesser } };
}

/** Policies that harden or observe, of any severity, and all others below medium. */
export const lesserPolicies: readonly Match[] = [
  { sensor: policySensors, act: ['shell', 'file-access', 'hardening'] },
  { sensor: policySensors, severity: lesser, act: actKinds },
];
