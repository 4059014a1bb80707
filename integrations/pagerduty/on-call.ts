import { FirebreakError } from '../../core/errors.ts';
import type { OutsideOnCall, OutsideShift } from '../../core/people/on-call.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { hasListAt, JsonApi, listAt, objectAt, textAt } from '../json-api.ts';

interface PagerDutyOnCallOptions {
  /** A read-only REST API key. */
  readonly token: string;
  /** EU accounts have `https://api.eu.pagerduty.com`. */
  readonly apiUrl?: string;
  readonly timeoutMs?: number;
}

/** How far ahead shifts are read: an outage of PagerDuty up to this long changes nothing, including hand-overs. */
const aheadMs = 48 * 3_600_000;
const pageSize = 100;
const mostPages = 20;

/**
 * Reads who is on call by a schedule, now and for the next two days: the computed result, including overrides.
 * https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls Throws FB_ERR_UNAVAILABLE (also as RetryLaterError), FB_ERR_REFUSED,
 * FB_ERR_NOT_FOUND.
 */
export function createPagerDutyOnCall({ token, apiUrl, timeoutMs }: PagerDutyOnCallOptions) {
  const api = new JsonApi({
    name: 'PagerDuty',
    baseUrl: apiUrl ?? 'https://api.pagerduty.com',
    headers: { Accept: 'application/vnd.pagerduty+json;version=2', Authorization: `Token token=${token}` },
    timeoutMs: timeoutMs ?? 5_000,
  });
  return async ({
    schedule,
    now,
    signal,
  }: {
    readonly schedule: string;
    readonly now: number;
    readonly signal: AbortSignal;
  }): Promise<OutsideOnCall> => {
    const shifts: OutsideShift[] = [];
    const until = now + aheadMs;
    for (let page = 0; page < mostPages; page += 1) {
      const answer = await api.call({
        method: 'GET',
        path: '/oncalls',
        query: {
          'schedule_ids[]': schedule,
          since: new Date(now).toISOString(),
          until: new Date(until).toISOString(),
          limit: String(pageSize),
          offset: String(page * pageSize),
        },
        // Anything else would read as “nobody is on call”.
        expects: hasListAt('oncalls'),
        signal,
      });
      shifts.push(...listAt(answer, 'oncalls').flatMap((entry) => shiftOf(entry, schedule)));
      if (!isObject(answer) || answer.more !== true) return { shifts, readAt: now, until };
    }
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `PagerDuty has more than ${mostPages * pageSize} shifts of one schedule in two days`,
    );
  };
}

/** Accepts only entries of that schedule that say who and when: nothing else in the answer puts anybody on call. */
function shiftOf(entry: unknown, schedule: string): readonly OutsideShift[] {
  const user = textAt(objectAt(entry, 'user'), 'id');
  const [start, end] = [textAt(entry, 'start'), textAt(entry, 'end')];
  if (user === '' || textAt(objectAt(entry, 'schedule'), 'id') !== schedule) return [];
  const [from, until] = [start === '' ? 0 : Date.parse(start), end === '' ? undefined : Date.parse(end)];
  if (Number.isNaN(from) || Number.isNaN(until)) return [];
  return [{ user, from, ...(until !== undefined && { until }) }];
}
