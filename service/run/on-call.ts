import { setTimeout as sleep } from 'node:timers/promises';
import { isOnCallOutside, type OutsideOnCall } from '../../core/on-call.ts';
import { personById, type Roster } from '../../core/roster.ts';
import { createPagerDutyOnCall } from '../../integrations/pagerduty/on-call.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Logger, reasonOf } from './log.ts';

export interface OutsideDuty {
  /** Whether this person is on call for the group, as far as is known: a group that is not followed, or of which nothing is known, counts as yes. */
  isOnCall(person: string, group: string, at: number): boolean;
  stop(): void;
}

/**
 * Keeps the last answer of the outside schedule. It only narrows: who may answer at all the roster says, and the cell checks that. While the
 * outside is down the last answer holds for as long as it reaches, and then the roster alone.
 */
export function followDuty(options: {
  readonly roster: Roster;
  /** Group of the roster → id of the schedule. */
  readonly schedules: Readonly<Record<string, string>>;
  readonly read: (asked: {
    readonly schedule: string;
    readonly now: number;
    readonly signal: AbortSignal;
  }) => Promise<OutsideOnCall>;
  readonly everyMs: number;
  readonly log: Logger;
  readonly now?: () => number;
}): OutsideDuty & { refresh(): Promise<void> } {
  const { roster, schedules, read, everyMs, log, now = Date.now } = options;
  const known = new Map<string, OutsideOnCall>();
  const stopping = new AbortController();

  const refresh = async (): Promise<void> => {
    for (const [group, schedule] of Object.entries(schedules)) {
      try {
        const answer = await read({ schedule, now: now(), signal: stopping.signal });
        known.set(group, answer);
        if (answer.shifts.length === 0)
          log.warn({ group, schedule }, 'nobody is on call by the outside schedule: the roster alone decides');
      } catch (error) {
        if (stopping.signal.aborted) return;
        const last = known.get(group);
        const ageSeconds = last && Math.round((now() - last.readAt) / 1_000);
        log.warn(
          { group, schedule, reason: reasonOf(error), ...(ageSeconds !== undefined && { ageSeconds }) },
          last ? 'on-call could not be read: the last answer holds' : 'on-call could not be read: the roster alone decides',
        );
      }
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await refresh();
      await sleep(everyMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
  };
  void run();

  return {
    refresh,
    isOnCall: (person, group, at) => {
      const user = personById(roster, person)?.pagerdutyId;
      return isOnCallOutside(known.get(group), user === undefined ? [] : [user], at) !== false;
    },
    stop: () => stopping.abort(),
  };
}

/** The on-call that the configuration follows, at the desk, which alone holds its credential. */
export function createDuty({
  config,
  secrets,
  log,
}: {
  readonly config: Pick<Config, 'paging' | 'roster'>;
  readonly secrets: Pick<Secrets, 'paging'>;
  readonly log: Logger;
}): OutsideDuty | undefined {
  const onCall = config.paging.pagerduty?.onCall;
  const token = secrets.paging?.pagerduty?.onCallToken;
  if (!onCall || token === undefined) return undefined;
  const { schedules, apiUrl, everySeconds } = onCall;
  const read = createPagerDutyOnCall({ token, apiUrl });
  return followDuty({ roster: config.roster, schedules, read, everyMs: everySeconds * 1_000, log });
}
