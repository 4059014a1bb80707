import { type OwnStepRecord, ownAction } from '../../../activities/actions/own-action.ts';
import type { InputOf, OutputOf, StepContext, UndoResult, Verification } from '../../../core/action/action.ts';
import { mayReach } from '../../../core/action/egress.ts';
import { type OwnAction, ofPack } from '../../../core/action/own-action.ts';
import type { ImplementedAction } from '../../../core/action/own-implementation.ts';
import type { Change, TargetName } from '../../../core/action/plan.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { runOwn } from './run-own.ts';

/** One step of a pack's action, for its tests. Calls may be repeated under the same key, as after a crash. */
export interface TriedStep<Output> {
  readonly plan: () => Promise<{
    readonly target: { readonly name: TargetName };
    readonly changes: readonly Change[];
    readonly notes: readonly string[];
  }>;
  /** Plans first, unless the step has begun, and keeps the before-state. */
  readonly apply: () => Promise<Output>;
  readonly verify: () => Promise<Verification>;
  /** Only for reversible actions. */
  readonly undo: () => Promise<UndoResult>;
}

/**
 * Runs the implementation of an action as its pool does, in this process: input, plan, output and before-state are checked and kept as there, and `http`
 * reaches whatever stand-in the test has started. No approval is asked for.
 *
 * ```ts
 * const step = tryAction(closePort, implementation, { input, secrets: { token }, settings: { endpoint } }); assert.deepEqual(await step.apply(), { removed: 1
 * });
 * ```
 *
 * @throws what the pool would report, with `code` and `detail`.
 */
export function tryAction<A extends OwnAction>(
  action: A,
  implemented: ImplementedAction,
  given: {
    readonly input: InputOf<A>;
    readonly secrets?: Readonly<Record<string, string>>;
    readonly settings?: Readonly<Record<string, string>>;
    readonly log?: (text: string) => void;
  },
): TriedStep<OutputOf<A>> {
  const { input, secrets = {}, settings = {}, log = () => undefined } = given;
  const stored = new Map<string, OwnStepRecord>();
  const registered = ownAction(ofPack('tried', action), {
    runner: {
      run: async (call, { signal }) => {
        // Imported late, because a test of a playbook loads this file but needs no client.
        const { ownHttp } = await import('../../../integrations/own-http.ts');
        const http = ownHttp(signal, (url) => mayReach(action.own, settings, url));
        return runOwn(implemented, call, { secrets, settings, log, signal, http });
      },
    },
    steps: { get: (key) => stored.get(key), store: async (key, value) => void stored.set(key, value) },
  });
  const { implementation } = registered;
  const context = (): StepContext => ({
    key: 'tried',
    incident: 'tried',
    run: 'tried',
    fast: false,
    signal: AbortSignal.timeout(action.timeouts.applyMs),
  });
  const checked = (): unknown => {
    const read = registered.input.safeParse(input);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    throw new FirebreakError('FB_ERR_REFUSED', `its input is wrong at ${issue?.path.join('.')}: ${issue?.message}`);
  };
  let output: unknown;
  return {
    plan: () => implementation.plan(checked(), context()),
    apply: async () => {
      if (!stored.has('tried')) await implementation.plan(checked(), context());
      output = await implementation.apply(checked(), context());
      // The output was checked against the fields that the action declares.
      return output as OutputOf<A>;
    },
    verify: () => implementation.verify(output, context()),
    undo: async () => {
      if (!implementation.undo) throw new FirebreakError('FB_ERR_REFUSED', `${action.name} has no undo`);
      return implementation.undo({ input, key: 'tried' }, context());
    },
  };
}
