import type { Json } from '../text/plain-json.ts';
import type { InputOf, OutputOf, UndoResult, Verification } from './action.ts';
import type { OwnAction } from './own-action.ts';
import type { Change, TargetName } from './plan.ts';

/** A request from an action of a pack to a service. */
export interface OwnRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export interface OwnResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed, if it is JSON. */
  readonly body: unknown;
}

/** Everything that an action of a pack gets. */
export interface OwnCall<Input = unknown> {
  readonly input: Input;
  /** The same on every attempt of this step, and different for every other step: 64 hex digits. Pass it to a service as its idempotency key. */
  readonly key: string;
  /**
   * Also resolves for error responses, except 429 and 5xx: these, and a timeout, end the attempt, and Firebreak retries later, after `Retry-After` if given.
   * Follows no redirect. Reaches only the servers that the action declares (`egress`), and with declared `rights` the API server, as
   * `https://kubernetes.default.svc`.
   */
  readonly http: (request: OwnRequest) => Promise<OwnResponse>;
  /** The secrets that the action declares. They are removed from all its output. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  /** Writes one line to the pool's log. */
  readonly log: (text: string) => void;
  /** Aborts when the attempt is abandoned. */
  readonly signal: AbortSignal;
}

/** What a step would change, and the current state of that. */
export interface OwnPlan<State extends Json = Json> {
  /** `kind/name`, or `kind/namespace/name` for an object in a namespace of the cluster. */
  readonly target: TargetName;
  /** Empty: there is nothing to do. Always empty for an action that only looks. */
  readonly changes: readonly Change[];
  /** What approvers have to know. */
  readonly notes?: readonly string[];
  /** The state before the step. Firebreak stores it on disk before `apply` is called, and passes it to `apply`, `verify` and `undo`. */
  readonly state: State;
}

/** Implements an action of a pack. Each function may be called again with the same key, also after a crash midway: it must then do nothing twice. */
export interface OwnImplementation<Input = unknown, Output = unknown, State extends Json = Json> {
  /** Changes nothing. A plan must contain only what identifies the change: people approve it, and a different one is refused. */
  readonly plan: (call: OwnCall<Input>) => Promise<OwnPlan<State>>;
  readonly apply: (call: OwnCall<Input> & { readonly state: State }) => Promise<Output>;
  readonly verify: (call: OwnCall<Input> & { readonly state: State; readonly output: Output }) => Promise<Verification>;
  /** Restores exactly what `state` says; `output` is absent if `apply` was interrupted. */
  readonly undo?: (call: OwnCall<Input> & { readonly state: State; readonly output?: Output }) => Promise<UndoResult>;
}

/** Reversible actions have one. A condition around the whole type would keep the compiler from inferring the state. */
type UndoOf<E> = E extends 'reversible' ? { readonly undo: unknown } : unknown;

/** The default export of a file in `implementations`. */
export interface ImplementedAction {
  /** Name of the action in its pack. */
  readonly action: string;
  readonly does: Readonly<Record<'plan' | 'apply' | 'verify', (call: never) => Promise<unknown>>> & {
    readonly undo?: (call: never) => Promise<unknown>;
  };
}

/**
 * Implements an action declared with `defineAction`; the default export of its file in `implementations`. It runs in its own process, without Firebreak's keys,
 * environment and files.
 *
 * ```ts
 * export default implementAction(closePort, {
 *   plan: async ({ input, http, settings }) => ({ target: `security-group/${input.group}`, changes: […], state: … }),
 *   apply: async ({ input, state, key, http }) => ({ removed: … }),
 *   verify: async ({ input, http }) => ({ state: 'applied', detail: 'no rule opens the port' }),
 *   undo: async ({ state, key, http }) => ({ state: 'undone', detail: 'the rules are there again' }), });
 * ```
 */
export function implementAction<A extends OwnAction, State extends Json>(
  action: A,
  does: OwnImplementation<InputOf<A>, OutputOf<A>, State> & UndoOf<A['effect']>,
): ImplementedAction {
  return { action: action.name, does };
}

/** Identifies a refusal in another process. */
const refusalName = 'OwnRefusal';

class OwnRefusal extends Error {
  override readonly name = refusalName;
}

/** Ends an attempt for good: it is not retried, and people see the reason, which must not contain a secret. */
export function refuse(reason: string): never {
  throw new OwnRefusal(reason);
}

/** The reason of `refuse`; undefined for every other error. */
export function refusalIn(error: unknown): string | undefined {
  return error instanceof Error && error.name === refusalName ? error.message : undefined;
}
