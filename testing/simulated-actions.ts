import { z } from 'zod';
import { dataSchema } from '../activities/actions/own-action.ts';
import type { RegisteredAction } from '../activities/chokepoint/parts.ts';
import type { ActionDeclaration } from '../core/action/action.ts';
import type { Plan } from '../core/action/plan.ts';
import { podUidOf } from '../core/action/step.ts';
import { actionInputs } from '../core/actions/inputs.schema.ts';
import type { ErrorCode } from '../core/errors.ts';
import { FirebreakError } from '../core/errors.ts';
import type { HoldTerms } from '../core/incident/hold.ts';
import { targetText } from '../workflows/steps/step-data.ts';

/** How a step fails. */
export interface Failure {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** A call of an action in a simulation. */
export interface SimulatedCall {
  /** Key of the step. */
  readonly key: string;
  readonly action: string;
  readonly does: 'plan' | 'apply' | 'undo';
  readonly input: unknown;
}

/** The answers of the simulated cluster. */
export interface SimulatedCluster {
  /** Undefined: it succeeds. */
  readonly failureOf: (call: SimulatedCall) => Failure | undefined;
  /** Whether the step with this key failed because of `failureOf`. */
  readonly wasInjected: (key: string) => boolean;
  readonly outputOf: (call: SimulatedCall) => unknown;
  /** How a plan differs from the sketch. */
  readonly planOf: (action: string, input: unknown) => Partial<Plan> | Promise<Partial<Plan>>;
  readonly now: () => number;
  /** Waits as long as a step takes. */
  readonly takes: (action: string) => Promise<void>;
  /** Uid of a contained pod → its namespace. */
  readonly contained: Map<string, string>;
}

/** Included in every plan that was made without a cluster. */
const sketchNote = 'A sketch, made without a cluster: the real plan names all that it would touch.';

/** What a step would affect, as far as its declaration and its input tell. */
function sketchPlan(
  { name, title }: ActionDeclaration,
  input: unknown,
): Omit<Plan, 'inputDigest' | 'action' | 'effect' | 'reach'> {
  const target = targetText(input);
  const uid = podUidOf(input);
  const suspect = suspectIn(input);
  const isAboutPod = target.startsWith('pod/');
  return {
    target: { name: target, ...(uid !== undefined && isAboutPod && { uid }) },
    ...(suspect && !isAboutPod && { evidenceOf: suspect }),
    changes: [{ target, what: `${name}: ${title.charAt(0).toLowerCase()}${title.slice(1)}` }],
    blastRadius: [target],
    notes: [sketchNote],
  };
}

function suspectIn(input: unknown): { readonly name: string; readonly uid: string } | undefined {
  if (typeof input !== 'object' || input === null || !('suspect' in input)) return undefined;
  const uid = podUidOf({ suspect: input.suspect });
  return uid === undefined ? undefined : { name: targetText({ suspect: input.suspect }), uid };
}

function inputOf({ name, own }: ActionDeclaration): z.ZodType {
  return own ? dataSchema(own.input) : (actionInputs[name] ?? z.unknown());
}

/** An action that the chokepoint runs like any other, but that changes nothing anywhere. */
export function simulatedAction(declaration: ActionDeclaration, cluster: SimulatedCluster): RegisteredAction {
  const { name } = declaration;
  const taken = new Map<string, Omit<HoldTerms, 'at'> & { readonly at: string }>();
  const mustCome = (call: SimulatedCall): void => {
    const failure = cluster.failureOf(call);
    if (failure) throw new FirebreakError(failure.code, failure.reason);
  };
  return {
    declaration,
    input: inputOf(declaration),
    implementation: {
      plan: async (input) => ({ ...sketchPlan(declaration, input), ...(await cluster.planOf(name, input)) }),
      apply: async (input, { key, taking }) => {
        const call = { key, action: name, does: 'apply', input } as const;
        await cluster.takes(name);
        mustCome(call);
        const uid = podUidOf(input);
        if (declaration.contains && uid !== undefined) cluster.contained.set(uid, targetText(input).split('/')[1] ?? '');
        if (taking) taken.set(key, { ...taking, at: new Date(cluster.now()).toISOString() });
        return cluster.outputOf(call);
      },
      started: async () => false,
      verify: async () =>
        declaration.endsTarget
          ? { state: 'verified', detail: 'simulated: it is gone' }
          : { state: 'applied', detail: 'simulated: nothing was done' },
      ...(declaration.effect === 'reversible' &&
        !declaration.momentary && {
          undo: async ({ input, key, allow }, { incident }) => {
            const call = { key, action: name, does: 'undo', input } as const;
            const note = taken.get(key);
            const uid = podUidOf(input);
            if (note)
              await allow?.([{ object: targetText(input), ...(uid !== undefined && { uid }), incident, step: key, terms: note }]);
            mustCome(call);
            if (uid !== undefined) cluster.contained.delete(uid);
            return { state: 'undone', detail: 'simulated: as before' };
          },
        }),
    },
  };
}
