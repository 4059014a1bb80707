import type { ActionDeclaration } from '../core/action/action.ts';
import type { OutgoingRecord, RecordListener } from '../core/audit/alert-archive.ts';
import { type Duration, durationMs } from '../core/playbook/duration.ts';
import type { Pack } from '../core/playbook/pack.ts';
import type { CallOptions } from './messages.ts';
import type { RefusedMessages } from './refused-messages.ts';
import type { StepFailure } from './step-failure.ts';

/** About the run that asks. */
interface RunInfo {
  readonly workflowId: string;
  readonly runId: string;
  /** The first of the runs that have continued as new up to this one. */
  readonly firstExecutionRunId: string;
  /** Events so far: the more there are, the longer frequent operations wait. */
  readonly historyLength: number;
  /** Whether the history is so long that the run should continue as new. */
  readonly continueAsNewSuggested: boolean;
  /** The build that works on it; absent if builds are not told apart. */
  readonly currentDeploymentVersion?: { readonly buildId: string };
}

/** How a run continues as new: on the build that it runs on, or on the one that new runs get. */
interface ContinueOptions {
  readonly initialVersioningBehavior?: 'AUTO_UPGRADE';
}

/** A promise that failed while nothing waited for it. */
export interface FailedPromise {
  readonly reason: unknown;
  /** File and line of the author's source that made it. */
  readonly at: string;
  /** Whether something awaits it by now. */
  readonly isAwaited: () => boolean;
}

/** Receives the promises made by its own code that fail with nothing awaiting them. */
export interface PromiseOwner {
  onFailed(failed: FailedPromise): void;
}

/**
 * Everything that the engine needs from its environment. In a workflow it is Temporal's, which replays it exactly; in a simulation it has its own clock, and
 * steps that nobody performs. The engine is the same in both, and imports Temporal in neither.
 */
export interface World {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly condition: {
    (holds: () => boolean): Promise<void>;
    (holds: () => boolean, withinMs: number): Promise<boolean>;
  };
  readonly sleep: (ms: number) => Promise<void>;
  readonly uuid4: () => string;
  readonly info: () => RunInfo;
  readonly activities: <Activities>(options: CallOptions) => Activities;
  /** Hands signals of this name to `handle`, also those that arrived before. Anybody can send one: a handler that does not know the sender takes `unknown`. */
  readonly onSignal: <Args extends readonly unknown[]>(name: string, handle: (...args: Args) => void | Promise<void>) => void;
  readonly onQuery: (name: string, answer: () => unknown) => void;
  /** Hears of messages that were refused because nobody trusted has sent them. */
  readonly onRefusedMessages: (listener: (refused: RefusedMessages) => void) => void;
  /** Whether no handler of a signal is under way. */
  readonly allHandlersFinished: () => boolean;
  /** Ends this run, and begins the next one of the same workflow with this input. */
  readonly continueAsNew: (input: unknown, options: ContinueOptions) => Promise<never>;
  /** What its incidents run: the shipped playbooks, and those of packs. */
  readonly packs: readonly Pack[];
  /** An action of a pack, by its full name. */
  readonly ownAction: (name: string) => ActionDeclaration | undefined;
  /** Converts what an activity threw to an error of the catalogue. */
  readonly failure: (error: unknown) => StepFailure;
  /** Keeps records until the store has them: anyone who can reach Temporal can end a run before they have left it. A simulation keeps none. */
  readonly records: RecordListener;
  /** Writes one line to the log of the process, once: not during replay. */
  readonly log: (text: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Runs code that makes promises of its own, so that `owner` hears of those that fail. A simulation leaves them to its process. */
  readonly within: <Result>(owner: PromiseOwner, run: () => Result) => Result;
  /** Whether a stack names the file and line of an author's source, as in a workflow's bundle. */
  readonly namesPlaces: boolean;
}

let here: () => World = () => {
  throw new Error('the engine has no world: neither a workflow nor a simulation has begun');
};

/** Sets where the engine runs; called once by the code that loads it. In a process with many simulations, each resolves to its own. */
export function setWorld(world: () => World): void {
  here = world;
}

export function nowMs(): number {
  return here().now();
}

let lastMoment = 0;
let lastText = new Date(lastMoment).toISOString();

/** ISO 8601, UTC. Called many times in one moment, which is formatted once. */
export function timeNow(): string {
  const moment = nowMs();
  if (moment !== lastMoment) {
    lastText = new Date(moment).toISOString();
    lastMoment = moment;
  }
  return lastText;
}

export function condition(holds: () => boolean): Promise<void>;
export function condition(holds: () => boolean, within: number | Duration): Promise<boolean>;
export function condition(holds: () => boolean, within?: number | Duration): Promise<unknown> {
  return within === undefined ? here().condition(holds) : here().condition(holds, inMs(within));
}

export function sleep(time: number | Duration): Promise<void> {
  return here().sleep(inMs(time));
}

function inMs(time: number | Duration): number {
  return typeof time === 'number' ? time : durationMs(time);
}

export function uuid4(): string {
  return here().uuid4();
}

export function runInfo(): RunInfo {
  return here().info();
}

export function activitiesWith<Activities>(options: CallOptions): Activities {
  return here().activities(options);
}

export function onSignal<Args extends readonly unknown[]>(name: string, handle: (...args: Args) => void | Promise<void>): void {
  here().onSignal(name, handle);
}

export function onQuery<Answer>(name: string, answer: () => Answer): void {
  here().onQuery(name, answer);
}

export function onRefusedMessages(listener: (refused: RefusedMessages) => void): void {
  here().onRefusedMessages(listener);
}

export function allHandlersFinished(): boolean {
  return here().allHandlersFinished();
}

export function continueAsNew<Input>(input: Input, options: ContinueOptions = {}): Promise<never> {
  return here().continueAsNew(input, options);
}

export function packsHere(): readonly Pack[] {
  return here().packs;
}

export function ownActionOf(name: string): ActionDeclaration | undefined {
  return here().ownAction(name);
}

export function failureOf(error: unknown): StepFailure {
  return here().failure(error);
}

export function recordMade(record: OutgoingRecord): void {
  here().records.made(record);
}

export function recordsLeft(records: readonly OutgoingRecord[]): void {
  here().records.left(records.map(({ chain, number, at }) => ({ chain, number, at })));
}

export function logLine(text: string, fields: Readonly<Record<string, unknown>>): void {
  here().log(text, fields);
}

export function within<Result>(owner: PromiseOwner, run: () => Result): Result {
  return here().within(owner, run);
}

export function namesPlaces(): boolean {
  return here().namesPlaces;
}
