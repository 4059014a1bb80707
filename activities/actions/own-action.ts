import { z } from 'zod';
import type { ActionImplementation, StepContext, UndoResult, Verification } from '../../core/action/action.ts';
import { type DataFields, problemsOfData } from '../../core/action/data-fields.ts';
import type { OwnAction } from '../../core/action/own-action.ts';
import { podUidOf } from '../../core/action/step.ts';
import { FirebreakError, RetryLaterError } from '../../core/errors.ts';
import { type HoldTerms, holdTermsNow } from '../../core/incident/hold.ts';
import { digestOf, sha256Hex } from '../../core/text/digest.ts';
import { isJson, isObject, type Json } from '../../core/text/plain-json.ts';
import type { RegisteredAction } from '../chokepoint/parts.ts';
import type { StoredValues } from '../memory/memory.ts';

/** One call of an action of a pack. */
export interface OwnRun {
  /** Its name in the pack. */
  readonly action: string;
  readonly does: 'plan' | 'apply' | 'verify' | 'undo';
  readonly input: unknown;
  readonly key: string;
  readonly state?: Json;
  readonly output?: unknown;
}

/** The result. No reason contains a secret. */
export type OwnRunEnd =
  | { readonly end: 'value'; readonly value: unknown }
  /** Refused for good. */
  | { readonly end: 'refused'; readonly reason: string }
  /** Failed, and tried again. */
  | { readonly end: 'failed'; readonly reason: string; readonly retryAfterMs?: number };

/** Where the actions of one pack run. Never rejects. */
export interface OwnRunner {
  run(call: OwnRun, context: Pick<StepContext, 'signal' | 'progress'>): Promise<OwnRunEnd>;
}

/** What is known of a step before anything is changed, and until it is released. */
export interface OwnStepRecord {
  readonly incident: string;
  readonly input: unknown;
  readonly target: string;
  /** The before-state, as its plan reported it. */
  readonly state: Json;
  /** The terms of the hold on what it touches. */
  readonly terms: HoldTerms;
  /** Absent until the step has succeeded. */
  readonly output?: unknown;
  /** Nothing is left to release. */
  readonly isOver?: true;
}

const name = z.string().regex(/^[a-z][a-z0-9-]*(\/[^\s/]{1,253}){1,2}$/);
const sentence = z.string().min(1).max(1_000);
const planSchema = z.strictObject({
  target: name,
  changes: z.array(z.strictObject({ target: name, what: sentence })).max(100),
  notes: z.array(sentence).max(20).default([]),
  state: z.custom<Json>((value) => isJson(value) && JSON.stringify(value).length <= mostStateBytes),
});
const verificationSchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.enum(['applied', 'verified', 'unverified']), detail: sentence }),
  z.strictObject({ state: z.literal('partial'), detail: sentence, missing: z.array(sentence).max(100) }),
]);
const undoSchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.enum(['undone', 'already', 'gone']), detail: sentence }),
  z.strictObject({ state: z.literal('drifted'), detail: sentence, difference: z.array(sentence).max(100) }),
]);
const mostStateBytes = 64 * 1_024;
/** Maximum number of plans kept between planning and their step, which follows at once. */
const mostPlanned = 1_000;

/** An action of a pack as the chokepoint runs it: its results are checked, and the before-state is on disk before anything is changed. */
export function ownAction(
  action: OwnAction,
  { runner, steps }: { readonly runner: OwnRunner; readonly steps: StoredValues<OwnStepRecord> },
): RegisteredAction {
  const bare = action.name.split('/').at(-1) ?? action.name;
  const planned = new Map<string, { readonly target: string; readonly state: Json }>();

  const run = async (call: Omit<OwnRun, 'action' | 'key'>, context: StepContext): Promise<unknown> => {
    const { does } = call;
    const came = await runner.run({ ...call, action: bare, key: sha256Hex(context.key) }, context);
    if (came.end === 'value') return came.value;
    const reason = `${action.name} could not ${does}: ${came.reason}`;
    if (came.end === 'refused') throw new FirebreakError(does === 'plan' ? 'FB_ERR_REFUSED' : 'FB_ERR_ACTION_FAILED', reason);
    const { retryAfterMs } = came;
    throw retryAfterMs === undefined
      ? new FirebreakError('FB_ERR_UNAVAILABLE', reason)
      : new RetryLaterError(reason, { retryAfterMs });
  };

  const said = <T>(schema: z.ZodType<T>, value: unknown, does: OwnRun['does']): T => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const reason = `what ${action.name} returned after ${does} is invalid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`;
    throw new FirebreakError(does === 'plan' ? 'FB_ERR_REFUSED' : 'FB_ERR_ACTION_FAILED', reason);
  };

  const recordOf = (input: unknown, { key, incident }: StepContext): OwnStepRecord | undefined => {
    const record = steps.get(key);
    if (record && (record.incident !== incident || digestOf(record.input) !== digestOf(input)))
      throw new FirebreakError('FB_ERR_REFUSED', `another step of ${action.name} has this key`);
    return record;
  };

  const implementation: ActionImplementation<unknown, unknown> = {
    plan: async (input, context) => {
      const { target, changes, notes, state } = said(planSchema, await run({ does: 'plan', input }, context), 'plan');
      if (action.effect === 'read' && changes.length > 0)
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `${action.name} only looks, by its declaration, but plans to change ${target}`,
        );
      planned.set(context.key, { target, state });
      for (const [oldest] of planned) if (planned.size > mostPlanned) planned.delete(oldest);
      const pod = podIn(input);
      return {
        ...(action.own.weakens && { weakens: true }),
        target: { name: target },
        ...(pod && { evidenceOf: pod }),
        changes,
        blastRadius: [...new Set([target, ...changes.map((change) => change.target)])].sort(),
        notes: [`An action of the pack ${action.name.split('/')[0]}: what it says here is its author’s claim.`, ...notes],
      };
    },
    apply: async (input, context) => {
      const { key, incident } = context;
      let record = recordOf(input, context);
      if (!record) {
        const plan = planned.get(key);
        if (!plan) throw new FirebreakError('FB_ERR_INTERNAL', `${action.name} is to be run without a plan`);
        record = { incident, input, ...plan, terms: holdTermsNow(context) };
        await steps.store(key, record);
      }
      planned.delete(key);
      const { state } = record;
      const output = await run({ does: 'apply', input, state }, context);
      const [wrong] = problemsOfData(action.own.output, output);
      if (wrong)
        throw new FirebreakError('FB_ERR_ACTION_FAILED', `${action.name} returns a wrong ${wrong.field}: ${wrong.problem}`);
      await steps.store(key, { ...record, output, ...(action.effect !== 'reversible' && { isOver: true }) });
      return output;
    },
    started: async (input, context) => recordOf(input, context) !== undefined,
    verify: async (output, context): Promise<Verification> => {
      const record = steps.get(context.key);
      if (!record) return { state: 'unverified', detail: 'this pool no longer knows its earlier state' };
      const { input, state } = record;
      return said(verificationSchema, await run({ does: 'verify', input, state, output }, context), 'verify');
    },
    ...(action.effect === 'reversible' && {
      undo: async ({ input, allow }, context): Promise<UndoResult> => {
        const { key } = context;
        const record = recordOf(input, context);
        if (record?.isOver) return { state: 'already', detail: 'it was already undone' };
        if (!record)
          return {
            state: 'drifted',
            detail: 'this pool does not know its earlier state; nothing was changed',
            difference: ['the before-state is not on its disk'],
          };
        await allow?.([{ object: record.target, incident: record.incident, step: key, terms: record.terms }]);
        const { state, output } = record;
        const undo = { does: 'undo', input: record.input, state, ...(output !== undefined && { output }) } as const;
        const result = said(undoSchema, await run(undo, context), 'undo');
        if (result.state !== 'drifted') await steps.store(key, { ...record, isOver: true });
        return result;
      },
    }),
  };
  return {
    declaration: action,
    input: dataSchema(action.own.input),
    implementation,
  };
}

/** The schema by which the chokepoint checks the input of such an action. */
export function dataSchema(fields: DataFields): z.ZodType {
  return z.unknown().superRefine((value, { addIssue }) => {
    for (const { field, problem } of problemsOfData(fields, value)) addIssue({ code: 'custom', path: [field], message: problem });
  });
}

/** The pod whose evidence has to be kept before it is destroyed. */
function podIn(input: unknown): { readonly name: string; readonly uid: string } | undefined {
  const uid = podUidOf(input);
  if (uid === undefined || !isObject(input)) return undefined;
  const pod = Object.values(input).find((value) => isObject(value) && value.uid === uid);
  return isObject(pod) ? { name: `pod/${String(pod.namespace)}/${String(pod.name)}`, uid } : undefined;
}
