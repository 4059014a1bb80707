/**
 * `firebreak/testing`: tests playbooks without Temporal or a cluster, under any test runner.
 *
 * ```ts
 * import { everyAnswer, simulate } from 'firebreak/testing';
 *
 * const { problems, answers } = await everyAnswer(miner, alert); const { steps, left } = await simulate(miner, { alert, answer: 'remove' });
 * ```
 *
 * `runInTemporal` runs the same on a real Temporal, which takes a second or two:
 *
 * ```ts
 * import { runInTemporal, whyNoTemporal } from 'firebreak/testing';
 *
 * test('the same on a real Temporal', { skip: await whyNoTemporal() }, async () => {
 *   const { steps, left } = await runInTemporal(miner, { alert, answer: 'remove' }); });
 * ```
 */
import type { Alert } from '../core/alert/alert.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import type { RunInTemporalOptions } from '../service/trial/run-in-temporal.ts';
import type { SimulateOptions } from '../testing/chooser.ts';
import * as answers from '../testing/every-answer.ts';
import { inTime } from '../testing/example-alert.ts';
import * as simulation from '../testing/simulate.ts';
import type { Story } from '../testing/story.ts';
import type { WalkOptions } from '../testing/walk.ts';
import { endingLoops } from '../testing/watch/loop-watch.ts';

export { type TriedStep, tryAction } from '../service/packs/own/try-action.ts';
export type { SimulateOptions } from '../testing/chooser.ts';
export type { EveryAnswer } from '../testing/every-answer.ts';
export type { Said, SimulatedQuestion } from '../testing/people.ts';
export type { Failure } from '../testing/simulated-actions.ts';
export { type Story, type StoryEvent, type StoryLease, type StoryQuestion, type StoryStep, tellStory } from '../testing/story.ts';
export type { Circumstance, Path, PathTurn, WalkOptions } from '../testing/walk.ts';
export type { RunInTemporalOptions };

/**
 * Runs the playbooks that answer an alert through the real engine and the real rules, without Temporal, without a cluster, and instantly: days pass in a
 * moment. Nothing is really done: plans are sketches, and steps return what their schemas specify, unless the test says otherwise. For a playbook that counts
 * alerts, enough have arrived; nothing that it waits for arrives.
 *
 * @throws TypeError for an answer that its question does not have
 */
export function simulate(playbook: ListedPlaybook | readonly ListedPlaybook[], options: SimulateOptions): Promise<Story> {
  const alert = inTime(options.alert, 'id' in playbook ? [playbook] : playbook);
  return endingLoops(() => simulation.simulate(playbook, { ...options, alert }));
}

/**
 * Walks through all choices of a playbook, silence, and the failure of each step, and reports what a person should know: a pod that is left quarantined with
 * nobody asked, a choice whose plan is not carried out, a body that throws. With the real engine, in milliseconds.
 *
 * @throws TypeError if the playbook does not answer the alert
 */
export function everyAnswer(
  playbook: ListedPlaybook,
  alert: Alert,
  options: Omit<WalkOptions, 'alert'> = {},
): Promise<answers.EveryAnswer> {
  return endingLoops(() => answers.everyAnswer(playbook, inTime(alert, [playbook]), options));
}

/**
 * Does the same as `simulate`, with the real workflow in its sandbox and the pack's real bundle, on its own Temporal server on which days pass in a moment. The
 * cell, people and cluster are simulated. The story is the same except for times, the order of steps that run in parallel, and log lines; steps that fail with
 * a transient error are retried, as they would be in production.
 *
 * That server may stand still on a busy machine. Then the run begins again on a new one, up to twice: functions in the options may be called again.
 *
 * @throws TypeError for an answer that its question does not have; FB_ERR_PLATFORM_PART_MISSING if the server is not available: see `whyNoTemporal`;
 *   FB_ERR_UNAVAILABLE if three servers have stood still
 */
export async function runInTemporal(
  playbook: ListedPlaybook | readonly ListedPlaybook[],
  options: RunInTemporalOptions,
): Promise<Story> {
  // Users who only simulate do not load Temporal.
  const trial = await import('../service/trial/run-in-temporal.ts');
  return trial.runInTemporal(playbook, options);
}

/** Why `runInTemporal` cannot run on this machine, to skip tests by; undefined if it can. The server is downloaded once, and kept. */
export async function whyNoTemporal(): Promise<string | undefined> {
  return (await import('../service/trial/run-in-temporal.ts')).whyNoTemporal();
}
