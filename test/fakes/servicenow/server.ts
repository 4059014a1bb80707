import { createHash } from 'node:crypto';
import { entriesPage } from '../rest/page.ts';
import {
  basicAuth,
  type Fields,
  fieldsOf,
  type RestAnswer,
  type RestFake,
  type RestRequest,
  startRestFake,
} from '../rest/server.ts';

export interface ServiceNowFakeOptions {
  readonly user: string;
  readonly password: string;
  /** Columns that this account may not write: they are silently dropped. */
  readonly readOnly?: readonly string[];
  /** Columns that this account may not read: they are missing from its answers. */
  readonly hidden?: readonly string[];
  /** Conditions are ignored, as are those on a column which the table does not have. */
  readonly ignoresQueries?: boolean;
  readonly port?: number;
}

interface FakeRecord {
  readonly sys_id: string;
  readonly values: Record<string, string>;
  readonly notes: string[];
}

export interface ServiceNowFake extends RestFake {
  readonly records: readonly FakeRecord[];
}

/** Column → longest value; the instance silently cuts longer ones. */
const columns: Readonly<Record<string, number>> = {
  short_description: 160,
  description: 4_000,
  correlation_id: 100,
  correlation_display: 100,
  state: 40,
  close_code: 40,
  close_notes: 4_000,
  urgency: 40,
  impact: 40,
  priority: 40,
  category: 40,
  assignment_group: 32,
  work_notes: 65_000,
};

/** Choices that are numbers: a label instead is not a valid value. */
const numbers: ReadonlySet<string> = new Set(['state', 'urgency', 'impact', 'priority']);

/** The base system looks it up by urgency and impact, whatever is sent. */
function priorityOf({ urgency = '3', impact = '3' }: Readonly<Record<string, string>>): string {
  return String(Math.min(5, Math.max(1, Number(urgency) + Number(impact) - 1)));
}

/**
 * The answer of a transaction that was ended by a quota rule: 200, and maybe half of what there was before.
 * https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB1297438
 */
const cancelled = {
  error: {
    message: 'Transaction cancelled: maximum execution time exceeded',
    detail:
      'Transaction cancelled: maximum execution time exceeded Check logs for error trace or enable glide.rest.debug property to verify REST request processing',
  },
  status: 'failure',
};
export const cancelledAnswers: Readonly<Record<string, unknown>> = {
  whole: cancelled,
  'beside an empty result': { result: [], ...cancelled },
  'cut off in the middle': `{"result":[{"sys_id":"1c741bd70b2322007518478d83673af3","numb${JSON.stringify(cancelled).slice(1)}`,
};

const closeCodes = [
  'Duplicate',
  'Known error',
  'No resolution provided',
  'Resolved by caller',
  'Solution provided',
  'User error',
];

function problem(status: number, message: string, detail: string | null = null): RestAnswer {
  return { status, body: { error: { message, detail }, status: 'failure' } };
}

/**
 * A strict stand-in for ServiceNow's Table API, table `incident`.
 * https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
 */
export async function startServiceNowFake(options: ServiceNowFakeOptions): Promise<ServiceNowFake> {
  const records: FakeRecord[] = [];

  const answer = ({ method, url, headers, text }: RestRequest): RestAnswer => {
    if (headers.authorization !== basicAuth(options.user, options.password))
      return problem(401, 'User Not Authenticated', 'Required to provide Auth information');
    if (!headers.accept?.includes('json')) return problem(406, 'Not acceptable');
    const [, table, id] = /^\/api\/now\/(?:v[12]\/)?table\/([a-z0-9_]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (table === undefined) return problem(400, 'Requested URI does not represent any resource', url.pathname);
    if (table !== 'incident') return problem(400, `Invalid table ${table}`);
    const query = url.searchParams;
    if (method === 'GET' && id === undefined) return list(query);
    const record = records.find((one) => one.sys_id === id);
    if (!(id === undefined ? ['GET', 'POST'] : ['GET', 'PATCH', 'PUT']).includes(method))
      return problem(405, 'Method not supported');
    if (method === 'GET') return record ? ok(200, shown(record, query)) : missing();
    if (!headers['content-type']?.startsWith('application/json')) return problem(415, 'Unsupported media type');
    const body = fieldsOf(text);
    if (!body) return problem(400, 'Exception while reading request', 'The payload is not valid JSON.');
    if (Object.values(body).some((value) => typeof value !== 'string'))
      return problem(400, 'Exception while reading request', 'values of columns are texts');
    if (method === 'POST' && id === undefined) return create(body, query);
    if ((method === 'PATCH' || method === 'PUT') && record) return change(record, body, query);
    return missing();
  };

  const ok = (status: number, result: unknown): RestAnswer => ({ status, body: { result } });
  const missing = () => problem(404, 'No Record found', 'Record doesn’t exist or ACL restricts the record retrieval');

  /** A condition on a column that does not exist is ignored, as on an instance where `glide.invalid_query.returns_no_rows` is not set. */
  const list = (query: URLSearchParams): RestAnswer => {
    const conditions = (query.get('sysparm_query') ?? '').split('^').filter((part) => part !== '' && !part.startsWith('ORDERBY'));
    const found = records.filter((record) =>
      conditions.every((condition) => {
        const [name = '', value = ''] = condition.split('=');
        return options.ignoresQueries === true || !(name in columns) || record.values[name] === value;
      }),
    );
    const limit = Number(query.get('sysparm_limit') ?? 10_000);
    return ok(
      200,
      found.slice(0, limit).map((record) => shown(record, query)),
    );
  };

  const write = (record: FakeRecord, body: Fields): void => {
    for (const [name, value] of Object.entries(body)) {
      const longest = columns[name];
      // Unknown and read-only columns are silently dropped.
      if (longest === undefined || options.readOnly?.includes(name)) continue;
      if (numbers.has(name) && !/^\d+$/.test(String(value))) continue;
      if (name === 'work_notes') record.notes.unshift(String(value));
      else record.values[name] = String(value).slice(0, longest);
    }
    record.values.priority = priorityOf(record.values);
  };

  const policyFault = (values: Fields): RestAnswer | undefined => {
    if (values.state !== '6' && values.state !== '7') return undefined;
    if (!values.close_code || !values.close_notes)
      return problem(
        403,
        'Operation Failed',
        'Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes',
      );
    return closeCodes.includes(String(values.close_code))
      ? undefined
      : problem(403, 'Operation Failed', 'Data Policy Exception: Resolution code');
  };

  const create = (body: Fields, query: URLSearchParams): RestAnswer => {
    const fault = policyFault(body);
    if (fault) return fault;
    const number = records.length + 1;
    const record: FakeRecord = {
      sys_id: createHash('md5').update(String(number)).digest('hex'),
      values: {
        number: `INC${String(10_000 + number).padStart(7, '0')}`,
        state: '1',
        sys_created_on: new Date().toISOString().slice(0, 19).replace('T', ' '),
      },
      notes: [],
    };
    write(record, body);
    records.push(record);
    return ok(201, shown(record, query));
  };

  const change = (record: FakeRecord, body: Fields, query: URLSearchParams): RestAnswer => {
    const fault = policyFault({ ...record.values, ...body });
    if (fault) return fault;
    write(record, body);
    return ok(200, shown(record, query));
  };

  const shown = (record: FakeRecord, query: URLSearchParams): Fields => {
    const display = query.get('sysparm_display_value') === 'true';
    const all: Fields = {
      ...Object.fromEntries(Object.keys(columns).map((name) => [name, ''])),
      ...record.values,
      sys_id: record.sys_id,
      active: record.values.state === '7' ? 'false' : 'true',
      // A journal is empty except for its display value, which holds every entry.
      work_notes: display ? record.notes.map((note) => `2026-11-24 21:00:00 - Firebreak (Work notes)\n${note}\n\n`).join('') : '',
    };
    const wanted = query.get('sysparm_fields')?.split(',');
    const may = Object.entries(all).filter(([name]) => !options.hidden?.includes(name));
    return Object.fromEntries(may.filter(([name]) => wanted?.includes(name) ?? true));
  };

  const fake = await startRestFake({
    answer,
    failure: (status) => ({ error: { message: `Injected ${status}`, detail: null }, status: 'failure' }),
    page: () =>
      entriesPage(
        'ServiceNow: incident',
        records.toReversed().map(({ values, notes }) => ({
          title: `${values.number} ${values.short_description ?? ''}`,
          state: values.close_code ? `state ${values.state}: ${values.close_code}` : `state ${values.state}`,
          open: values.state !== '6' && values.state !== '7',
          facts: [values.correlation_id ?? ''],
          texts: [values.description ?? '', ...notes.toReversed(), ...(values.close_notes ? [values.close_notes] : [])],
        })),
      ),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return { ...fake, records };
}
