import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  defineQuery,
  defineSignal,
  log,
  makeContinueAsNewFunc,
  setHandler,
  sleep,
  TimeoutFailure,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { isErrorCode } from '../core/errors.ts';
import { turnFunction, turnsAtOnce } from '../core/playbook/turn.ts';
import { onRefusedMessages, trustedActivities, untilTheyHaveLeft } from './messages.ts';
import { packs } from './packs.ts';
import { StepFailure } from './step-failure.ts';
import { hearDroppedPromises } from './temporal-promises.ts';
import { setWorld, type World } from './world.ts';

const ownActions = new Map(packs.flatMap(({ actions }) => actions.map((action) => [action.name, action])));

/** The world of the workflow sandbox: its clock and its ids come from the history, and the answers of activities are signed. */
const world: World = {
  now: () => Date.now(),
  condition,
  sleep,
  uuid4,
  info: workflowInfo,
  activities: trustedActivities,
  onSignal: <Args extends readonly unknown[]>(name: string, handle: (...args: Args) => void | Promise<void>) =>
    setHandler(defineSignal<[...Args]>(name), handle),
  onQuery: (name, answer) => setHandler(defineQuery(name), answer),
  onRefusedMessages,
  allHandlersFinished,
  continueAsNew: (input, options) => makeContinueAsNewFunc(options)(input),
  packs,
  ownAction: (name) => ownActions.get(name),
  // The codes are transported as the failure's type.
  failure: (error) => {
    const ended = error instanceof ActivityFailure ? error.cause : error;
    // It timed out during a retry: the failure of the previous attempt says why.
    const cause = ended instanceof TimeoutFailure && ended.cause instanceof ApplicationFailure ? ended.cause : ended;
    if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) return new StepFailure(cause.type, cause.message);
    const reason = cause instanceof Error ? cause.message : 'the activity failed';
    return new StepFailure(error instanceof ActivityFailure ? 'FB_ERR_UNAVAILABLE' : 'FB_ERR_INTERNAL', reason);
  },
  records: untilTheyHaveLeft,
  log: (text, fields) => log.info(text, fields),
  ...hearDroppedPromises(),
  namesPlaces: true,
};
setWorld(() => world);

/** Turns between two checks of the history's length: each check costs more than a turn. */
const lookEvery = 1_000;

let turns = 0;
let unlooked = 0;
let history = 0;

/**
 * Counts the turns of playbooks' loops and functions, and ends code that takes too many without waiting for anything: a body that never waits blocks its
 * incident and, because they share a thread, all others. The count starts again with each workflow task. The same history gives the same count, so a replay
 * ends the body at the same turn.
 */
function turn(place: string, cost: number): void {
  turns += cost;
  unlooked += cost;
  if (turns < turnsAtOnce && unlooked < lookEvery) return;
  unlooked = 0;
  const { historyLength } = workflowInfo();
  if (historyLength !== history) {
    history = historyLength;
    turns = 0;
  }
  if (turns < turnsAtOnce) return;
  // Thrown again at each further turn: code that catches it and goes on is ended too.
  throw new StepFailure('FB_ERR_PLAYBOOK_LOOPS', `it went on without waiting for anything, at ${place}`);
}

Object.assign(globalThis, { [turnFunction]: turn });
