import type { ActionDeclaration, Verification } from '../action/action.ts';
import type { Effect, Plan } from '../action/plan.ts';
import type { Alert, PodRef } from '../alert/alert.ts';
import { ownRules } from '../alert/own-alerts.ts';
import type { Severity } from '../alert/severity.ts';
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

/** Of what is surely there only where `requires` names it: the compiler's message shows this name. */
type NotInRequires<Need extends string, T> = T & { readonly [_ in `add '${Need}' to on.requires, or look`]?: never };

/** The alert as a playbook sees it: what `requires` names is present, and a pod has its uid. */
export type AlertWith<R extends Requires> = Omit<Alert, Requires> &
  ('pod' extends R ? { readonly pod: PodRef & { readonly uid: string } } : { readonly pod?: NotInRequires<'pod', PodRef> }) &
  ('node' extends R ? { readonly node: string } : { readonly node?: string }) &
  ('workload' extends R
    ? { readonly workload: NonNullable<Alert['workload']> }
    : { readonly workload?: NotInRequires<'workload', NonNullable<Alert['workload']>> });

export type Uses = Readonly<Record<string, ActionDeclaration>>;

/** How long a reversible effect lasts, and what its end means below critical. */
export interface LeaseOptions {
  readonly lease?: Duration;
  readonly onExpiry?: 'renew' | 'release';
}

/** An action of a pack is given back by people alone, or where its step did not come about: its pool has heard neither votes nor what a lease was prolonged by. */
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

/** Of an approval that covers this action. Else the compiler shows what to do instead. */
type Covering<A, Name extends string> =
  A extends Approval<Name> ? A : `this is not the approval of ${Name}: offer its plan as the plan of this choice in ask()`;

/** What is not there, with the reason in its type. */
interface Impossible<Why extends string> {
  readonly why: Why;
}

/** Automatic is only what reaches no further than one workload; whatever is wider takes an approval. */
type WideReach = 'namespace' | 'node' | 'cluster';

/** The call without an approval, which nobody can make: what it takes instead is what the compiler shows. */
type Approved<Name extends string, Input, Output> = {
  <A extends Approval<never>>(input: Input, approval: Covering<A, Name>): Promise<StepResult<Name, Output>>;
  (input: `${Name} takes an approval: offer its plan in ask(), and give it answer.approval`): never;
};

/** @typeParam Reaches as the action is declared, but for those of packs; what does not say it is held to nothing here, and to all of it in the cell. */
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
  /** What it would change, without changing it. */
  readonly plan: (input: Input) => Promise<Plan<Name>>;
} & (E extends 'reversible'
    ? {
        /** Gives it back. A release is a decision too: it takes an approval of the plan that `undo.plan` returns. */
        readonly undo: {
          <A extends Approval<never>>(result: StepResult<Name, Output>, approval: Covering<A, `undo:${Name}`>): Promise<void>;
          (result: `${Name}.undo takes an approval: offer what undo.plan() gives in ask(), and give it answer.approval`): never;
          readonly plan: (result: StepResult<Name, Output>) => Promise<Plan<`undo:${Name}`>>;
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

/** A group that the questions of a playbook are put to, and how long they are put to it alone. */
export interface AskedGroup {
  /** Of the roster. */
  readonly group: string;
  readonly within: Duration;
  /** Calls the group too: for questions whose silence matters, or matters on a critical alert. */
  readonly page?: true | 'critical';
}

export interface AskOptions<
  Choices extends Readonly<Record<string, string>>,
  Plans extends { readonly [K in keyof Choices]?: PlanOrPlans },
  Forms extends { readonly [K in keyof Choices]?: Form } = NoForms,
> {
  readonly question: string;
  /** Choice id → what the button says. Of a choice with a plan only a leading `Yes` or `No` is said: what it does, its plan says. */
  readonly choices: Choices;
  /** What would run on which choice. A choice without a plan changes nothing. */
  readonly plan?: Plans;
  /** Choices that call it harmless. That weakens the response: whoever chooses one says why, and on a critical alert two people must. */
  readonly harmless?: readonly (keyof Choices & string)[];
  /**
   * What people fill in with a choice, by its id: `{ extend: { hours: field.number('For how many hours?', { min: 1, max: 72 }) } }`. It is signed with
   * the answer, and where two people are needed both must fill in the same. It approves nothing: what runs is the plan that was shown.
   */
  readonly forms?: Forms;
  /** What silence means, in words for the card. Silence is never yes. */
  readonly onSilence: string;
}

/** Of a question that is only answered by its buttons. */
type NoForms = Readonly<Record<never, never>>;

type ValueOf<F> = F extends TypedField<infer Value> ? Value : never;
type ValuesOf<F> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

export type Answer<Choices extends Readonly<Record<string, string>>, Plans, Forms = NoForms> =
  | {
      [K in keyof Choices & string]: {
        readonly choice: K;
        /** What those are called who said so, for texts alone: two people may be called the same, so a body decides nothing by it. */
        readonly by: readonly string[];
        readonly approval: Approval<K extends keyof Plans ? ActionOf<Plans[K]> : never>;
        /** What was filled in with it. */
        readonly form: K extends keyof Forms ? ValuesOf<Forms[K]> : NoForms;
      };
    }[keyof Choices & string]
  | { readonly choice: 'silence' };

export type Settled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly reason: string };

/** What is known of the incident when the body looks: read-only, and never older than the last step or answer that it waited for. */
export interface BodyIncident {
  /** The same for as long as it is open; the next incident of this workload may have it again. */
  readonly id: string;
  readonly cluster: string;
  readonly title: string;
  /** Of the worst of its alerts so far. */
  readonly severity: Severity;
  readonly verdict: Verdict;
  readonly reached: Reached;
  /** ISO 8601, UTC. */
  readonly openedAt: string;
  /** Alerts so far, repetitions counted. */
  readonly alerts: number;
  /** The rules of them. */
  readonly rules: readonly string[];
  readonly evidence: readonly EvidenceRef[];
  /** What is in force: name of the action and its target. */
  readonly inForce: readonly { readonly action: string; readonly target: string }[];
}

/** Whether a body slept as long as it meant to. */
export type Slept = 'whole' | 'woken';

/** A playbook that another one runs, which requires all that this one does. */
export interface RunnablePlaybook<R extends Requires> {
  readonly id: string;
  readonly on: { readonly requires: readonly R[] };
  /** By which it is known, whatever its pack calls it. Absent: by its id, in full or within the caller's pack. */
  readonly run?: (context: never) => Promise<void>;
}

type AlsoRequired<N extends Requires> = [N] extends [never]
  ? unknown
  : Impossible<`what it runs requires '${N}': add that to on.requires`>;

/** How the body of another playbook has ended. */
export interface PlaybookEnd {
  readonly state: 'done' | 'failed' | 'skipped';
  /** Why it failed, or was skipped. */
  readonly detail?: string;
  /** What it said that it was. */
  readonly verdict?: Verdict;
}

/** What may stand beside a line of the log. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Everything that a playbook's body can do. It imports nothing else. */
export interface PlaybookContext<U extends Uses, R extends Requires, P extends Params = NoParams> {
  readonly alert: AlertWith<R>;
  readonly incident: BodyIncident;
  /** The envelope's parameters, as configuration has set them. */
  readonly params: ParamValues<P>;
  readonly steps: Steps<U>;
  readonly ask: <
    const Choices extends Readonly<Record<string, string>>,
    const Plans extends { readonly [K in keyof Choices]?: PlanOrPlans },
    const Forms extends { readonly [K in keyof Choices]?: Form } = NoForms,
  >(
    options: AskOptions<Choices, Plans, Forms>,
  ) => Promise<Answer<Choices, Plans, Forms>>;
  /** Runs side by side and never throws: each part says whether it went well. */
  readonly settle: <T extends Readonly<Record<string, Promise<unknown>>>>(
    parts: T,
  ) => Promise<{ readonly [K in keyof T]: Settled<Awaited<T[K]>> }>;
  /** One line in the incident's timeline, and on the record. */
  readonly note: (text: string) => void;
  /** One line in the log of the process, with the incident and the playbook: for whoever runs Firebreak, not for the record. */
  readonly log: (text: string, fields?: LogFields) => void;
  /**
   * Ends the body here: this alert is not for it, for a reason that the envelope cannot say. On record, and it uses nothing up: the next alert
   * runs the body anew. Only while the body has done nothing but look; whoever has acted or asked returns instead.
   */
  readonly skip: (reason: string) => never;
  /**
   * Says what it was. `benign` needs the answer that said so, to the body's last question: a choice that is named in `harmless`, or one that gives
   * containment back. Without it, it is refused and on record.
   */
  readonly verdict: (verdict: Verdict, why: string) => void;
  /** What has been kept so far. */
  readonly evidence: () => readonly EvidenceRef[];
  /**
   * A part that is done as a whole or given back: where it throws, what its `steps` have done is undone in reverse order, on record, and the body
   * gets what was thrown. People are asked before anything is given back, except as the envelope's `sagaUndo` says. What ends something for good
   * stays done.
   */
  readonly saga: <T>(part: (steps: Steps<U>) => Promise<T>) => Promise<T>;
  /** Durable, and costs nothing meanwhile: 30 days at most. `woken`: before its time, since the incident's history has become too long. */
  readonly sleep: (time: Duration) => Promise<Slept>;
  /**
   * Does it now and then after each pause, until it gives `'enough'` or has been done so many times, 1 000 at most.
   * @returns how often it was done.
   */
  readonly every: (pause: Duration, times: number, turn: (n: number) => Promise<unknown>) => Promise<number>;
  /**
   * Runs another playbook on this alert, within this incident, and waits for its end. It has to be enabled; whether its `match` holds is not asked,
   * what it `requires` is. Where it runs for this subject already, or has been done for such an alert, that is joined.
   */
  readonly runPlaybook: <N extends Requires>(other: RunnablePlaybook<N> & AlsoRequired<Exclude<N, R>>) => Promise<PlaybookEnd>;
}

/** Of an envelope that names none. */
type NoParams = Readonly<Record<never, never>>;

export interface PlaybookEnvelope<U extends Uses, R extends Requires, P extends Params = Params> {
  readonly id: string;
  readonly title: string;
  readonly on: {
    /** Which alerts it answers; or `unanswered`: every one to which no other enabled playbook answers. */
    readonly match: Match | 'unanswered';
    /** It runs when its time has come, and for nothing else: `match` is then the rule of Firebreak's own alert that says so. */
    readonly schedule?: RunSchedule;
    /** Of a scheduled one the severity of its incident. */
    readonly minSeverity: Severity;
    readonly requires: readonly R[];
  };
  /** A body runs once per pod (default), per workload or per node. */
  readonly per?: 'pod' | 'workload' | 'node';
  /** Among several that answer an alert, the one with more comes first. Absent: 0. */
  readonly priority?: number;
  /** Where it answers an alert, those of less priority do not. */
  readonly exclusive?: true;
  readonly uses: U;
  /** What configuration may set of it, with defaults: `{ lease: param.duration('4h') }`. */
  readonly params?: P;
  /**
   * Whom all its questions are put to, one group after another. The cell believes an answer of nobody else, whatever a question says. Absent:
   * those who decide on incidents (`incidents.levels` of the configuration), whose first group is called at once on a critical alert.
   */
  readonly levels?: readonly AskedGroup[];
  /**
   * The body's first step is this action on the alert's pod, whatever else is so: the cell then begins it as soon as the alert is
   * durable, and the body finds it done. Only what is automatic anyway; guardrails and caps hold.
   */
  readonly headStart?: 'quarantinePod';
  /**
   * What a `saga` of it has done is given back without asking when a later part fails: within an hour, and only while the incident is known to be
   * below critical. Absent: people are asked.
   */
  readonly sagaUndo?: 'below-critical';
  /**
   * What contains waits until the evidence that the body has begun is kept or has failed, and no longer than this: for where a cut would make what
   * runs destroy itself. Not beside `headStart`.
   */
  readonly evidenceFirst?: Duration;
}

/** As an author writes it: it answers alerts, or it runs by a schedule. */
type WrittenEnvelope<U extends Uses, R extends Requires, P extends Params = Params> = Omit<PlaybookEnvelope<U, R, P>, 'on'> & {
  readonly on:
    | PlaybookEnvelope<U, R, P>['on']
    | (Omit<PlaybookEnvelope<U, R, P>['on'], 'match' | 'schedule'> & { readonly schedule: RunSchedule });
};

type NeededByHeadStart<U extends Uses> = 'quarantinePod' extends keyof U
  ? unknown
  : { readonly headStart?: Impossible<'headStart needs quarantinePod: add it to uses'> };

/** What a scheduled playbook answers: Firebreak's own alert that its time has come. */
const scheduledMatch: Match = { rule: ownRules.schedule };

export interface Playbook<U extends Uses = Uses, R extends Requires = Requires, P extends Params = Params>
  extends PlaybookEnvelope<U, R, P> {
  readonly run: (context: PlaybookContext<U, R, P>) => Promise<void>;
}

/**
 * Each workflow evaluates all playbooks anew, and compiles no pattern to see whether it may: whoever bundles them has them checked before.
 */
const isInWorkflow = '__TEMPORAL__' in globalThis;

/**
 * A reviewed procedure: an envelope of data, from which alerts are routed and docs are made, around a plain async function.
 * @throws TypeError for an envelope that contradicts itself.
 */
export function definePlaybook<const U extends Uses, const R extends Requires = never, const P extends Params = NoParams>(
  envelope: WrittenEnvelope<U, R, P> & NeededByHeadStart<U>,
  run: (context: PlaybookContext<U, R, P>) => Promise<void>,
): Playbook<U, R, P> {
  const { id, on } = envelope;
  // What was written in JavaScript no compiler has seen.
  if (on === undefined)
    throw new TypeError(`playbook ${id}: it says not which alerts it is for: write on: { match, minSeverity, requires }`);
  if (typeof run !== 'function')
    throw new TypeError(`playbook ${id}: its body is no function: write async ({ alert, steps }) => { … }`);
  const whole = { ...envelope, on: 'match' in on ? on : { ...on, match: scheduledMatch } };
  if (!isInWorkflow) assertEnvelope(whole);
  return { ...whole, run };
}

/** @throws TypeError for an envelope that contradicts itself. */
function assertEnvelope<U extends Uses, R extends Requires, P extends Params>(envelope: PlaybookEnvelope<U, R, P>): void {
  if (envelope.headStart !== undefined && envelope.evidenceFirst !== undefined)
    throw new TypeError(`playbook ${envelope.id}: with a head start the pod is contained before evidence can be kept first`);
  if (envelope.headStart !== undefined && envelope.on.match === 'unanswered')
    throw new TypeError(`playbook ${envelope.id}: nothing is contained at once for a rule that nobody has thought of`);
  for (const [name, of] of Object.entries(envelope.params ?? {})) {
    const problem = problemOfParam(of, of.default);
    if (problem !== undefined) throw new TypeError(`playbook ${envelope.id}: the default of parameter ${name}: ${problem}`);
  }
  const { schedule } = envelope.on;
  for (const problem of schedule ? problemsOfSchedule(schedule, envelope.params) : [])
    throw new TypeError(`playbook ${envelope.id}: its schedule: ${problem}`);
  if (schedule && envelope.on.match !== scheduledMatch)
    throw new TypeError(`playbook ${envelope.id}: what is scheduled runs for no other alert: leave match out`);
  if (schedule && envelope.headStart !== undefined)
    throw new TypeError(`playbook ${envelope.id}: what is scheduled is in no haste, and has no head start`);
  for (const problem of problemsOfEnvelope(envelope)) throw new TypeError(`playbook ${envelope.id}: ${problem}`);
  if (envelope.levels?.length === 0)
    throw new TypeError(
      `playbook ${envelope.id}: its questions are put to nobody: name a group, levels: [{ group: 'oncall', within: '15m' }]`,
    );
  if (envelope.on.match !== 'unanswered') assertMatch(envelope.on.match, `playbook ${envelope.id}`);
}

/** What routing, docs and lists need of a playbook, whatever its actions. */
export type AnyPlaybook = Omit<PlaybookEnvelope<Uses, Requires>, never>;

/**
 * Whom the questions of a playbook are put to, about an alert of this severity. Where its envelope does not say, those who decide on incidents: on
 * critical their first group is called at once.
 */
export function levelsOf({ levels }: AnyPlaybook, severity: Severity, ofIncidents: readonly Level[]): readonly Level[] {
  if (!levels) return ofIncidents.map((level, at) => (at === 0 && severity === 'critical' ? { ...level, page: true } : level));
  return levels.map(({ group, within, page }) => ({
    group,
    withinMs: durationMs(within),
    ...((page === true || (page === 'critical' && severity === 'critical')) && { page: true as const }),
  }));
}
