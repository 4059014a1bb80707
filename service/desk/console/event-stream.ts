import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ListedIncident } from '../../../core/console/console.schema.ts';
import { listedOf } from '../../../core/console/incident-summary.ts';
import { eventsHeartbeatMs, sees } from '../../../core/console/routes.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { ChangedAfter, IncidentList } from '../../../integrations/database/incident-list.ts';
import { apiHeaders } from './router.ts';
import type { SignedIn } from './sessions.ts';

const mostOfOne = 6;
const mostOfAll = 500;
const checkSessionEveryMs = 30_000;
/** Another desk's clock may be behind, and its writes become visible a little later. */
const overlapMs = 5_000;
const mostAtOnce = 500;
/** Maximum bytes written to a browser but not read by it. */
const mostUnread = 1_000_000;
/** Time that a browser has to read one part of what it missed. */
const readWithinMs = 30_000;
/** A browser that missed more than this reloads everything. */
const longestGapMs = 15 * 60_000;

interface Listener {
  readonly who: SignedIn;
  readonly response: ServerResponse;
}

interface Change {
  readonly item: ListedIncident;
  readonly changedAt: string;
}

interface EventStream {
  /** @throws FB_ERR_TOO_MANY */
  open(who: SignedIn, request: IncomingMessage, response: ServerResponse): void;
  /** Something has changed on this desk: looks at once. */
  changed(): void;
  stop(): void;
}

/**
 * Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html. One database query serves all listeners, so that each desk also reports
 * what the others have written. The id of an event is the time up to which everything has been reported.
 */
export function createEventStream(parts: {
  readonly list: Pick<IncidentList, 'changedSince'>;
  /** Called before a change is sent: its receivers query at once. */
  readonly told: () => void;
  readonly lasts: (who: SignedIn) => Promise<boolean>;
  readonly publicUrl: string;
  readonly log: (message: string, error: unknown) => void;
  readonly now?: () => number;
  /** How soon changes by another desk are seen. */
  readonly lookEveryMs?: number;
}): EventStream {
  const { list, told, lasts, publicUrl, log, now = Date.now, lookEveryMs = 400 } = parts;
  const listeners = new Set<Listener>();
  /** Recently sent changes: overlapping looks find the same ones again. */
  const known = new Map<string, Change>();
  let seenUntil = now();
  let looking = false;
  let again = false;

  /** Everything written after that moment, one part at a time. */
  async function* changedSince(from: number): AsyncGenerator<readonly Change[], void> {
    let after: ChangedAfter | undefined = { at: new Date(from).toISOString() };
    while (after !== undefined) {
      const { items, next } = await list.changedSince(after, mostAtOnce);
      yield items.map(({ summary, changedAt }) => ({ item: listedOf(summary), changedAt }));
      after = next;
    }
  }

  const isNew = ({ item: { key, revision } }: Change): boolean => known.get(key)?.item.revision !== revision;

  const forgetBefore = (from: number): void => {
    const at = new Date(from).toISOString();
    for (const [key, { changedAt }] of known) if (changedAt <= at) known.delete(key);
  };

  const tell = (listener: Listener, { item, changedAt }: Change): void => {
    if (!sees(listener.who.visible, item.namespace)) return;
    // A listener that does not read is disconnected: the browser reconnects and says what it last received.
    if (listener.response.writableLength > mostUnread) return void listener.response.destroy();
    listener.response.write(`id: ${changedAt}\nevent: incident\ndata: ${JSON.stringify(item)}\n\n`);
  };

  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        const from = seenUntil - overlapMs;
        const lookedAt = now();
        forgetBefore(from);
        for await (const part of changedSince(from)) {
          const changed = part.filter(isNew);
          if (changed.length > 0) told();
          for (const one of changed) {
            known.set(one.item.key, one);
            for (const listener of listeners) tell(listener, one);
          }
        }
        seenUntil = lookedAt;
      } while (again && listeners.size > 0);
    } catch (error) {
      log('the updates for the console could not be read', error);
    } finally {
      looking = false;
    }
  };
  const looks = setInterval(() => {
    if (listeners.size > 0) void look();
    else {
      seenUntil = now();
      known.clear();
    }
  }, lookEveryMs).unref();

  const end = (listener: Listener): void => {
    listener.response.end('event: end\ndata: {}\n\n');
  };
  const checks = setInterval(() => {
    for (const listener of listeners)
      lasts(listener.who)
        .then((isGood) => (isGood ? undefined : end(listener)))
        .catch((error: unknown) => log('a session could not be checked', error));
  }, checkSessionEveryMs).unref();
  const heartbeats = setInterval(() => {
    for (const { response } of listeners) response.write(': here\n\n');
  }, eventsHeartbeatMs).unref();

  const missed = async (listener: Listener, since: number): Promise<void> => {
    const { response } = listener;
    for await (const part of changedSince(since - overlapMs)) {
      if (part.length > 0) told();
      for (const one of part) tell(listener, one);
      // Much may have been missed: a client that keeps reading, however slowly, gets all of it.
      if (response.writableNeedDrain && !response.destroyed)
        await once(response, 'drain', { signal: AbortSignal.timeout(readWithinMs) });
      if (response.destroyed) return;
    }
  };

  return {
    open: (who, request, response) => {
      const own = [...listeners].filter((one) => one.who.subject === who.subject);
      if (own.length >= mostOfOne || listeners.size >= mostOfAll)
        throw new FirebreakError('FB_ERR_TOO_MANY', 'the console is open in too many windows');
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
        ...apiHeaders(publicUrl),
      });
      const listener: Listener = { who, response };
      response.write('retry: 2000\n\n');
      listeners.add(listener);
      response.on('close', () => listeners.delete(listener));
      const last = Date.parse(String(request.headers['last-event-id'] ?? ''));
      // A new listener has just read the list, but may lack what was written since then.
      if (Number.isNaN(last)) for (const one of known.values()) tell(listener, one);
      else if (now() - last > longestGapMs) response.write(`id: ${new Date(now()).toISOString()}\nevent: reload\ndata: {}\n\n`);
      else
        missed(listener, last).catch((error: unknown) => {
          if (!response.destroyed) log('the updates that a browser missed could not be read', error);
        });
    },
    changed: () => {
      if (listeners.size > 0) void look();
    },
    stop: () => {
      for (const timer of [looks, checks, heartbeats]) clearInterval(timer);
      for (const { response } of listeners) response.end();
    },
  };
}
