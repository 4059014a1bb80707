import type { ActionDeclaration, Verification } from '../action/action.ts';
import type { Effect, Plan } from '../action/plan.ts';
import type { QuarantinePodOutput } from '../actions/containment/quarantine-pod.schema.ts';
import type { Alert, PodRef } from '../alert/alert.ts';
import { ownRules } from '../alert/own-alerts.ts';
import type { Severity } from '../alert/severity.ts';
import type { Confidence } from '../assessment/rules/rule-judgement.ts';
import type { Approval, Level } from '../decide/approval.ts';
import type { Form, TypedField } from '../decide/form.ts';
import type { EvidenceRef } from '../evidence/evidence.ts';
import type { Reached, Verdict } from '../incident/incident.ts';
import { type Duration, durationMs } from './duration.ts';
import { problemsOfEnvelope } from './envelope-problems.ts';
import type { Match } from './match.ts';
import { assertMatch } from './match-problems.ts';
import { type Params, type ParamValues, problemOfParam } from './params.ts';
import { problemsOfSchedule, type RunSchedule } from './schedule.ts';

export type Requires = 'pod' | 'node' | 'workload';

/** A field that is guaranteed only if `requires` names it: the compiler's message shows this name. */
type NotInRequires<Need extends string, T> = T & { readonly [_ in `add '${Need}' to on.requires, or look`]?: never };

/** The alert as a playbook sees it: the fields named in `requires` are present, and a pod has its uid. */
export type AlertWith<R extends Requires> = Omit<Alert, Requires> &
  ('pod' extends R ? { readonly pod: PodRef & { readonly uid: string } } : { readonly pod?: NotInRequires<'pod', PodRef> }) &
  ('node' extends R ? { readonly node: string } : { readonly node?: string }) &
  ('workload' extends R
    ? { readonly workload: NonNullable<Alert['workload']> }
    : { readonly workload?: NotInRequires<'workload', NonNullable<Alert['workload']>> });

export type Uses = Readonly<Record<string, ActionDeclaration>>;

/** How long a reversible effect lasts, and what happens at its end below critical. */
export interface LeaseOptions {
  readonly lease?: Duration;
  readonly onExpiry?: 'renew' | 'release';
}

/** Only people release an action of a pack, unless its step was not completed: its pool has heard neither votes nor what prolonged a lease. */
interface OwnLeaseOptions {
  readonly lease?: Duration;
  readonly onExpiry?: 'renew';
}

export interface StepResult<Name extends string = string, Output = unknown> {
  readonly action: Name;
  readonly key: string;
  readonly plan: Plan<Name>;
  readonly output: Output;
  readonly verification: Verification;
  readonly leaseId?: string;
}

/** Requires an approval that covers this action. Otherwise the compiler shows what to do instead. */
type Covering<A, Name extends string> =
  A extends Approval<Name> ? A : `this is not the approval of ${Name}: offer its plan as the plan of this choice in ask()`;

/** Something that does not exist, with the reason in its type. */
interface Impossible<Why extends string> {
  readonly why: Why;
}

/** Only actions that reach no further than one workload can be automatic; anything wider needs an approval. */
type WideReach = 'namespace' | 'node' | 'cluster';

/** The overload without an approval cannot be called: the compiler shows what is needed instead. */
type Approved<Name extends string, Input, Output> = {
  <A extends Approval<never>>(input: Input, approval: Covering<A, Name>): Promise<StepResult<Name, Output>>;
  (input: `${Name} takes an approval: offer its plan in ask(), and give it answer.approval`): never;
};

/**
 * @typeParam Reaches as declared by the action, except for actions of packs; an action that does not declare it is not restricted here, and fully restricted in
 * the cell.
 */
type Call<Name extends string, Input, Output, E extends Effect, Reaches> = E extends 'destructive'
  ? Approved<Name, Input, Output>
  : E extends 'reversible'
    ? Reaches extends 'of a pack'
      ? Approved<Name, Input & OwnLeaseOptions, Output>
      : Reaches extends WideReach
        ? Approved<Name, Input & LeaseOptions, Output>
        : <A extends Approval<never> = Approval<Name>>(
            input: Input & LeaseOptions,
            approval?: Covering<A, Name>,
          ) => Promise<StepResult<Name, Output>>
    : (input: Input) => Promise<StepResult<Name, Output>>;

type Step<Name extends string, Input, Output, E extends Effect, Reaches> = Call<Name, Input, Output, E, Reaches> & {
  /** Plans what it would change, without changing it. */
  readonly plan: (input: Input) => Promise<Plan<Name>>;
} & (E extends 'reversible'
    ? {
        /** Releases the effect. A release is a decision too: it needs an approval of the plan that `undo.plan` returns. */
        readonly undo: {
          <A extends Approval<never>>(result: StepResult<Name, Output>, approval: Covering<A, `undo:${Name}`>): Promise<void>;
          (result: `${Name}.undo takes an approval: offer what undo.plan() gives in ask(), and give it answer.approval`): never;
          /** `observed`: of a pod, one person may release it also on a critical incident, and any alert within 24 hours cuts it off again. */
          readonly plan: (
            result: StepResult<Name, Output>,
            ...how: Name extends 'quarantinePod' ? [{ readonly observed: true }?] : []
          ) => Promise<Plan<`undo:${Name}`>>;
        };
      }
    : {
        readonly undo: Impossible<`${Name} cannot be undone: ${E extends 'destructive' ? 'what it ends is gone' : 'it changes nothing'}`>;
      });

export type Steps<U extends Uses> = {
  readonly [K in keyof U]: U[K] extends ActionDeclaration<infer Name, infer Input, infer Output, infer E>
    ? Step<Name, Input, Output, E, U[K] extends { readonly pool: 'packs' } ? 'of a pack' : U[K]['reach']>
    : never;
};

type PlanOrPlans = Plan | readonly Plan[];
type ActionOf<P> = P extends readonly Plan<infer Name>[] ? Name : P extends Plan<infer Name> ? Name : never;

/** A group that the questions of a playbook are put to, and how long before the next one is asked. */
export interface AskedGroup {
  /** Name of the group in the roster. */
  readonly group: string;
  readonly within: Duration;
  /** Also pages the group: for questions whose silence matters, always or only on a critical alert. */
  readonly page?: true | 'critical';
}

export interface AskOptions<
  Choices extends Readonly<Record<string, string>>,
  Plans extends { readonly [K in keyof Choices]?: PlanOrPlans },
  Forms extends { readonly [K in keyof Choices]?: Form } = NoForms,
  Until extends boolean = boolean,
> {
  readonly question: string;
  /** Choice id → button label. For a choice with a plan, only a leading `Yes` or `No` of it is shown: its plan says what it does. */
  readonly choices: Choices;
  /** The plan that runs for each choice. A choice without a plan changes nothing. */
  readonly plan?: Plans;
  /** Choices that call it harmless. These weaken the response: anyone who picks one must give a reason, and on a critical alert two people must pick it. */
  readonly harmless?: readonly (keyof Choices & string)[];
  /**
   * The form that people fill in with a choice, by choice id: `{ extend: { hours: field.number('For how many hours?', { min: 1, max: 72 }) } }`. It is signed
   * with the answer, and if two people are needed, both must fill in the same values. It approves nothing: what runs is the plan that was shown.
   */
  readonly forms?: Forms;
  /** What silence means, as text for the card. Silence is never yes. Where it contains the pod, the card says that instead. */
  readonly onSilence: string;
  /**
   * It asks whether to contain the pod. It ends with the choice `contained` as soon as Firebreak has contained the pod at once, or because nobody answered
   * (`response.onSilence`): votes and approvals of it are then void. Only in a playbook with `contains: 'pod'`.
   */
  readonly untilContained?: Until;
}

/** The result of the containment that Firebreak began by itself. */
export type PodContainment = StepResult<'quarantinePod', QuarantinePodOutput>;

/** For a question that is answered only by its buttons. */
type NoForms = Readonly<Record<never, never>>;

type ValueOf<F> = F extends TypedField<infer Value> ? Value : never;
type ValuesOf<F> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

export type Answer<Choices extends Readonly<Record<string, string>>, Plans, Forms = NoForms, Until extends boolean = false> =
  | {
      [K in keyof Choices & string]: {
        readonly choice: K;
        /** Names of the people who answered, only for texts: two people may have the same name, so a body must not base decisions on it. */
        readonly by: readonly string[];
        readonly approval: Approval<K extends keyof Plans ? ActionOf<Plans[K]> : never>;
        /** The form values of the answer. */
        readonly form: K extends keyof Forms ? ValuesOf<Forms[K]> : NoForms;
      };
    }[keyof Choices & string]
  | {
      readonly choice: 'silence';
      /** Nobody was asked: the alerts are only filed or recorded, for this reason. */
      readonly notAsked?: string;
    }
  | (Until extends true
      ? {
          /** Firebreak has contained the pod: at once while the question was open, or because nobody answered. */
          readonly choice: 'contained';
          readonly containment: PodContainment;
          /** The alert that it was contained for. */
          readonly because: Alert;
          /** It was contained when the time of the question was over, because nobody had answered: `response.onSilence`. */
          readonly unanswered?: true;
        }
      : never);

export type Settled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly reason: string };

/** What is known about the incident when the body reads it: read-only, and at least as recent as the last step or answer that the body waited for. */
export interface BodyIncident {
  /** The same while the incident is open; the next incident of this workload may reuse it. */
  readonly id: string;
  readonly cluster: string;
  readonly title: string;
  /** The highest severity among its alerts so far. */
  readonly severity: Severity;
  readonly verdict: Verdict;
  readonly reached: Reached;
  /** ISO 8601, UTC. */
  readonly openedAt: string;
  /** Alerts so far, including repetitions. */
  readonly alerts: number;
  /** The rules of these alerts. */
  readonly rules: readonly string[];
  readonly evidence: readonly EvidenceRef[];
  /** Effects in force: name of the action and its target. */
  readonly inForce: readonly { readonly action: string; readonly target: string }[];
}

/** Whether a body slept for the whole time that it asked for. */
export type Slept = 'whole' | 'woken';

/** A playbook that another one can run; the caller must require everything that it requires. */
export interface RunnablePlaybook<R extends Requires> {
  readonly id: string;
  readonly on: { readonly requires: readonly R[] };
  /** Identifies the playbook, whatever its pack calls it. Absent: by its id, in full or within the caller's pack. */
  readonly run?: (context: never) => Promise<void>;
}

type AlsoRequired<N extends Requires> = [N] extends [never]
  ? unknown
  : Impossible<`what it runs requires '${N}': add that to on.requires`>;

/** How the body of another playbook ended. */
export interface PlaybookEnd {
  readonly state: 'done' | 'failed' | 'skipped';
  /** Why it failed, or was skipped. */
  readonly detail?: string;
  /** The verdict that it gave. */
  readonly verdict?: Verdict;
}

/** Fields that may accompany a log line. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Everything that a playbook's body can do. It imports nothing else. */
export interface PlaybookContext<U extends Uses, R extends Requires, P extends Params = NoParams> {
  readonly alert: AlertWith<R>;
  readonly incident: BodyIncident;
  /** The envelope's parameters, with the values from configuration. */
  readonly params: ParamValues<P>;
  /**
   * The containment of the alert's pod that Firebreak began before the body; undefined if it did not, or the envelope does not say `contains: 'pod'`. Fails if
   * the pod could not be contained.
   */
  readonly containment: Promise<PodContainment> | undefined;
  readonly steps: Steps<U>;
  readonly ask: <
    const Choices extends Readonly<Record<string, string>>,
    const Plans extends { readonly [K in keyof Choices]?: PlanOrPlans },
    const Forms extends { readonly [K in keyof Choices]?: Form } = NoForms,
    const Until extends boolean = false,
  >(
    options: AskOptions<Choices, Plans, Forms, Until>,
  ) => Promise<Answer<Choices, Plans, Forms, Until>>;
  /** Runs the parts concurrently and never throws: each result says whether its part succeeded. */
  readonly settle: <T extends Readonly<Record<string, Promise<unknown>>>>(
    parts: T,
  ) => Promise<{ readonly [K in keyof T]: Settled<Awaited<T[K]>> }>;
  /** Adds a line to the incident's timeline and to the record. */
  readonly note: (text: string) => void;
  /** Writes a line to the process log, with the incident and the playbook: for operators of Firebreak, not for the record. */
  readonly log: (text: string, fields?: LogFields) => void;
  /**
   * Ends the body here: this alert is not for it, for a reason that the envelope cannot express. It is recorded and uses nothing up: the next alert runs the
   * body again. Allowed only while the body has done nothing but look; a body that has acted or asked returns instead.
   */
  readonly skip: (reason: string) => never;
  /**
   * Sets the verdict. `benign` needs a supporting answer to the body's last question: a choice that is named in `harmless`, or one that releases containment.
   * Without it, the verdict is refused and the refusal recorded.
   */
  readonly verdict: (verdict: Verdict, why: string) => void;
  /** The evidence kept so far. */
  readonly evidence: () => readonly EvidenceRef[];
  /**
   * A part that is done as a whole or undone: if it throws, what its `steps` have done is undone in reverse order, on record, and the error is passed to the
   * body. People are asked before anything is undone, except as the envelope's `sagaUndo` says. Destructive steps stay done.
   */
  readonly saga: <T>(part: (steps: Steps<U>) => Promise<T>) => Promise<T>;
  /** Sleeps durably, at no cost while it lasts: at most 30 days. `woken`: woken early, because the incident's history has become too long. */
  readonly sleep: (time: Duration) => Promise<Slept>;
  /**
   * Calls `turn` now and again after each pause, until it returns `'enough'` or has run `times` times, at most 1 000.
   * @returns how often it was called.
   */
  readonly every: (pause: Duration, times: number, turn: (n: number) => Promise<unknown>) => Promise<number>;
  /**
   * Runs another playbook on this alert, within this incident, and waits for its end. It must be enabled; its `requires` is checked, its `match` is not. If it
   * already runs for this subject, or has already run for such an alert, that run is joined.
   */
  readonly runPlaybook: <N extends Requires>(other: RunnablePlaybook<N> & AlsoRequired<Exclude<N, R>>) => Promise<PlaybookEnd>;
}

/** For an envelope without parameters. */
type NoParams = Readonly<Record<never, never>>;

export interface PlaybookEnvelope<U extends Uses, R extends Requires, P extends Params = Params> {
  readonly id: string;
  readonly title: string;
  readonly on: {
    /**
     * Which alerts it answers; `unanswered`: every alert that no other enabled playbook answers; with `contains`, every alert whose pod is to be contained, if no
     * other enabled playbook that answers it has `contains` or `evidenceFirst`.
     */
    readonly match: Match | 'unanswered';
    /** It runs only on schedule: `match` is then the rule of Firebreak's own alert that the time has come. */
    readonly schedule?: RunSchedule;
    /** For a scheduled playbook, the severity of its incident. */
    readonly minSeverity: Severity;
    readonly requires: readonly R[];
  };
  /** A body runs once per pod (default), per workload or per node. */
  readonly per?: 'pod' | 'workload' | 'node';
  /** Among several playbooks that answer an alert, the one with the highest priority comes first. Absent: 0. */
  readonly priority?: number;
  /** If it answers an alert, playbooks of lower priority do not. */
  readonly exclusive?: true;
  readonly uses: U;
  /** Parameters that configuration may set, with defaults: `{ lease: param.duration('4h') }`. */
  readonly params?: P;
  /**
   * The groups that all its questions are put to, one after another. The cell accepts answers from nobody else, whatever a question says. Absent: those who
   * decide on incidents (`incidents.levels` of the configuration); the first of these groups is called at once on a critical alert.
   */
  readonly levels?: readonly AskedGroup[];
  /**
   * The alert's pod may be contained at once. Whether it is, Firebreak decides for each alert, and not the body: it quarantines the pod, even before the body
   * begins and while its question is open, and tells the body (`containment`, `untilContained`). Guardrails and caps still apply.
   */
  readonly contains?: 'pod';
  /**
   * How sure rules of yours are, with the reason, for the assessment of their alerts: `{ 'block-c2': { confidence: 'sure', why: 'nothing of ours connects
   * there' } }`. The configuration and the tables of known rules come first.
   */
  readonly rules?: Readonly<Record<string, { readonly confidence: Confidence; readonly why: string }>>;
  /**
   * If a later part of a `saga` fails, what it has done is undone without asking: within an hour, and only while the incident is known to be below critical.
   * Absent: people are asked.
   */
  readonly sagaUndo?: 'below-critical';
  /**
   * Containment waits until the evidence that the body has begun to collect is kept or has failed, but no longer than this: for cases in which a cut would make
   * the running program destroy itself. Cannot be combined with `contains`.
   */
  readonly evidenceFirst?: Duration;
}

/** The envelope as an author writes it: it answers alerts, or it runs on a schedule. */
type WrittenEnvelope<U extends Uses, R extends Requires, P extends Params = Params> = Omit<PlaybookEnvelope<U, R, P>, 'on'> & {
  readonly on:
    | PlaybookEnvelope<U, R, P>['on']
    | (Omit<PlaybookEnvelope<U, R, P>['on'], 'match' | 'schedule'> & { readonly schedule: RunSchedule });
};

type NeededToContain<U extends Uses, R extends Requires> = 'quarantinePod' extends keyof U
  ? 'pod' extends R
    ? unknown
    : { readonly contains?: Impossible<"a playbook that contains needs a pod: add 'pod' to on.requires"> }
  : { readonly contains?: Impossible<'a playbook that contains needs quarantinePod: add it to uses'> };

/** What a scheduled playbook matches: Firebreak's own alert that its time has come. */
const scheduledMatch: Match = { rule: ownRules.schedule };

export interface Playbook<U extends Uses = Uses, R extends Requires = Requires, P extends Params = Params>
  extends PlaybookEnvelope<U, R, P> {
  readonly run: (context: PlaybookContext<U, R, P>) => Promise<void>;
}

/** Each workflow evaluates all playbooks again, and does not compile patterns to check them: they are checked when they are bundled. */
const isInWorkflow = '__TEMPORAL__' in globalThis;

/**
 * Defines a reviewed procedure: a plain async function with an envelope of data, which is used to route alerts and to generate docs.
 * @throws TypeError for an envelope that contradicts itself.
 */
export function definePlaybook<const U extends Uses, const R extends Requires = never, const P extends Params = NoParams>(
  envelope: WrittenEnvelope<U, R, P> & NeededToContain<U, R>,
  run: (context: PlaybookContext<U, R, P>) => Promise<void>,
): Playbook<U, R, P> {
  const { id, on } = envelope;
  // No compiler has checked a playbook written in JavaScript.
  if (on === undefined)
    throw new TypeError(`playbook ${id}: it does not define which alerts it is for: write on: { match, minSeverity, requires }`);
  if (typeof run !== 'function')
    throw new TypeError(`playbook ${id}: its body is not a function: write async ({ alert, steps }) => { … }`);
  const whole = { ...envelope, on: 'match' in on ? on : { ...on, match: scheduledMatch } };
  if (!isInWorkflow) assertEnvelope(whole);
  return { ...whole, run };
}

/** @throws TypeError for an envelope that contradicts itself. */
function assertEnvelope<U extends Uses, R extends Requires, P extends Params>(envelope: PlaybookEnvelope<U, R, P>): void {
  for (const problem of problemsOfContaining(envelope)) throw new TypeError(`playbook ${envelope.id}: ${problem}`);
  for (const [name, of] of Object.entries(envelope.params ?? {})) {
    const problem = problemOfParam(of, of.default);
    if (problem !== undefined) throw new TypeError(`playbook ${envelope.id}: the default of parameter ${name}: ${problem}`);
  }
  const { schedule } = envelope.on;
  for (const problem of schedule ? problemsOfSchedule(schedule, envelope.params) : [])
    throw new TypeError(`playbook ${envelope.id}: its schedule: ${problem}`);
  if (schedule && envelope.on.match !== scheduledMatch)
    throw new TypeError(`playbook ${envelope.id}: a scheduled playbook answers no alerts: remove match`);
  for (const problem of problemsOfEnvelope(envelope)) throw new TypeError(`playbook ${envelope.id}: ${problem}`);
  if (envelope.levels?.length === 0)
    throw new TypeError(
      `playbook ${envelope.id}: its questions reach nobody: name a group, levels: [{ group: 'oncall', within: '15m' }]`,
    );
  if (envelope.on.match !== 'unanswered') assertMatch(envelope.on.match, `playbook ${envelope.id}`);
}

/** No compiler has checked the envelope of a playbook written in JavaScript. */
function problemsOfContaining({ contains, evidenceFirst, on, per = 'pod', uses }: AnyPlaybook): readonly string[] {
  if (contains === undefined) return [];
  return [
    ...(contains === 'pod'
      ? []
      : [`contains is “${String(contains)}”: only a pod can be contained at once: write contains: 'pod'`]),
    ...(Object.values(uses).some(({ name }) => name === 'quarantinePod')
      ? []
      : ["contains: 'pod' needs quarantinePod: add it to uses"]),
    ...(on.requires.includes('pod') ? [] : ["contains: 'pod' needs a pod: add 'pod' to on.requires"]),
    ...(per === 'pod' ? [] : [`it runs per ${per}, and contains: 'pod' needs a body for each pod: remove per or contains`]),
    ...(evidenceFirst === undefined
      ? []
      : ["contains: 'pod' contains the pod before evidence can be kept: remove contains or evidenceFirst"]),
    ...(on.schedule ? ['a scheduled playbook has no pod to contain at once: remove contains'] : []),
  ];
}

/** The parts of a playbook that routing, docs and lists need, whatever its actions. */
export type AnyPlaybook = Omit<PlaybookEnvelope<Uses, Requires>, never>;

/** Whether the assessment of an alert decides what becomes of its questions: they are about containing its pod, or nobody has written an answer to its rule. */
export function followsAssessment({ contains, on }: Pick<AnyPlaybook, 'contains' | 'on'>): boolean {
  return contains !== undefined || on.match === 'unanswered';
}

/**
 * The levels that a playbook's questions are put to, for an alert of this severity. If its envelope names none, those who decide on incidents: on critical,
 * their first group is called at once.
 */
export function levelsOf({ levels }: AnyPlaybook, severity: Severity, ofIncidents: readonly Level[]): readonly Level[] {
  if (!levels) return ofIncidents.map((level, at) => (at === 0 && severity === 'critical' ? { ...level, page: true } : level));
  return levels.map(({ group, within, page }) => ({
    group,
    withinMs: durationMs(within),
    ...((page === true || (page === 'critical' && severity === 'critical')) && { page: true as const }),
  }));
}
