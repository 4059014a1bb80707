import { workflowInfo } from '@temporalio/workflow';
import { turnFunction, turnsAtOnce } from '../core/playbook/turn.ts';
import { StepFailure } from './calls.ts';

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
