import type { ResponsePolicy } from '../assessment/assessment.ts';
import type { ErrorCode } from '../errors.ts';
import { type ActiveRestraint, restraintReason } from '../orders/restraint.ts';
import { matchesAnyName } from '../text/name-pattern.ts';
import type { ActionDeclaration } from './action.ts';
import type { ChangeWindow } from './change-window.ts';
import { namespacesOf, nodesOf, type Plan } from './plan.ts';

/** The rules above all playbooks. From configuration only: never from anything that a tenant could write. */
export interface GuardrailRules {
  /** `*` stands for any characters. */
  readonly protectedNamespaces: readonly string[];
  /** Names of nodes that are never touched, whoever approves it; `*` stands for any characters. Absent: none. */
  readonly protectedNodes?: readonly string[];
  /** Firebreak's own namespace, always protected. */
  readonly ownNamespace: string;
  /** Share of a workload's replicas that may be contained automatically; at least one pod. */
  readonly ownerShare: number;
  readonly namespaceCap: number;
  /** Pods of each namespace that may be contained even if the cluster's cap is full: no other namespace can use these up. Absent: none. */
  readonly namespaceReserve?: number;
  readonly clusterCap: number;
  /** Number of cells of this cluster that run in parallel and share the caps. Absent: one. */
  readonly cells?: number;
  /** Maximum time for which a step takes anything at once. Absent: as long as a call says. */
  readonly longestLeaseHours?: number;
  /** When destructive and wide steps may run; absent: always. */
  readonly changeWindows?: readonly ChangeWindow[];
}

/** Defaults if the configuration sets nothing. */
export const defaultGuardrails = {
  protectedNamespaces: ['kube-system', 'kube-public', 'kube-node-lease', 'firebreak'],
  ownNamespace: 'firebreak',
  ownerShare: 0.5,
  namespaceCap: 20,
  namespaceReserve: 3,
  clusterCap: 100,
} as const satisfies GuardrailRules;

interface GuardrailFacts {
  readonly declaration: ActionDeclaration;
  readonly plan: Plan;
  /** Whether the cell itself has assessed the target as to be cut off without people. */
  readonly assessed: boolean;
  /** Whether the step has a verified approval. */
  readonly approved: boolean;
  readonly doubt: string | undefined;
  /** Why nobody can allow it now because of a change window. */
  readonly closed?: string | undefined;
  /** The freeze, observe mode or break-glass session that applies to this step. */
  readonly restraint?: ActiveRestraint | undefined;
  /** What the configuration lets the cell do to the target. Absent: no limit. */
  readonly policy?: Pick<ResponsePolicy, 'mode' | 'scope'> | undefined;
  /** Number of pods of the owner, including contained ones; undefined if unknown. */
  readonly ownerReplicas: number | undefined;
  /** Whether this incident already holds the target, as its sealed mark proves: doing it again takes no place under a cap. */
  readonly held: boolean;
  /** Contained or about to be, not counting this target. */
  readonly ownerContained: number;
  readonly namespaceContained: number;
  readonly clusterContained: number;
}

/** What a cap counts the pods of. */
export type CapKind = 'owner' | 'namespace' | 'cluster';

type GuardrailAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: ErrorCode; readonly reason: string; readonly cap?: CapKind };

/** Describes who decides on an action, by its declaration alone. */
export function deciderOf({ effect, reach, own }: Pick<ActionDeclaration, 'effect' | 'reach' | 'own'>): string {
  if (effect === 'read')
    return own ? 'nobody: it only looks, according to its author' : 'nobody: it ends nothing and changes nothing that runs';
  return effect === 'reversible' && reach === 'pod' && !own
    ? 'automatic within the guardrails, otherwise people'
    : 'people, each time';
}

/** How many pods of an owner may be contained automatically. One if the number is unknown. */
export function ownerCap(replicas: number | undefined, share: number): number {
  return Math.max(1, Math.floor((replicas ?? 1) * share));
}

/** One answer for every action, at plan and at apply. Fails closed: anything unknown counts against the step. */
export function checkGuardrails(rules: GuardrailRules, facts: GuardrailFacts): GuardrailAnswer {
  const { declaration, plan } = facts;
  const looks = declaration.effect === 'read';
  if (declaration.reach === 'outside' || (looks && plan.changes.length === 0)) return { ok: true };
  // Nobody can open Firebreak's own namespace; in the others two people may decide, which the approval was checked for.
  const guarded = facts.approved ? [] : rules.protectedNamespaces;
  const hit = namespacesOf(plan).find((namespace) => namespace === rules.ownNamespace || matchesAnyName(guarded, namespace));
  if (hit !== undefined)
    return { ok: false, code: 'FB_ERR_PROTECTED', reason: `namespace ${hit} is protected; ${plan.target.name} was not touched` };
  const { protectedNodes = [] } = rules;
  const node = protectedNodes.length > 0 ? nodesOf(plan).find((name) => matchesAnyName(protectedNodes, name)) : undefined;
  if (node !== undefined) return { ok: false, code: 'FB_ERR_PROTECTED', reason: `node ${node} is protected; it was not touched` };
  const { restraint, policy } = facts;
  if (policy?.mode === 'observe')
    return {
      ok: false,
      code: 'FB_ERR_OBSERVED',
      reason: `nothing was done to ${plan.target.name}: mode observe (${policy.scope})`,
    };
  // What was contained before stays contained: containing it again is not new.
  const again = declaration.contains === true && facts.held;
  if (restraint?.terms.mode === 'observe' && !again)
    return {
      ok: false,
      code: 'FB_ERR_OBSERVED',
      reason: `nothing was done to ${plan.target.name}: ${restraintReason(restraint)}`,
    };
  if (facts.closed !== undefined && !again)
    return { ok: false, code: 'FB_ERR_OUTSIDE_WINDOW', reason: `nothing was done to ${plan.target.name}: ${facts.closed}` };
  // Looking needs no people, even if it leaves a trace; protected targets, and an observed cell, are left without one.
  if (facts.approved || looks) return { ok: true };
  // Nobody has verified what a pack says about its own actions: none of them is automatic.
  if (plan.effect !== 'reversible' || plan.reach !== 'pod' || declaration.own) {
    return {
      ok: false,
      code: 'FB_ERR_APPROVAL_INVALID',
      reason: `${declaration.name} (${plan.effect}, reach ${plan.reach}) needs people to approve it`,
    };
  }
  // It was allowed when the incident first contained it, and its sealed mark is still there.
  if (again) return { ok: true };
  if (policy?.mode === 'ask')
    return { ok: false, code: 'FB_ERR_ASK_FIRST', reason: `${declaration.name} is not automatic in mode ask (${policy.scope})` };
  if (restraint?.terms.mode === 'freeze')
    return {
      ok: false,
      code: 'FB_ERR_ASK_FIRST',
      reason: `${declaration.name} is not automatic now: ${restraintReason(restraint)}`,
    };
  if (facts.doubt !== undefined)
    return { ok: false, code: 'FB_ERR_ASK_FIRST', reason: `${declaration.name} is not automatic here: ${facts.doubt}` };
  // What ends by itself only follows up on a containment: its own plan requires one.
  if (!facts.assessed && declaration.momentary !== true)
    return {
      ok: false,
      code: 'FB_ERR_ASK_FIRST',
      reason: `${declaration.name} is not automatic here: the assessment does not say that ${plan.target.name} is to be cut off`,
    };
  // Whoever used break-glass takes responsibility for more than the caps allow.
  return declaration.contains && !restraint ? checkCaps(rules, facts) : { ok: true };
}

function checkCaps(rules: GuardrailRules, facts: GuardrailFacts): GuardrailAnswer {
  const owner = ownerCap(facts.ownerReplicas, rules.ownerShare);
  const reached = [
    {
      kind: 'owner' as const,
      contained: facts.ownerContained,
      cap: owner,
      of: `of the ${facts.ownerReplicas ?? 'unknown'} pods of its owner`,
    },
    {
      kind: 'namespace' as const,
      contained: facts.namespaceContained,
      cap: rules.namespaceCap,
      of: `${podWord(facts.namespaceContained)} of its namespace`,
    },
    // Decoys elsewhere must not buy an attacker freedom here.
    ...(facts.namespaceContained < (rules.namespaceReserve ?? 0)
      ? []
      : [
          {
            kind: 'cluster' as const,
            contained: facts.clusterContained,
            cap: rules.clusterCap,
            of: `${podWord(facts.clusterContained)} of the cluster`,
          },
        ]),
  ].find(({ contained, cap }) => contained >= cap);
  if (!reached) return { ok: true };
  const { kind, contained, cap, of } = reached;
  const elsewhere = (rules.cells ?? 1) > 1 ? ', or may be by another cell' : '';
  return {
    ok: false,
    code: 'FB_ERR_CAP_REACHED',
    cap: kind,
    reason: `${contained} ${of} ${isOrAre(contained)} already contained${elsewhere}, and no more than ${cap} ${isOrAre(cap)} contained without people`,
  };
}

function podWord(count: number): string {
  return count === 1 ? 'pod' : 'pods';
}

function isOrAre(count: number): string {
  return count === 1 ? 'is' : 'are';
}
