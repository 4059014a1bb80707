import { setTimeout as sleep } from 'node:timers/promises';
import { isSlackMessage, type ThreadOf } from '../../core/cards/thread-link.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';

/** A ticket, or who is woken, never waits longer than this for the link. */
const longestMs = 2_000;

/** Slack's word on where an incident's thread is, made harmless: only an address of a message, soon, and no fault of Slack's. */
export function createThreadOf(
  threadUrl: (incident: IncidentRef) => Promise<string | undefined>,
  withinMs: number = longestMs,
): ThreadOf {
  return async (incident) => {
    const over = new AbortController();
    const late = sleep(withinMs, undefined, { signal: over.signal }).catch(() => undefined);
    const url = await Promise.race([threadUrl(incident).catch(() => undefined), late]);
    over.abort();
    return url !== undefined && isSlackMessage(url) ? url : undefined;
  };
}
