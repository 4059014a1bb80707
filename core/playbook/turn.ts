/** Called by the loops and functions of playbooks at each turn, in the workflow's sandbox: the bundler inserts the calls, the engine counts them. */
export const turnFunction = 'firebreakTurn';

/**
 * Maximum number of loop turns and function calls that all playbooks of an incident may take between two waits. A procedure that visits every object of a
 * namespace takes some thousands; this many take some milliseconds.
 */
export const turnsAtOnce = 200_000;

/** An `await` that waits for nothing costs a hundred times as much: promises are created, and the sandbox records where each was created. */
export const turnsOfAwait = 100;
