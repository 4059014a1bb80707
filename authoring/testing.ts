/**
 * `firebreak/testing`: tries of playbooks without Temporal or a cluster, under any test runner.
 *
 * ```ts
 * import { everyAnswer, simulate } from 'firebreak/testing';
 *
 * const { problems, answers } = await everyAnswer(miner, alert);
 * const { steps, left } = await simulate(miner, { alert, answer: 'remove' });
 * ```
 */
export { type TriedStep, tryAction } from '../service/packs/try-action.ts';
export { type EveryAnswer, everyAnswer } from '../testing/every-answer.ts';
export type { Said, SimulatedQuestion } from '../testing/people.ts';
export { type SimulateOptions, simulate } from '../testing/simulate.ts';
export type { Failure } from '../testing/simulated-actions.ts';
export { type Story, type StoryEvent, type StoryLease, type StoryQuestion, type StoryStep, tellStory } from '../testing/story.ts';
export type { Circumstance, Path, PathTurn, WalkOptions } from '../testing/walk.ts';
