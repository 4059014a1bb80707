import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { createChokepoint } from '../../activities/chokepoint/chokepoint.ts';
import type { RegisteredAction } from '../../activities/chokepoint/parts.ts';
import { countedIn } from '../../activities/chokepoint/reservations.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { ActionDeclaration, StepContext } from '../../core/action/action.ts';
import { type ChangeWindow, outsideOf } from '../../core/action/change-window.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import { actions } from '../../core/actions/index.ts';
import { modes } from '../../core/assessment/response.ts';
import { type ApprovalProof, type Question, questionDigest, quorumOf } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type ActiveRestraint, isScopeOf, type RestraintMode, restraintOn } from '../../core/orders/restraint.ts';
import { digestOf } from '../../core/text/digest.ts';
import { deskKey, roster, signVote, voteKeys } from '../workflows/people.ts';
import { askingWith, heardSince, incident, now } from './chokepoint-fixture.ts';

const ownerCap = 2;
const namespaceCap = 3;
const clusterCap = 6;
const levels = [
  { group: 'oncall', within: '15m' },
  { group: 'leads', within: '30m' },
] as const;

/** Looking into a container leaves the tools in the pod; other reads leave nothing. */
const leavesTrace = ({ effect, pool }: ActionDeclaration): boolean => effect !== 'read' || pool === 'forensics';

interface Input {
  readonly namespace: string;
  /** The plan affects this node, too. */
  readonly node: string;
}

function planOf(declaration: ActionDeclaration, input: Input): Plan {
  const { name, effect, reach } = declaration;
  const target = `pod/${input.namespace}/cart-1`;
  const changes = leavesTrace(declaration) ? [{ target, what: name }] : [];
  return {
    action: name,
    effect,
    reach,
    target: { name: target, uid: 'uid-1' },
    changes,
    blastRadius: [`node/${input.node}`, target],
    notes: [],
    inputDigest: digestOf(input),
  };
}

function approvalOf(plan: Plan, people: readonly string[]): ApprovalProof {
  const question: Question = {
    id: 'q1',
    incident,
    severity: 'critical',
    text: 'really?',
    choices: [{ id: 'yes', label: 'Yes', plans: [plan], quorum: quorumOf({ plans: [plan], severity: 'critical' }) }],
    levels: levels.map(({ group }) => ({ group, withinMs: 1 })),
    requester: 'playbook/p',
    onSilence: 'It stays.',
  };
  const votes = people.map((person, index) =>
    signVote(
      {
        version: 1,
        id: `v${index}`,
        incident,
        question: question.id,
        questionDigest: questionDigest(question),
        choice: 'yes',
        person,
        via: 'slack',
        reason: 'ours',
        at: '2026-05-01T00:00:00Z',
      },
      deskKey,
      'desk',
    ),
  );
  return { question, choice: 'yes', votes };
}

/** One for all runs: creating a schema takes longer than checking a step with it. */
const inputSchema = z.object({ namespace: z.string(), node: z.string() });

/** Every action, with its own declaration, and an implementation that only notes that it was called. */
function registered(applied: string[]): readonly RegisteredAction[] {
  return actions.map((declaration) => ({
    declaration,
    input: inputSchema,
    implementation: {
      plan: async (input) => {
        const { action: _, effect: __, inputDigest: ___, ...plan } = planOf(declaration, input as Input);
        return plan;
      },
      apply: async () => {
        applied.push(declaration.name);
        return {};
      },
      started: async () => false,
      verify: async () => ({ state: 'applied' as const, detail: '' }),
    },
  }));
}

function restraint(mode: RestraintMode, scope: ActiveRestraint['terms']['scope'], ended: boolean): ActiveRestraint {
  return {
    terms: {
      version: 1,
      id: '0'.repeat(16),
      cluster: 'lab',
      mode,
      scope,
      owner: 'ana',
      reason: 'r',
      from: '2026-05-01T00:00:00Z',
      until: ended ? '2026-05-31T00:00:00Z' : '2026-06-02T00:00:00Z',
    },
    proposer: 'ana',
    approvers: ['ben'],
  };
}

const scopes = fc.constantFrom<ActiveRestraint['terms']['scope']>(
  { kind: 'cluster' },
  { kind: 'namespace', name: 'shop' },
  { kind: 'namespace', name: 'bank' },
  { kind: 'playbook', name: 'p' },
  { kind: 'playbook', name: 'other' },
  { kind: 'incident', name: incident.id },
  { kind: 'incident', name: 'incident/lab/bank/Deployment/till' },
);
/** Now is a Monday, 00:00 in UTC. */
interface DrawnWindow {
  readonly namespaces: readonly string[] | undefined;
  readonly playbooks: readonly string[] | undefined;
  readonly isOpen: boolean;
  readonly outside: ChangeWindow['outside'];
}

const windows: fc.Arbitrary<DrawnWindow> = fc.record({
  namespaces: fc.constantFrom(undefined, ['shop'], ['bank']),
  playbooks: fc.constantFrom(undefined, ['p'], ['other']),
  isOpen: fc.boolean(),
  outside: fc.constantFrom<ChangeWindow['outside']>('oneMore', 'refuse'),
});

function windowOf({ namespaces, playbooks, isOpen, outside }: DrawnWindow): ChangeWindow {
  const from = isOpen ? '00:00' : '00:01';
  return {
    name: 'hours',
    timeZone: 'UTC',
    open: [{ days: ['mon'], from, until: '09:00' }],
    outside,
    ...(namespaces && { namespaces }),
    ...(playbooks && { playbooks }),
  };
}

/** Mostly values that let a step run at once: everything done without people must occur in all its ways, with caps reached and not. */
const mostly = <T>(usual: T, other: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

const worlds = fc.record({
  mode: fc.constantFrom(...modes, 'contain' as const, 'contain' as const),
  assessed: fc.boolean(),
  namespace: mostly('shop', fc.constantFrom('shop', 'kube-system', 'firebreak')),
  node: mostly('worker-1', fc.constant('control-1'), 3),
  people: mostly([], fc.subarray(['ana', 'ben', 'lea'])),
  windows: fc.array(windows, { maxLength: 2 }),
  /** Whether people approved while a window was closed, and were told so. */
  toldClosed: fc.boolean(),
  doubt: mostly<string | undefined>(undefined, fc.constant('the owner is guessed')),
  held: fc.boolean(),
  /** Already contained, in another namespace and in this one. */
  others: fc.integer({ min: 0, max: 8 }),
  here: fc.integer({ min: 0, max: 4 }),
  reserve: fc.integer({ min: 0, max: 2 }),
  ownerContained: fc.integer({ min: 0, max: 4 }),
  restraints: mostly(
    [],
    fc.array(
      fc
        .tuple(fc.constantFrom<RestraintMode>('freeze', 'observe', 'break-glass'), scopes, fc.boolean())
        .map((three) => restraint(...three))
        .filter(({ terms }) => isScopeOf(terms)),
      { maxLength: 3 },
    ),
  ),
});

describe('no action gets past the guardrails', () => {
  const reached = new Map<string, number>();

  test.each(actions.map((declaration) => [declaration.name, declaration] as const))('%s', async (name, declaration) => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const applied: string[] = [];
        const input = { namespace: world.namespace, node: world.node };
        const chokepoint = createChokepoint({
          actions: registered(applied),
          rules: {
            protectedNamespaces: ['kube-*'],
            protectedNodes: ['control-*'],
            ownNamespace: 'firebreak',
            ownerShare: 0.5,
            namespaceCap,
            namespaceReserve: world.reserve,
            clusterCap,
            changeWindows: world.windows.map(windowOf),
          },
          roster,
          keys: voteKeys,
          census: {
            ownerReplicas: () => 2 * ownerCap,
            containedBy: () => new Set(world.held ? ['uid-1'] : []),
            ...countedIn(
              () =>
                new Map([
                  ...Array.from({ length: world.others }, (_, index) => [`other-${index}`, 'bank'] as const),
                  ...Array.from({ length: world.here }, (_, index) => [`here-${index}`, world.namespace] as const),
                ]),
            ),
          },
          hasEvidence: async () => false,
          evidenceWait: { ms: 0 },
          asking: () => askingWith(registered(applied), { levels }),
          // Long enough ago that no step waits for evidence.
          incidents: heardSince(Date.parse('2026-05-01T00:00:00Z')),
          votes: new VoteMemory(),
          isAssessed: (text) => text === 'sealed',
          now: () => now,
          policyOn: () => ({ mode: world.mode, scope: 'a scope', profile: 'balanced', onSilence: 'nothing' }),
          restraintOn: (step) => restraintOn(world.restraints, step, now),
        });
        const call: StepCall = {
          key: 'k',
          action: name,
          input,
          incident,
          incidentTitle: 'cart',
          playbook: 'p',
          severity: 'critical',
          ...(world.assessed && { assessed: 'sealed' }),
          ownerContained: world.ownerContained,
          evidence: [],
          evidenceDeadline: '2026-01-01T00:00:00Z',
          ...(world.doubt !== undefined && { doubt: world.doubt }),
          ...(world.people.length > 0 && {
            approval: approvalOf(
              world.toldClosed ? outsideOf(planOf(declaration, input), 'hours') : planOf(declaration, input),
              world.people,
            ),
          }),
        };
        const context: StepContext = {
          key: 'k',
          incident: incident.id,
          run: incident.run,
          fast: false,
          signal: new AbortController().signal,
        };
        const planned = await chokepoint.plan(call, context).then(
          () => true,
          () => false,
        );
        const changes = leavesTrace(declaration) && declaration.reach !== 'outside';
        const inForce = world.restraints.filter(
          ({ terms: { scope, until } }) =>
            Date.parse(until) > now &&
            (scope.kind === 'cluster' ||
              scope.name === { namespace: world.namespace, playbook: 'p', incident: incident.id }[scope.kind]),
        );
        const observed = inForce.some(({ terms }) => terms.mode === 'observe');
        const lifted = !observed && inForce.some(({ terms }) => terms.mode === 'break-glass');
        const wide = declaration.effect === 'destructive' || (declaration.effect === 'reversible' && declaration.reach !== 'pod');
        const closed = world.windows.filter(
          (window) =>
            changes &&
            wide &&
            !lifted &&
            !window.isOpen &&
            (window.namespaces ?? [world.namespace]).includes(world.namespace) &&
            (window.playbooks ?? ['p']).includes('p'),
        );
        const refusing = closed.some(({ outside }) => outside === 'refuse');
        const forbidden = world.namespace === 'firebreak' || world.node === 'control-1';
        expect(planned).toBe(!(changes && (forbidden || refusing)));
        const refused = await chokepoint.apply(call, context).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(refused === undefined).toBe(applied.length === 1);
        if (refused !== undefined) return expect(refused).toBeInstanceOf(FirebreakError);
        reached.set(name, (reached.get(name) ?? 0) + 1);
        if (!changes) return;
        expect(world.mode).not.toBe('observe');
        expect(forbidden).toBe(false);
        // What this incident already contains may be contained again, and nothing else.
        const again = declaration.contains === true && world.held;
        expect(again || !refusing).toBe(true);
        if (closed.length > 0 && !again) {
          expect(world.toldClosed).toBe(true);
          expect(world.people.length).toBeGreaterThan(1);
        }
        if (again && declaration.reach === 'pod') return;
        if (!again) expect(observed).toBe(false);
        if (call.approval) return;
        expect(world.namespace).toBe('shop');
        if (declaration.effect === 'read') return;
        expect(world.mode).toBe('contain');
        expect([declaration.effect, declaration.reach]).toEqual(['reversible', 'pod']);
        expect(world.assessed || declaration.momentary === true).toBe(true);
        expect(world.doubt).toBeUndefined();
        expect(lifted || inForce.length === 0).toBe(true);
        if (declaration.contains && !lifted) {
          expect(world.ownerContained).toBeLessThan(ownerCap);
          expect(world.here).toBeLessThan(namespaceCap);
          if (world.here >= world.reserve) expect(world.others + world.here).toBeLessThan(clusterCap);
        }
      }),
      { numRuns: declaration.contains && declaration.reach === 'pod' ? 4_000 : 300 },
    );
  });

  test('and each action can run at all, so that the tests above mean something', () => {
    expect([...reached.keys()].sort()).toEqual(actions.map(({ name }) => name).sort());
  });
});
