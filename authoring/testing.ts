/**
 * `firebreak/testing`: tries of playbooks without Temporal or a cluster, under any test runner.
 *
 * ```ts
 * import { everyAnswer, simulate } from 'firebreak/testing';
 *
 * const { problems, answers } = await everyAnswer(miner, alert);
 * const { steps, left } = await simulate(miner, { alert, answer: 'remove' });
 * ```
 *
 * `runInTemporal` runs the same on a real Temporal, which takes a second or two:
 *
 * ```ts
 * import { runInTemporal, whyNoTemporal } from 'firebreak/testing';
 *
 * test('the same on a real Temporal', { skip: await whyNoTemporal() }, async () => {
 *   const { steps, left } = await runInTemporal(miner, { alert, answer: 'remove' });
 * });
 * ```
 */
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import type { RunInTemporalOptions } from '../service/trial/run-in-temporal.ts';
import type { Story } from '../testing/story.ts';

export { type TriedStep, tryAction } from '../service/packs/try-action.ts';
export type { SimulateOptions } from '../testing/chooser.ts';
export { type EveryAnswer, everyAnswer } from '../testing/every-answer.ts';
export type { Said, SimulatedQuestion } from '../testing/people.ts';
export { simulate } from '../testing/simulate.ts';
export type { Failure } from '../testing/simulated-actions.ts';
export { type Story, type StoryEvent, type StoryLease, type StoryQuestion, type StoryStep, tellStory } from '../testing/story.ts';
export type { Circumstance, Path, PathTurn, WalkOptions } from '../testing/walk.ts';
export type { RunInTemporalOptions };

/**
 * What `simulate` does, with the real workflow in its sandbox and the pack's real bundle, on a Temporal server of its own on which days pass in a moment. The
 * cell, people and cluster are the simulation's. The story is the same but for times, for the order of steps that run side by side, and for lines of the log;
 * what fails with an error that may pass is tried again, as it would be.
 *
 * @throws TypeError for an answer that its question does not have; FB_ERR_PLATFORM_PART_MISSING where the server cannot be had: see `whyNoTemporal`
 */
export async function runInTemporal(
  playbook: ListedPlaybook | readonly ListedPlaybook[],
  options: RunInTemporalOptions,
): Promise<Story> {
  // Whoever only simulates loads no Temporal.
  const trial = await import('../service/trial/run-in-temporal.ts');
  return trial.runInTemporal(playbook, options);
}

/** Why `runInTemporal` cannot be run on this machine, to skip tests by; undefined where it can. The server is downloaded once, and kept. */
export async function whyNoTemporal(): Promise<string | undefined> {
  return (await import('../service/trial/run-in-temporal.ts')).whyNoTemporal();
}
