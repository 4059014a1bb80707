import { entriesPage } from '../rest/page.ts';
import { type RestAnswer, type RestFake, type RestRequest, startRestFake } from '../rest/server.ts';

interface FakeShift {
  readonly user: string;
  readonly schedule: string;
  /** ISO 8601; both are null if a user is always on call. */
  readonly start: string | null;
  readonly end: string | null;
}

interface OnCallFakeOptions {
  /** The only valid REST API key. */
  readonly token: string;
  readonly port?: number;
}

export interface OnCallFake extends RestFake {
  /** What the schedules say; a test may change them. */
  readonly shifts: FakeShift[];
}

const known = new Set([
  'time_zone',
  'include[]',
  'user_ids[]',
  'escalation_policy_ids[]',
  'schedule_ids[]',
  'since',
  'until',
  'earliest',
  'limit',
  'offset',
  'total',
]);
const day = 86_400_000;

function refusal(status: number, code: number, message: string, errors: readonly string[] = []): RestAnswer {
  return { status, body: { error: { message, code, ...(errors.length > 0 && { errors }) } } };
}

function isTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** What the documentation calls invalid. https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls */
function problemsOf(query: URLSearchParams): readonly string[] {
  const number = (name: string): number => Number(query.get(name) ?? '0');
  const [since, until] = [query.get('since'), query.get('until')];
  const times = [since, until].filter((time) => time !== null);
  return [
    ...[...query.keys()].filter((key) => !known.has(key)).map((key) => `${key} is not a parameter`),
    ...times.filter((time) => !isTime(time)).map((time) => `${time} is not a time`),
    ...(since && until && Date.parse(until) < Date.parse(since) ? ['until is before since'] : []),
    ...(since && until && Date.parse(until) - Date.parse(since) > 90 * day ? ['the range is longer than 90 days'] : []),
    ...(Number.isInteger(number('limit')) && number('limit') >= 0 && number('limit') <= 100 ? [] : ['limit is at most 100']),
    ...(Number.isInteger(number('offset')) && number('offset') >= 0 && number('offset') + number('limit') <= 10_000
      ? []
      : ['offset and limit together are at most 10000']),
  ];
}

/** A strict stand-in for the part of PagerDuty's REST API that tells who is on call. */
export async function startOnCallFake(options: OnCallFakeOptions): Promise<OnCallFake> {
  const shifts: FakeShift[] = [];

  const answer = ({ method, url, headers }: RestRequest): RestAnswer => {
    if (headers.authorization !== `Token token=${options.token}`) return refusal(401, 2006, 'Unauthorized');
    if (url.pathname !== '/oncalls' || method !== 'GET') return refusal(404, 2100, 'Not Found');
    if (!headers.accept?.includes('application/vnd.pagerduty+json;version=2'))
      return refusal(406, 2001, 'Not Acceptable', ['version 2 is not asked for']);
    const problems = problemsOf(url.searchParams);
    if (problems.length > 0) return refusal(400, 2001, 'Invalid Input Provided', problems);
    const limit = Number(url.searchParams.get('limit') ?? 25);
    const offset = Number(url.searchParams.get('offset') ?? 0);
    const found = shifts.filter((shift) => isAsked(shift, url.searchParams));
    return {
      status: 200,
      body: {
        oncalls: found.slice(offset, offset + limit).map(({ user, schedule, start, end }) => ({
          user: { id: user, type: 'user_reference', summary: user },
          schedule: { id: schedule, type: 'schedule_reference', summary: schedule },
          escalation_policy: { id: 'PPOLICY', type: 'escalation_policy_reference', summary: 'policy' },
          escalation_level: 1,
          start,
          end,
        })),
        limit,
        offset,
        more: offset + limit < found.length,
        total: null,
      },
    };
  };

  const fake = await startRestFake({
    answer,
    failure: (status) => ({ error: { message: `Injected ${status}`, code: status } }),
    page: () =>
      entriesPage(
        'PagerDuty: on call',
        shifts.map(({ user, schedule, start, end }) => ({
          title: user,
          state: schedule,
          open: true,
          facts: [`${start} to ${end}`],
          texts: [],
        })),
      ),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return { ...fake, shifts };
}

function isAsked({ schedule, start, end }: FakeShift, query: URLSearchParams): boolean {
  const schedules = query.getAll('schedule_ids[]');
  if (schedules.length > 0 && !schedules.includes(schedule)) return false;
  const since = Date.parse(query.get('since') ?? new Date().toISOString());
  const until = Date.parse(query.get('until') ?? new Date().toISOString());
  return (start === null || Date.parse(start) <= until) && (end === null || Date.parse(end) > since);
}
