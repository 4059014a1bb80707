import type { Json } from '../text/plain-json.ts';
import type { InputOf, OutputOf, UndoResult, Verification } from './action.ts';
import type { OwnAction } from './own-action.ts';
import type { Change, TargetName } from './plan.ts';

/** What an action of a pack asks of a service. */
export interface OwnRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Is sent as JSON. */
  readonly body?: unknown;
}

export interface OwnResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed, where it is JSON. */
  readonly body: unknown;
}

/** What an action of a pack gets, and all that it gets. */
export interface OwnCall<Input = unknown> {
  readonly input: Input;
  /** The same on every attempt of this step, and of no other: 64 hex digits. Give it to a service as its idempotency key. */
  readonly key: string;
  /**
   * Answers also with what is no success, but for 429 and 5xx: these, and no answer in time, end the attempt, and Firebreak tries again later, after
   * `Retry-After` where that is said. Follows no redirect.
   */
  readonly http: (request: OwnRequest) => Promise<OwnResponse>;
  /** Those that the action declares. They are cut out of everything that it says. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  /** One line in the log of the pool. */
  readonly log: (text: string) => void;
  /** Aborts when the attempt is given up. */
  readonly signal: AbortSignal;
}

/** What a step would change, and how that is now. */
export interface OwnPlan<State extends Json = Json> {
  /** `kind/name`, or `kind/namespace/name` of what is in a namespace of the cluster. */
  readonly target: TargetName;
  /** None: nothing is to be done. Of an action that only looks there are none. */
  readonly changes: readonly Change[];
  /** What whoever approves it has to know. */
  readonly notes?: readonly string[];
  /** How it is before the step. Firebreak keeps it on its disk before `apply` is called, and gives it to `apply`, `verify` and `undo`. */
  readonly state: State;
}

/** What does an action of a pack. Each may be called again under the same key, also after a crash in its middle: then it must do nothing twice. */
export interface OwnImplementation<Input = unknown, Output = unknown, State extends Json = Json> {
  /** Changes nothing. Only what identifies the change belongs in a plan: people approve it, and another one is refused. */
  readonly plan: (call: OwnCall<Input>) => Promise<OwnPlan<State>>;
  readonly apply: (call: OwnCall<Input> & { readonly state: State }) => Promise<Output>;
  readonly verify: (call: OwnCall<Input> & { readonly state: State; readonly output: Output }) => Promise<Verification>;
  /** Gives back exactly what `state` says; `output` is absent where `apply` was cut short. */
  readonly undo?: (call: OwnCall<Input> & { readonly state: State; readonly output?: Output }) => Promise<UndoResult>;
}

/** What is reversible has one. A condition around the whole would keep the compiler from seeing what the state is. */
type UndoOf<E> = E extends 'reversible' ? { readonly undo: unknown } : unknown;

/** What a file in `implementations` exports by default. */
export interface ImplementedAction {
  /** Name of the action in its pack. */
  readonly action: string;
  readonly does: Readonly<Record<'plan' | 'apply' | 'verify', (call: never) => Promise<unknown>>> & {
    readonly undo?: (call: never) => Promise<unknown>;
  };
}

/**
 * What does an action that `defineAction` has declared, the default export of its file in `implementations`. It runs in a process of its own, without
 * Firebreak's keys, environment and files.
 *
 * ```ts
 * export default implementAction(closePort, {
 *   plan: async ({ input, http, settings }) => ({ target: `security-group/${input.group}`, changes: […], state: … }),
 *   apply: async ({ input, state, key, http }) => ({ removed: … }),
 *   verify: async ({ input, http }) => ({ state: 'applied', detail: 'no rule opens the port' }),
 *   undo: async ({ state, key, http }) => ({ state: 'undone', detail: 'the rules are there again' }),
 * });
 * ```
 */
export function implementAction<A extends OwnAction, State extends Json>(
  action: A,
  does: OwnImplementation<InputOf<A>, OutputOf<A>, State> & UndoOf<A['effect']>,
): ImplementedAction {
  return { action: action.name, does };
}

/** By this name a refusal is known in another process. */
const refusalName = 'OwnRefusal';

class OwnRefusal extends Error {
  override readonly name = refusalName;
}

/** Ends an attempt for good: it is not tried again, and people are told the reason. No secret belongs in it. */
export function refuse(reason: string): never {
  throw new OwnRefusal(reason);
}

/** The reason of `refuse`; undefined for every other error. */
export function refusalIn(error: unknown): string | undefined {
  return error instanceof Error && error.name === refusalName ? error.message : undefined;
}
