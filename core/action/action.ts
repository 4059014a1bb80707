import type { AllowRelease, HoldTerms } from '../incident/hold.ts';
import type { DataFields } from './data-fields.ts';
import type { Effect, Plan, Reach, TargetName } from './plan.ts';

/** Which worker holds the rights for it. The desk holds no cluster rights; the cell holds nobody else's. */
export const pools = ['cell', 'secrets', 'forensics', 'packs', 'desk'] as const;
export type Pool = (typeof pools)[number];

/** One RBAC rule that the action needs, as `PolicyRule` writes it. */
export interface Right {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Only where Firebreak itself runs; else in the whole cluster. */
  readonly in?: 'own namespace';
}

/** A kind of object on which an action leaves its note. */
export interface HeldKind {
  readonly kind: string;
  readonly apiGroup: string;
  /** Plural, as in the path: `cronjobs`. */
  readonly resource: string;
  /** Absent: it is in a namespace. */
  readonly clusterWide?: true;
}

/** What stands on a button, after `Yes: `. */
export interface ActionWords {
  readonly does?: string;
  /** Where its plan changes nothing, though there was something to change. */
  readonly cannot?: string;
  /** Giving it back. */
  readonly undo?: string;
  /** What a card says of it while it is in force, before or after the name of its target: `quarantined`. */
  readonly held?: string;
}

/** Reasons of Events: one word each, in the past, as Kubernetes writes them (`Scheduled`, `Pulled`). */
export interface Outcomes {
  readonly done: string;
  /** Absent: it cannot be given back. */
  readonly undone?: string;
}

/** What the alert must name for the action to make sense. */
export type Requirement = 'pod' | 'node' | 'workload' | 'container';

/** What only an action of a pack has. */
export interface OwnParts {
  readonly input: DataFields;
  readonly output: DataFields;
  /** File in the folder `implementations` of the pack whose default export is what it does: see `implementAction`. */
  readonly implementation: string;
  /** Names of secrets and settings that it gets, as the configuration of its pack has them. It gets no others. */
  readonly secrets: readonly string[];
  readonly settings: readonly string[];
  /** What it may give back, for simulations. */
  readonly sample: unknown;
  /** Doing it weakens the response: whoever approves it says why, and on a critical alert two people must. */
  readonly weakens?: true;
}

/**
 * One capability, as data: playbooks import it, the chokepoint reads it, the RBAC manifests, the reference and the card come from it.
 * `Input` and `Output` are inferred from the zod schemas in `NAME.schema.ts`, which are imported as types only.
 */
export interface ActionDeclaration<Name extends string = string, Input = unknown, Output = unknown, E extends Effect = Effect> {
  readonly name: Name;
  readonly title: string;
  readonly effect: E;
  readonly reach: Reach;
  readonly pool: Pool;
  /** True where undoing it gives containment back. */
  readonly contains?: true;
  /** True where the target is gone once it is verified: nothing that was done to it is left to give back. */
  readonly endsTarget?: true;
  /** True where nothing of it lasts: it gets no lease, and there is nothing to give back. */
  readonly momentary?: true;
  /** Off until the configuration names it: its rights are too strong to be given unasked, and RBAC of their own go with it. */
  readonly optIn?: true;
  /**
   * Objects besides pods and NetworkPolicies on which its note stays for as long as it is in force: each change of one is judged when the watch brings
   * it. The rights to list and watch them are among its rights.
   */
  readonly holds?: readonly HeldKind[];
  /** What it may have done beside the cluster, which a release without a cell does not reach: told to who gives it back by hand. */
  readonly outside?: string;
  /** How a button calls it. Absent: by its name, `evictPod` as `evict pod`. */
  readonly words?: ActionWords;
  /** What it says where it has nothing to work with and did nothing: its output has the state `skipped` then. The desk's own actions alone may say so. */
  readonly skipped?: string;
  /** What Events on the objects that it touched are called. Absent: it changes nothing of what runs, and nobody is told. */
  readonly outcomes?: Outcomes;
  readonly requires: readonly Requirement[];
  /** Milliseconds for one attempt. */
  readonly timeouts: { readonly planMs: number; readonly applyMs: number; readonly verifyMs: number };
  readonly rights: readonly Right[];
  /** How people are told that it is done: what is read back, what is probed. */
  readonly verifiedBy: string;
  readonly undo: string;
  readonly example: Input;
  /** Of an action of a pack. */
  readonly own?: OwnParts;
  /** For the compiler only; never set. */
  readonly types?: { readonly input: Input; readonly output: Output };
}

/** Declares an action. Two calls, so that name, effect, pool and reach are inferred while input and output are given. */
export function declareAction<Input, Output>() {
  return <const Name extends string, const E extends Effect, const P extends Pool, const R extends Reach>(
    declaration: ActionDeclaration<Name, Input, Output, E> & { readonly pool: P; readonly reach: R },
  ): ActionDeclaration<Name, Input, Output, E> & { readonly pool: P; readonly reach: R } => declaration;
}

/** Every kind of object that these actions hold, once. */
export function heldKinds(actions: readonly Pick<ActionDeclaration, 'holds'>[]): readonly HeldKind[] {
  return [...new Map(actions.flatMap(({ holds = [] }) => holds).map((held) => [held.kind, held])).values()];
}

export type InputOf<A> = A extends ActionDeclaration<string, infer Input, unknown, Effect> ? Input : never;
export type OutputOf<A> = A extends ActionDeclaration<string, infer _I, infer Output, Effect> ? Output : never;

/** How sure it is: `applied` is read back, `verified` was probed, `unverified` says why not, `partial` says what is missing. */
export type Verification =
  | { readonly state: 'applied'; readonly detail: string }
  | { readonly state: 'verified'; readonly detail: string }
  | { readonly state: 'unverified'; readonly detail: string }
  | { readonly state: 'partial'; readonly detail: string; readonly missing: readonly string[] };

/** What an undo did. `drifted`: nothing was changed, and the difference is in words. */
export type UndoResult =
  | { readonly state: 'undone'; readonly detail: string }
  | { readonly state: 'already'; readonly detail: string }
  | { readonly state: 'gone'; readonly detail: string }
  | { readonly state: 'drifted'; readonly detail: string; readonly difference: readonly string[] };

/** What an implementation is told besides its input. */
export interface StepContext {
  /** Idempotency key: workflow id / first run id / playbook / subject / action / n-th call. The same on every attempt. */
  readonly key: string;
  readonly incident: string;
  readonly run: string;
  /** True on the one fast call of a new incident: plan from the watch cache, one mutating call. */
  readonly fast: boolean;
  readonly signal: AbortSignal;
  /** Under which circumstances it is done: the chokepoint fills it in, for the note on what is changed. */
  readonly taking?: Omit<HoldTerms, 'at'> | undefined;
  /** Of which call over Temporal it is: the same on every attempt. Absent: the key. */
  readonly order?: string | undefined;
  /** Settles when what asks for the step is kept, or is not: it may be planned before, nothing is changed before. */
  readonly durable?: Promise<unknown> | undefined;
  /** What the step would touch, by the plan that it runs under: of `apply`. */
  readonly planned?: readonly TargetName[] | undefined;
  /** Says what the step is at, where that takes long. */
  readonly progress?: ((text: string) => void) | undefined;
}

/** What an action's implementation gives the chokepoint. `apply` and `undo` are idempotent by `context.key`. */
export interface ActionImplementation<Input, Output> {
  plan(
    input: Input,
    context: StepContext,
  ): Promise<Omit<Plan, 'inputDigest' | 'action' | 'effect' | 'reach'> & { readonly reach?: Reach }>;
  apply(input: Input, context: StepContext): Promise<Output>;
  /**
   * Whether this very step, by its key, has already begun to change something (its key in an annotation, the pod with this uid
   * gone …). After a crash in the middle the plan of what is left differs from the one that was approved: then the step goes on.
   */
  started(input: Input, context: StepContext): Promise<boolean>;
  verify(output: Output, context: StepContext): Promise<Verification>;
  undo?(
    call: {
      readonly input: Input;
      /** What it answered when it was done, as this worker remembers it. */
      readonly output?: Output;
      /** What it has changed, if anything, is not known here: it was cut short, another worker did it, or the memory of it is lost. */
      readonly isForgotten?: true;
      readonly key: string;
      /** Awaited once the note has been read and before anything is changed. Absent only in tests. */
      readonly allow?: AllowRelease;
    },
    context: StepContext,
  ): Promise<UndoResult>;
}
