/** What the loops and functions of playbooks call at each turn, in the workflow's sandbox: the bundler puts the calls there, the engine counts. */
export const turnFunction = 'firebreakTurn';

/**
 * Turns of loops and calls of functions that all playbooks of an incident may take between two waits. A procedure that goes through every object of
 * a namespace takes some thousands; this many take some milliseconds.
 */
export const turnsAtOnce = 200_000;

/** What waits for nothing costs a hundred times as much: promises are made, and the sandbox keeps where each was made. */
export const turnsOfAwait = 100;
