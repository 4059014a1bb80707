import type { AllowRelease, HoldTerms } from '../incident/hold.ts';
import type { DataFields } from './data-fields.ts';
import type { Effect, Plan, Reach, TargetName } from './plan.ts';

/** Which worker holds the rights for an action. The desk holds no cluster rights; the cell holds only its own. */
export const pools = ['cell', 'secrets', 'forensics', 'packs', 'desk'] as const;
export type Pool = (typeof pools)[number];

/** One RBAC rule that the action needs, in the form of `PolicyRule`. */
export interface Right {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Only in the namespace where Firebreak itself runs; otherwise in the whole cluster. */
  readonly in?: 'own namespace';
}

/** A kind of object on which an action leaves its note. */
export interface HeldKind {
  readonly kind: string;
  readonly apiGroup: string;
  /** Plural, as in the path: `cronjobs`. */
  readonly resource: string;
  /** Absent: the kind is namespaced. */
  readonly clusterWide?: true;
}

/** Text on a button, after `Yes: `. */
export interface ActionWords {
  readonly does?: string;
  /** Used if its plan changes nothing, though there was something to change. */
  readonly cannot?: string;
  /** For releasing it. */
  readonly undo?: string;
  /** How a card describes it while it is in force, before or after the name of its target: `quarantined`. */
  readonly held?: string;
  /** How its end is described, after the name of its target: `has its network back`. */
  readonly ended?: string;
}

/** Reasons of Events: one word each, in the past tense, as Kubernetes writes them (`Scheduled`, `Pulled`). */
export interface Outcomes {
  readonly done: string;
  /** Absent: it cannot be undone. */
  readonly undone?: string;
}

/** What the alert must name for the action to make sense. */
export type Requirement = 'pod' | 'node' | 'workload' | 'container';

/** Parts that only an action of a pack has. */
export interface OwnParts {
  readonly input: DataFields;
  readonly output: DataFields;
  /** File in the pack's `implementations` folder whose default export implements it: see `implementAction`. */
  readonly implementation: string;
  /** Names of secrets and settings that it gets, as in the configuration of its pack. It gets no others. */
  readonly secrets: readonly string[];
  readonly settings: readonly string[];
  /** The servers that it may send requests to. It reaches no others. */
  readonly egress: readonly string[];
  /** Sample output, for simulations. */
  readonly sample: unknown;
  /** Doing it weakens the response: approvers must give a reason, and on a critical alert two people must approve. */
  readonly weakens?: true;
}

/**
 * One capability, as data: playbooks import it, the chokepoint reads it, and the RBAC manifests, the reference and the card are derived from it. `Input` and
 * `Output` are inferred from the zod schemas in `NAME.schema.ts`, which are imported as types only.
 */
export interface ActionDeclaration<Name extends string = string, Input = unknown, Output = unknown, E extends Effect = Effect> {
  readonly name: Name;
  readonly title: string;
  readonly effect: E;
  readonly reach: Reach;
  readonly pool: Pool;
  /** True if undoing it releases containment. */
  readonly contains?: true;
  /** True if the target is gone once it is verified: nothing that was done to it is left to release. */
  readonly endsTarget?: true;
  /** True if nothing of it lasts: it gets no lease, and there is nothing to release. */
  readonly momentary?: true;
  /** True if it stores evidence of its target: bodies that start together and ask for the same share it. */
  readonly storesEvidence?: true;
  /** Off until the configuration names it: its rights are too strong to be granted by default, and come with their own RBAC. */
  readonly optIn?: true;
  /**
   * Objects other than pods and NetworkPolicies that carry its note while it is in force: each change of one is judged when the watch reports it. The rights to
   * list and watch them are among its rights.
   */
  readonly holds?: readonly HeldKind[];
  /** What it may have done outside the cluster, which a release without a cell does not reach: shown to anyone who releases it by hand. */
  readonly outside?: string;
  /** How a button names it. Absent: by its name, `evictPod` as `evict pod`. */
  readonly words?: ActionWords;
  /** What it reports if it had nothing to work with and did nothing: its output then has the state `skipped`. Only the desk's own actions may do so. */
  readonly skipped?: string;
  /** Names of Events on the objects that it touched. Absent: it changes nothing that runs, and nobody is notified. */
  readonly outcomes?: Outcomes;
  readonly requires: readonly Requirement[];
  /** Timeouts of one attempt, in milliseconds. */
  readonly timeouts: { readonly planMs: number; readonly applyMs: number; readonly verifyMs: number };
  readonly rights: readonly Right[];
  /** Tells people how its result is verified: what is read back, what is probed. */
  readonly verifiedBy: string;
  readonly undo: string;
  readonly example: Input;
  /** Only set for an action of a pack. */
  readonly own?: OwnParts;
  /** For the compiler only; never set. */
  readonly types?: { readonly input: Input; readonly output: Output };
}

/** Declares an action. Two calls, so that name, effect, pool and reach are inferred while input and output are specified. */
export function declareAction<Input, Output>() {
  return <const Name extends string, const E extends Effect, const P extends Pool, const R extends Reach>(
    declaration: ActionDeclaration<Name, Input, Output, E> & { readonly pool: P; readonly reach: R },
  ): ActionDeclaration<Name, Input, Output, E> & { readonly pool: P; readonly reach: R } => declaration;
}

/** Every kind of object that these actions hold, without duplicates. */
export function heldKinds(actions: readonly Pick<ActionDeclaration, 'holds'>[]): readonly HeldKind[] {
  return [...new Map(actions.flatMap(({ holds = [] }) => holds).map((held) => [held.kind, held])).values()];
}

export type InputOf<A> = A extends ActionDeclaration<string, infer Input, unknown, Effect> ? Input : never;
export type OutputOf<A> = A extends ActionDeclaration<string, infer _I, infer Output, Effect> ? Output : never;

/** How certain the result is: `applied` was read back, `verified` was probed, `unverified` says why not, `partial` says what is missing. */
export type Verification =
  | { readonly state: 'applied'; readonly detail: string }
  | { readonly state: 'verified'; readonly detail: string }
  | { readonly state: 'unverified'; readonly detail: string }
  | { readonly state: 'partial'; readonly detail: string; readonly missing: readonly string[] };

/** What an undo did. `drifted`: nothing was changed, and the difference is described. */
export type UndoResult =
  | { readonly state: 'undone'; readonly detail: string }
  | { readonly state: 'already'; readonly detail: string }
  | { readonly state: 'gone'; readonly detail: string }
  | { readonly state: 'drifted'; readonly detail: string; readonly difference: readonly string[] };

/** What an implementation gets in addition to its input. */
export interface StepContext {
  /** Idempotency key: workflow id / first run id / playbook / subject / action / n-th call. The same on every attempt. */
  readonly key: string;
  readonly incident: string;
  readonly run: string;
  /** True for the one fast call of a new incident: plan from the watch cache, one mutating call. */
  readonly fast: boolean;
  readonly signal: AbortSignal;
  /** The circumstances of the step: the chokepoint fills them in, for the note on what is changed. */
  readonly taking?: Omit<HoldTerms, 'at'> | undefined;
  /** The Temporal call that the step belongs to: the same on every attempt. Absent: the key. */
  readonly order?: string | undefined;
  /** Settles when the request for the step is stored, or could not be: the step may be planned before that, but must change nothing. */
  readonly durable?: Promise<unknown> | undefined;
  /** What the step would touch, according to the plan that it runs under; for `apply`. */
  readonly planned?: readonly TargetName[] | undefined;
  /** Reports what the step is doing, if that takes long. */
  readonly progress?: ((text: string) => void) | undefined;
}

/** What an action's implementation provides to the chokepoint. `apply` and `undo` are idempotent by `context.key`. */
export interface ActionImplementation<Input, Output> {
  plan(
    input: Input,
    context: StepContext,
  ): Promise<Omit<Plan, 'inputDigest' | 'action' | 'effect' | 'reach'> & { readonly reach?: Reach }>;
  apply(input: Input, context: StepContext): Promise<Output>;
  /**
   * Whether this very step, by its key, has already begun to change something (its key in an annotation, the pod with this uid gone …). After a crash midway,
   * the plan for what is left differs from the approved one: then the step continues.
   */
  started(input: Input, context: StepContext): Promise<boolean>;
  verify(output: Output, context: StepContext): Promise<Verification>;
  undo?(
    call: {
      readonly input: Input;
      /** What the step returned when it was done, as this worker remembers it. */
      readonly output?: Output;
      /** Set if it is not known here what the step has changed, if anything: it was interrupted, another worker did it, or the memory of it is lost. */
      readonly isForgotten?: true;
      readonly key: string;
      /** Ids of people who release a pod under observation; absent: it is released for good. */
      readonly observedFor?: readonly string[];
      /** Awaited once the note has been read and before anything is changed. Absent only in tests. */
      readonly allow?: AllowRelease;
    },
    context: StepContext,
  ): Promise<UndoResult>;
}
