import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  log,
  sleep,
  TimeoutFailure,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { isErrorCode } from '../core/errors.ts';
import { turnFunction, turnsAtOnce } from '../core/playbook/turn.ts';
import { trustedActivities, untilTheyHaveLeft } from './messages.ts';
import { packs } from './packs.ts';
import { StepFailure } from './step-failure.ts';
import { hearDroppedPromises } from './temporal-promises.ts';
import { setWorld, type World } from './world.ts';

const ownActions = new Map(packs.flatMap(({ actions }) => actions.map((action) => [action.name, action])));

/** What the workflow's sandbox has: its clock and its ids are the history's, and what an activity answers is signed. */
const world: World = {
  now: () => Date.now(),
  condition,
  sleep,
  uuid4,
  info: workflowInfo,
  activities: trustedActivities,
  ownAction: (name) => ownActions.get(name),
  // The codes travel as the failure's type.
  failure: (error) => {
    const ended = error instanceof ActivityFailure ? error.cause : error;
    // Its time was over while it was tried once more: what the try before had failed with says why.
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

/** How often the length of the history is looked at: each look costs more than a turn. */
const lookEvery = 1_000;

let turns = 0;
let unlooked = 0;
let history = 0;

/**
 * Counts the turns of playbooks' loops and functions, and ends what takes too many without waiting for anything: a body that never waits keeps
 * this incident, and by its thread all others, from going on. Each workflow task begins the count anew. The same history gives the same count, so a
 * replay ends the body at the same turn.
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
  // Again at each further turn: what catches it and goes on is ended, too.
  throw new StepFailure('FB_ERR_PLAYBOOK_LOOPS', `it went on without waiting for anything, at ${place}`);
}

Object.assign(globalThis, { [turnFunction]: turn });
