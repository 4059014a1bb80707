import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { asFailure } from '../../../activities/failures.ts';
import { isErrorCode } from '../../../core/errors.ts';
import { type Duration, durationMs, isDuration } from '../../../core/playbook/duration.ts';
import { outsideWorlds, type SimulatedClock } from '../../../testing/simulated-clock.ts';
import type { CallOptions } from '../../../workflows/messages.ts';
import { StepFailure } from '../../../workflows/step-failure.ts';
import type { World } from '../../../workflows/world.ts';

export type Activity = (...args: never[]) => Promise<unknown>;

/** Activities by name. */
export interface ActivitiesInMemory {
  /** While one of these is under way, the clock goes on: a script that holds an answer back is timed out like a process that is lost. */
  readonly scripted: Readonly<Record<string, Activity>>;
  /** These really do something, on a disk or in another server: no simulated time passes meanwhile. */
  readonly real: Readonly<Record<string, Activity>>;
}

/** A copy, as a converter of payloads makes it. */
export function sent<Value>(value: Value): Value {
  return value === undefined ? value : JSON.parse(JSON.stringify(value));
}

/** How an activity has failed: what its worker has said, or that it did not answer in time. */
class CallFailure extends Error {
  readonly failure: ApplicationFailure | undefined;

  constructor(failure: ApplicationFailure | undefined) {
    super(failure?.message ?? 'activity timed out');
    this.failure = failure;
  }
}

/** Converts what a workflow caught to an error of the catalogue, as `workflows/temporal-world.ts` does. */
export function stepFailureOf(error: unknown): StepFailure {
  const thrown = error instanceof CallFailure ? error.failure : error;
  if (thrown instanceof ApplicationFailure && isErrorCode(thrown.type)) return new StepFailure(thrown.type, thrown.message);
  const reason = error instanceof Error ? error.message : 'the activity failed';
  return new StepFailure(error instanceof CallFailure ? 'FB_ERR_UNAVAILABLE' : 'FB_ERR_INTERNAL', reason);
}

/** Temporal's defaults: https://docs.temporal.io/encyclopedia/retry-policies */
const usualRetry = { initialInterval: 1_000, backoffCoefficient: 2, maximumAttempts: Number.POSITIVE_INFINITY };
const usualGrowth = 100;

interface Caller {
  readonly clock: SimulatedClock;
  /** Whoever has called: nothing of the call goes on once it has ended. */
  readonly world: World;
  readonly activities: ActivitiesInMemory;
}

type Outcome = { readonly value: unknown } | { readonly failure: ApplicationFailure };

/**
 * Calls an activity as Temporal does: with a copy of its arguments, again after a failure as its retry policy says, and for no longer than its time limits, all
 * in simulated time. Processes that work in memory are never lost, so heartbeats make no difference.
 */
export async function callInMemory(
  caller: Caller,
  name: string,
  args: readonly unknown[],
  options: CallOptions,
): Promise<unknown> {
  const { clock } = caller;
  const { retry = {} } = options;
  const limits = {
    attemptMs: inMs(options.startToCloseTimeout, Number.POSITIVE_INFINITY),
    until: clock.now() + inMs(options.scheduleToCloseTimeout, Number.POSITIVE_INFINITY),
  };
  const firstPauseMs = inMs(retry.initialInterval, usualRetry.initialInterval);
  const longestPauseMs = inMs(retry.maximumInterval, firstPauseMs * usualGrowth);
  const { backoffCoefficient = usualRetry.backoffCoefficient, maximumAttempts = usualRetry.maximumAttempts } = retry;
  const given = sent(args);
  let failed: ApplicationFailure | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await attemptOf(caller, name, given, Math.min(limits.attemptMs, limits.until - clock.now()));
    if (outcome && 'value' in outcome) return sent(outcome.value);
    // If it timed out at last, the failure of the attempt before says why.
    failed = outcome?.failure ?? failed;
    const usualPauseMs = Math.min(firstPauseMs * backoffCoefficient ** (attempt - 1), longestPauseMs);
    const pauseMs = inMs(outcome?.failure.nextRetryDelay ?? undefined, usualPauseMs);
    const isOver = attempt >= maximumAttempts || clock.now() + pauseMs >= limits.until;
    if (outcome?.failure.nonRetryable || isOver) throw new CallFailure(failed);
    await clock.condition(caller.world, () => false, pauseMs);
  }
}

/** One attempt; undefined if there was no answer in time. What it says later is ignored. */
async function attemptOf(caller: Caller, name: string, args: readonly unknown[], withinMs: number): Promise<Outcome | undefined> {
  const { clock, world, activities } = caller;
  let outcome: Outcome | undefined;
  const real = activities.real[name];
  const work = outsideWorlds(() => run(real ?? activities.scripted[name], name, args));
  const answer = work.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { failure: asFailure(error) };
    },
  );
  if (real) void clock.outside(answer);
  await clock.condition(world, () => outcome !== undefined, withinMs);
  return outcome;
}

async function run(activity: Activity | undefined, name: string, args: readonly unknown[]): Promise<unknown> {
  if (!activity) throw new Error(`no worker has the activity ${name}`);
  return await activity(...(sent(args) as never[]));
}

/** Of our own durations, and of those of Temporal's options. */
function inMs(given: Parameters<typeof msToNumber>[0] | Duration | undefined, otherwise: number): number {
  if (given === undefined) return otherwise;
  return isDuration(given) ? durationMs(given) : msToNumber(given);
}
