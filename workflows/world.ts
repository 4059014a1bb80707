import type { ActionDeclaration } from '../core/action/action.ts';
import type { OutgoingRecord, RecordListener } from '../core/audit/alert-archive.ts';
import { type Duration, durationMs } from '../core/playbook/duration.ts';
import type { CallOptions } from './messages.ts';
import type { StepFailure } from './step-failure.ts';

/** Of the run that asks. */
interface RunInfo {
  readonly workflowId: string;
  readonly firstExecutionRunId: string;
  /** Events so far: what is done often waits the longer the more there are. */
  readonly historyLength: number;
}

/** A promise that failed while nothing waited for it. */
export interface FailedPromise {
  readonly reason: unknown;
  /** File and line of the author's source that has made it. */
  readonly at: string;
  /** Whether something waits for it by now. */
  readonly isAwaited: () => boolean;
}

/** Who is told of promises that its own code makes, and that fail with nothing waiting for them. */
export interface PromiseOwner {
  onFailed(failed: FailedPromise): void;
}

/**
 * All that the engine has of the world. In a workflow it is Temporal's, which plays it back exactly; in a simulation a clock of its own, and steps
 * that nobody does. The engine is the same in both, and imports Temporal in neither.
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
  /** An action of a pack, by its full name. */
  readonly ownAction: (name: string) => ActionDeclaration | undefined;
  /** What an activity threw, as the catalogue knows it. */
  readonly failure: (error: unknown) => StepFailure;
  /** Who keeps records until the store has them: whoever reaches Temporal can end a run before they have left it. A simulation keeps none. */
  readonly records: RecordListener;
  /** One line in the log of the process, once: not when a history is played back. */
  readonly log: (text: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Runs what makes promises of its own, so that `owner` hears of those that fail. A simulation leaves them to its process. */
  readonly within: <Result>(owner: PromiseOwner, run: () => Result) => Result;
  /** Whether a stack names the file and line of an author's source: a workflow's bundle does so. */
  readonly namesPlaces: boolean;
}

let here: () => World = () => {
  throw new Error('the engine has no world: neither a workflow nor a simulation has begun');
};

/** Where the engine runs, said once by whoever loads it. In a process with many simulations each asks for its own. */
export function setWorld(world: () => World): void {
  here = world;
}

export function nowMs(): number {
  return here().now();
}

let lastMoment = 0;
let lastText = new Date(lastMoment).toISOString();

/** ISO 8601, UTC. Asked many times in one moment, which is written once. */
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
