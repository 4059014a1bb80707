import { type Fields, fieldsOf, type RestAnswer, type RestRequest } from '../rest/server.ts';
import { type FakeIssue, IssueStore } from './store.ts';
import { checkComment, checkIssueChange, checkNewIssue } from './validate.ts';

export interface GithubFakeOptions {
  readonly repository: string;
  readonly token: string;
  readonly private?: boolean;
  /** False: labels are silently dropped, as GitHub does for users without push access. */
  readonly push?: boolean;
  /** The repository's issues are disabled. */
  readonly issuesOff?: boolean;
  /** The repository is archived. */
  readonly archived?: boolean;
  /** Its new name: requests with the old one are redirected. */
  readonly movedTo?: string;
  /** Which issues the list has by now; if not set, all. */
  readonly isListed?: (issue: FakeIssue) => boolean;
  readonly port?: number;
}

const docs = 'https://docs.github.com/rest';
/** https://docs.github.com/en/rest/about-the-rest-api/api-versions */
const versions = ['2022-11-28', '2026-03-10'];

export function problem(status: number, message: string, errors?: readonly unknown[]): RestAnswer {
  return { status, body: { message, ...(errors && { errors }), documentation_url: docs, status: String(status) } };
}

/**
 * GitHub's answer at a limit. The primary one: `x-ratelimit-remaining: 0` and when it resets. The secondary ones: with `retry-after`, or with nothing but the
 * words. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
export function limitAnswer(which: 'primary' | 'secondary' | 'secondary without a time', status: 403 | 429 = 403) {
  const rateLimits = 'https://docs.github.com/rest/overview/rate-limits-for-the-rest-api';
  const reset = String(Math.ceil(Date.now() / 1_000) + 120);
  return which === 'primary'
    ? {
        status,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
        body: { message: 'API rate limit exceeded for user ID 2.', documentation_url: rateLimits },
      }
    : {
        status,
        headers: which === 'secondary' ? { 'retry-after': '60' } : {},
        body: {
          message:
            'You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.',
          documentation_url: `${rateLimits}#about-secondary-rate-limits`,
        },
      };
}

/** Answers one call as the API does. https://docs.github.com/en/rest/issues */
export class FakeApi {
  readonly store = new IssueStore();
  pageUrl = '';
  baseUrl = '';
  readonly #options: GithubFakeOptions;
  #remaining = 5_000;

  constructor(options: GithubFakeOptions) {
    this.#options = options;
  }

  limitHeaders(): Readonly<Record<string, string>> {
    const reset = String(Math.ceil(Date.now() / 1_000) + 3_600);
    return { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': String(this.#remaining), 'x-ratelimit-reset': reset };
  }

  answer({ method, url, headers, text }: RestRequest): RestAnswer {
    if (!headers['user-agent'])
      return problem(403, 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.');
    const version = headers['x-github-api-version'];
    if (version !== undefined && !versions.includes(String(version)))
      return problem(400, `"${String(version)}" is not a supported version`);
    if (headers.authorization !== `Bearer ${this.#options.token}`) return problem(401, 'Bad credentials');
    this.#remaining -= 1;
    const base = `/repos/${this.#options.repository}`;
    if (url.pathname !== base && !url.pathname.startsWith(`${base}/`)) return problem(404, 'Not Found');
    const path = url.pathname.slice(base.length);
    if (this.#options.movedTo !== undefined) return this.#moved(method, `/repositories/1${path}`);
    const fields = text === '' ? {} : fieldsOf(text);
    if (fields === undefined) return problem(400, 'Problems parsing JSON');
    const refusal = path === '' ? undefined : this.#closed(method);
    return refusal ?? this.#route(`${method} ${path.replace(/\d+/, 'N')}`, Number(/\d+/.exec(path)?.[0]), url, fields);
  }

  /** https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects */
  #moved(method: string, path: string): RestAnswer {
    const location = `${this.baseUrl}${path}`;
    const status = method === 'GET' ? 301 : 307;
    const message = status === 301 ? 'Moved Permanently' : 'Temporary Redirect';
    return { status, headers: { location }, body: { message, url: location, documentation_url: docs } };
  }

  #closed(method: string): RestAnswer | undefined {
    if (this.#options.issuesOff) return problem(410, 'Issues has been disabled in this repository.');
    if (this.#options.archived && method !== 'GET') return problem(403, 'Repository was archived so is read-only.');
    return undefined;
  }

  #route(route: string, number: number, url: URL, fields: Fields): RestAnswer {
    if (route === 'GET ') return { status: 200, body: this.#repository() };
    if (route === 'GET /issues') return this.#list(url);
    if (route === 'POST /issues') return this.#create(fields);
    const issue = this.store.get(number);
    if (!issue) return problem(404, 'Not Found');
    if (route === 'GET /issues/N') return { status: 200, body: this.json(issue) };
    if (route === 'PATCH /issues/N') return this.#change(issue, fields);
    if (route === 'GET /issues/N/comments')
      return this.#paged(
        url,
        issue.comments.map((comment) => this.#comment(comment)),
      );
    if (route === 'POST /issues/N/comments') return this.#addComment(issue, fields);
    return problem(404, 'Not Found');
  }

  #repository(): unknown {
    const { repository, private: closed = true, push = true, issuesOff = false, archived = false } = this.#options;
    return {
      id: 1,
      full_name: repository,
      private: closed,
      visibility: closed ? 'private' : 'public',
      has_issues: !issuesOff,
      archived,
      permissions: { admin: false, maintain: false, push, triage: push, pull: true },
    };
  }

  json(issue: FakeIssue): unknown {
    const { repository } = this.#options;
    return {
      id: 1_000 + issue.number,
      number: issue.number,
      title: issue.title,
      body: issue.body,
      state: issue.state,
      state_reason: issue.stateReason,
      labels: issue.labels.map((name, id) => ({ id, name, color: 'ededed', default: false })),
      user: { login: 'firebreak-bot', id: 2, type: 'Bot' },
      comments: issue.comments.length,
      created_at: new Date(issue.createdAt).toISOString(),
      updated_at: new Date(issue.updatedAt).toISOString(),
      html_url: `${this.pageUrl}#${issue.number}`,
      url: `/repos/${repository}/issues/${issue.number}`,
    };
  }

  #comment(comment: FakeIssue['comments'][number]): unknown {
    return { id: comment.id, body: comment.body, created_at: new Date(comment.at).toISOString() };
  }

  #list(url: URL): RestAnswer {
    const state = url.searchParams.get('state') ?? 'open';
    const labels = (url.searchParams.get('labels') ?? '').split(',').filter((label) => label !== '');
    const since = url.searchParams.get('since');
    const updatedFrom = since === null ? Number.NEGATIVE_INFINITY : Date.parse(since);
    if (since !== null && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(since)) return problem(422, 'Validation Failed', []);
    const found = this.store
      .all()
      .filter((issue) => issue.updatedAt >= updatedFrom)
      .filter((issue) => this.#options.isListed?.(issue) ?? true)
      .filter((issue) => state === 'all' || issue.state === state)
      .filter((issue) => labels.every((label) => issue.labels.includes(label)));
    return this.#paged(
      url,
      (url.searchParams.get('direction') === 'asc' ? found.toReversed() : found).map((issue) => this.json(issue)),
    );
  }

  #paged(url: URL, items: readonly unknown[]): RestAnswer {
    const perPage = Math.min(100, Math.max(1, Number(url.searchParams.get('per_page') ?? 30)));
    const page = Math.max(1, Number(url.searchParams.get('page') ?? 1));
    const last = Math.max(1, Math.ceil(items.length / perPage));
    const link = (rel: string, number: number) => {
      const target = new URL(url.pathname + url.search, this.baseUrl);
      target.searchParams.set('page', String(number));
      return `<${target.href}>; rel="${rel}"`;
    };
    const links = [
      ...(page > 1 ? [link('prev', page - 1), link('first', 1)] : []),
      ...(page < last ? [link('next', page + 1), link('last', last)] : []),
    ];
    const body = items.slice((page - 1) * perPage, page * perPage);
    return { status: 200, body, headers: links.length > 0 ? { link: links.join(', ') } : {} };
  }

  #create(fields: Fields): RestAnswer {
    const checked = checkNewIssue(fields);
    if (!checked.ok) return problem(422, 'Validation Failed', checked.errors);
    const labels = this.#options.push === false ? [] : checked.value.labels;
    return { status: 201, body: this.json(this.store.create({ ...checked.value, labels })) };
  }

  #change(issue: FakeIssue, fields: Fields): RestAnswer {
    const checked = checkIssueChange(fields);
    if (!checked.ok) return problem(422, 'Validation Failed', checked.errors);
    return { status: 200, body: this.json(this.store.change(issue, checked.value)) };
  }

  #addComment(issue: FakeIssue, fields: Fields): RestAnswer {
    const checked = checkComment(fields);
    if (!checked.ok) return problem(422, 'Validation Failed', checked.errors);
    const comment = { id: issue.comments.length + 1, body: checked.value, at: Date.now() };
    this.store.change(issue, { comments: [...issue.comments, comment] });
    return { status: 201, body: this.#comment(comment) };
  }
}
