import { entriesPage } from '../rest/page.ts';
import {
  basicAuth,
  type Fields,
  fieldsOf,
  isFields,
  type RestAnswer,
  type RestFake,
  type RestRequest,
  startRestFake,
} from '../rest/server.ts';
import { adfText, isAdf } from './adf-check.ts';
import { type FakeJiraIssue, issueErrors, isTooLong, type JiraProject, tooLong } from './issues.ts';

export interface JiraFakeOptions extends Partial<JiraProject> {
  readonly project: string;
  readonly email: string;
  readonly token: string;
  /** Which issues the search finds by now, since it is only eventually consistent; if not set, all. */
  readonly isFound?: (issue: FakeJiraIssue) => boolean;
  /** Its clock, in milliseconds since 1970. Absent: the machine's. */
  readonly now?: () => number;
  /** False: the account may see the project, but not write to it. */
  readonly mayWrite?: boolean;
  /** The transition to Done requires a resolution. */
  readonly resolutionOnScreen?: boolean;
  readonly port?: number;
}

export interface JiraFake extends RestFake {
  readonly issues: readonly FakeJiraIssue[];
}

function problem(status: number, messages: readonly string[], errors: Fields = {}): RestAnswer {
  return { status, body: { errorMessages: messages, errors } };
}

const gone = () => problem(404, ['Issue does not exist or you do not have permission to see it.']);

/** A strict stand-in for one project of Jira Cloud, REST API v3. https://developer.atlassian.com/cloud/jira/platform/rest/v3/ */
export async function startJiraFake(options: JiraFakeOptions): Promise<JiraFake> {
  const issues: FakeJiraIssue[] = [];
  const { now = Date.now } = options;
  const project: JiraProject = {
    project: options.project,
    issueTypes: options.issueTypes ?? ['Task', 'Bug'],
    customFields: options.customFields ?? [],
    labelsOnScreen: options.labelsOnScreen ?? true,
  };

  const answer = (request: RestRequest): RestAnswer => {
    if (request.headers.authorization !== basicAuth(options.email, options.token))
      return { status: 401, body: { errorMessages: ['Client must be authenticated to access this resource.'], errors: {} } };
    const { pathname } = request.url;
    const writes = request.method === 'POST' || request.method === 'PUT';
    if (writes && !request.headers['content-type']?.startsWith('application/json'))
      return problem(415, ['Unsupported Media Type']);
    if (writes && options.mayWrite === false && !pathname.endsWith('/search/jql'))
      return problem(403, ['You do not have permission to create issues in this project.']);
    const body = writes ? fieldsOf(request.text) : {};
    if (!body) return problem(400, ['There was an error parsing JSON. Check that your request body is valid.']);
    if (pathname === '/rest/api/3/search')
      return problem(410, ['The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.']);
    if (request.method === 'POST' && pathname === '/rest/api/3/search/jql') return search(body);
    if (request.method === 'POST' && pathname === '/rest/api/3/issue') return create(body);
    const [, key = '', rest = ''] = /^\/rest\/api\/3\/issue\/([A-Z0-9_]+-\d+)(.*)$/.exec(pathname) ?? [];
    const issue = issues.find((one) => one.key === key);
    return issue ? onIssue(issue, `${request.method} ${rest}`, body) : gone();
  };

  const search = (body: Fields): RestAnswer => {
    const { jql, fields = ['id'], maxResults = 50, nextPageToken } = body;
    if (
      Object.keys(body).some(
        (name) =>
          !['jql', 'fields', 'maxResults', 'nextPageToken', 'expand', 'properties', 'fieldsByKeys', 'reconcileIssues'].includes(
            name,
          ),
      )
    )
      return problem(400, ['Invalid request payload. Refer to the REST API documentation and try again.']);
    if (typeof jql !== 'string' || !/\b(project|labels|created|updated|key)\b\s*(=|in|>=|>)/i.test(jql))
      return problem(400, ['Unbounded JQL queries are not allowed here. Please add a search restriction to your query.']);
    if (!Array.isArray(fields) || typeof maxResults !== 'number' || maxResults < 1 || maxResults > 5_000)
      return problem(400, ['Invalid request payload. Refer to the REST API documentation and try again.']);
    const [, wantedProject] = /project = "([^"]+)"/.exec(jql) ?? [];
    const [, label] = /labels = "([^"]+)"/.exec(jql) ?? [];
    if (wantedProject !== undefined && wantedProject !== options.project)
      return problem(400, [`The value '${wantedProject}' does not exist for the field 'project'.`]);
    const start = nextPageToken === undefined ? 0 : Number(/^page-(\d+)$/.exec(String(nextPageToken))?.[1]);
    if (Number.isNaN(start)) return problem(400, ['The provided next page token is invalid or expired.']);
    const found = issues.filter(
      (issue) => (options.isFound?.(issue) ?? true) && (label === undefined || issue.labels.includes(label)),
    );
    const end = start + maxResults;
    const page = found.slice(start, end).map((issue) => shown(issue, fields));
    return {
      status: 200,
      body: { isLast: end >= found.length, ...(end < found.length && { nextPageToken: `page-${end}` }), issues: page },
    };
  };

  const create = (body: Fields): RestAnswer => {
    if (!isFields(body.fields)) return problem(400, [], { project: 'Specify a valid project ID or key' });
    const errors = issueErrors(body.fields, project);
    if (Object.keys(errors).length > 0) return problem(400, [], errors);
    const number = issues.length + 1;
    const { labels } = body.fields;
    const issue: FakeJiraIssue = {
      id: String(10_000 + number),
      key: `${options.project}-${number}`,
      number,
      fields: body.fields,
      labels: Array.isArray(labels) ? labels.map(String) : [],
      status: 'To Do',
      resolution: null,
      createdAt: now(),
      comments: [],
    };
    issues.push(issue);
    return { status: 201, body: { id: issue.id, key: issue.key, self: `/rest/api/3/issue/${issue.id}` } };
  };

  const onIssue = (issue: FakeJiraIssue, route: string, body: Fields): RestAnswer => {
    if (route === 'GET ') return { status: 200, body: shown(issue, ['*all']) };
    if (route === 'GET /comment')
      return {
        status: 200,
        body: { startAt: 0, maxResults: 100, total: issue.comments.length, comments: issue.comments.toReversed() },
      };
    if (route === 'POST /comment') {
      if (!isAdf(body.body)) return problem(400, [], { comment: 'Comment body is not valid!' });
      if (isTooLong(body.body)) return problem(400, [], { comment: tooLong });
      const comment = { id: String(20_000 + issue.comments.length), body: body.body, at: now() };
      issue.comments.push(comment);
      return { status: 201, body: comment };
    }
    if (route === 'GET /transitions') return { status: 200, body: { expand: 'transitions', transitions: transitionsOf(issue) } };
    if (route === 'POST /transitions') return transit(issue, body);
    return gone();
  };

  const transitionsOf = (issue: FakeJiraIssue): readonly Fields[] =>
    [
      { id: '21', name: 'Start', to: { name: 'In Progress', statusCategory: { key: 'indeterminate' } }, fields: {} },
      {
        id: '31',
        name: 'Finish',
        to: { name: 'Done', statusCategory: { key: 'done' } },
        fields: options.resolutionOnScreen
          ? {
              resolution: {
                required: true,
                allowedValues: ["Won't Do", 'Done', 'Duplicate'].map((name, id) => ({ id: String(id), name })),
              },
            }
          : {},
      },
    ].filter(({ to }) => to.name !== issue.status);

  const transit = (issue: FakeJiraIssue, body: Fields): RestAnswer => {
    const id = isFields(body.transition) ? body.transition.id : undefined;
    const known = transitionsOf(issue).some((transition) => transition.id === id);
    if (!known) return problem(400, ['Transition id is not valid for this issue.']);
    const resolution =
      isFields(body.fields) && isFields(body.fields.resolution) ? String(body.fields.resolution.name) : undefined;
    if (resolution !== undefined && !options.resolutionOnScreen)
      return problem(400, [], {
        resolution: "Field 'resolution' cannot be set. It is not on the appropriate screen, or unknown.",
      });
    if (id === '31' && options.resolutionOnScreen && resolution === undefined)
      return problem(400, [], { resolution: 'Resolution is required.' });
    issue.status = id === '31' ? 'Done' : 'In Progress';
    issue.resolution = resolution ?? null;
    return { status: 204 };
  };

  const shown = (issue: FakeJiraIssue, fields: readonly unknown[]): Fields => {
    const category = { 'To Do': 'new', 'In Progress': 'indeterminate', Done: 'done' }[issue.status];
    const all: Fields = {
      ...issue.fields,
      labels: issue.labels,
      status: { name: issue.status, statusCategory: { key: category } },
      created: new Date(issue.createdAt).toISOString(),
    };
    const wanted = Object.entries(all).filter(([name]) => fields.includes('*all') || fields.includes(name));
    return { id: issue.id, key: issue.key, ...(wanted.length > 0 ? { fields: Object.fromEntries(wanted) } : {}) };
  };

  const fake = await startRestFake({
    answer,
    failure: (status) => ({ errorMessages: [`Injected ${status}`], errors: {} }),
    page: () =>
      entriesPage(
        `Jira: ${options.project}`,
        issues.toReversed().map((issue) => ({
          title: `${issue.key} ${String(issue.fields.summary)}`,
          state: issue.resolution ? `${issue.status}: ${issue.resolution}` : issue.status,
          open: issue.status !== 'Done',
          facts: issue.labels,
          texts: [adfText(issue.fields.description), ...issue.comments.map((comment) => adfText(comment.body))],
        })),
      ),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return { ...fake, issues };
}
