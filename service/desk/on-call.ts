import { isOnCallOutside, type OutsideOnCall } from '../../core/people/on-call.ts';
import { personById, type Roster } from '../../core/people/roster.ts';
import { createPagerDutyOnCall } from '../../integrations/pagerduty/on-call.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { repeat } from '../process/repeat.ts';

export interface OutsideDuty {
  /** Returns whether this person is on call for the group, as far as is known: yes for a group that is not followed or of which nothing is known. */
  isOnCall(person: string, group: string, at: number, via?: 'slack' | 'page'): boolean;
  /** The reason, in words, if something other than the roster prevents somebody from answering for these groups. */
  whyNot?(groups: readonly string[], at: number): string | undefined;
  stop(): void;
}

/** All of them have to agree. Undefined if there is none. */
export function bothDuties(...duties: readonly (OutsideDuty | undefined)[]): OutsideDuty | undefined {
  const all = duties.filter((duty) => duty !== undefined);
  if (all.length < 2) return all[0];
  return {
    isOnCall: (person, group, at, via) => all.every((duty) => duty.isOnCall(person, group, at, via)),
    whyNot: (groups, at) => all.map((duty) => duty.whyNot?.(groups, at)).find((why) => why !== undefined),
    stop: () => {
      for (const duty of all) duty.stop();
    },
  };
}

/** Returns whether a right of the roster applies now: a followed outside on-call can take it away. */
export function narrowedBy(
  duty: OutsideDuty | undefined,
  at: number,
  via: 'slack' | 'page' = 'slack',
): (holder: string, group: string) => boolean {
  return (holder, group) => duty?.isOnCall(holder, group, at, via) ?? true;
}

/**
 * Keeps the last answer of the outside schedule. It can only narrow: the roster says who may answer at all, and the cell checks that. If the schedule is
 * unavailable, the last answer applies for the period that it covers, and then only the roster.
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
          log.warn({ group, schedule }, 'the external schedule has nobody on call; using the roster alone');
      } catch (error) {
        if (stopping.signal.aborted) return;
        const last = known.get(group);
        const ageSeconds = last && Math.round((now() - last.readAt) / 1_000);
        log.warn(
          { group, schedule, reason: reasonOf(error), ...(ageSeconds !== undefined && { ageSeconds }) },
          last
            ? 'cannot read who is on call: the last answer stays valid'
            : 'cannot read who is on call: the roster alone decides',
        );
      }
    }
  };

  void repeat({ work: refresh, everyMs, signal: stopping.signal });

  return {
    refresh,
    isOnCall: (person, group, at) => {
      const user = personById(roster, person)?.pagerdutyId;
      return isOnCallOutside(known.get(group), user === undefined ? [] : [user], at) !== false;
    },
    stop: () => stopping.abort(),
  };
}

/** The on-call that the configuration follows, on the desk: only the desk has its credential. */
export function createDuty({
  config,
  secrets,
  log,
}: {
  readonly config: Pick<Config, 'roster'>;
  readonly secrets: Pick<Secrets, 'paging'>;
  readonly log: Logger;
}): OutsideDuty | undefined {
  const onCall = secrets.paging?.pagerduty?.onCall;
  if (!onCall) return undefined;
  const { token, schedules, apiUrl, everySeconds } = onCall;
  const read = createPagerDutyOnCall({ token, apiUrl });
  return followDuty({ roster: config.roster, schedules, read, everyMs: everySeconds * 1_000, log });
}
