import { setTimeout as sleep } from 'node:timers/promises';
import type { ReplyStore } from '../../core/incident/click-reply.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import type { TrustedClick } from './click-votes.ts';

/** Remembers where the answer to a click goes, before the incident hears of the click. */
export interface ClickReplies {
  /** Never throws, and takes no longer than a moment: what is decided does not wait for what is said about it. */
  remember(click: TrustedClick, signature: string): Promise<void>;
}

/** A database that takes longer must not keep a vote waiting. */
const saveWithinMs = 300;

export function createClickReplies(parts: {
  readonly store: Pick<ReplyStore, 'saveReply'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}): ClickReplies {
  const { store, log, now = Date.now } = parts;
  return {
    remember: async ({ clickId, button, channel, slackUser: user, about, together }, signature) => {
      const to = { channel, user, ...(about !== undefined && { about }), ...(together && { together }) };
      const saved = store
        .saveReply({ click: clickId, signature, incident: button.incident.id, to, at: now() })
        .catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'where the answer to a click goes was not remembered'));
      const late = new AbortController();
      await Promise.race([saved, sleep(saveWithinMs, undefined, { ref: false, signal: late.signal }).catch(() => undefined)]);
      late.abort();
    },
  };
}
