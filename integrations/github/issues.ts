import { FirebreakError } from '../../core/errors.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { GithubApi } from './api.ts';

/** Label of all Firebreak tickets, by which they are listed. */
export const ticketLabel = 'firebreak';

export interface Issue {
  readonly number: number;
  readonly url: string;
  readonly body: string;
  readonly open: boolean;
  readonly labels: readonly string[];
  /** Milliseconds since 1970; NaN if GitHub does not say. */
  readonly createdAt: number;
}

/** First line of what we write: invisible on the page, and the same for the same key. Keys may contain anything, so they are hashed. */
export function markerOf(key: string): string {
  return `<!-- firebreak:${sha256Hex(key)} -->`;
}

function labelName(label: unknown): string {
  if (typeof label === 'string') return label;
  return isObject(label) && typeof label.name === 'string' ? label.name : '';
}

/** An issue as the API describes it; undefined for pull requests, which the API lists among issues. */
export function toIssue(value: unknown): Issue | undefined {
  if (!isObject(value) || typeof value.number !== 'number' || 'pull_request' in value) return undefined;
  const { html_url: url, body, labels, state, created_at: created } = value;
  return {
    number: value.number,
    url: typeof url === 'string' ? url : '',
    body: typeof body === 'string' ? body : '',
    open: state === 'open',
    labels: Array.isArray(labels) ? labels.map(labelName) : [],
    createdAt: typeof created === 'string' ? Date.parse(created) : Number.NaN,
  };
}

const mostPages = 50;

async function* pages(api: GithubApi, first: string, signal: AbortSignal): AsyncGenerator<readonly unknown[]> {
  let path: string | undefined = first;
  for (let page = 0; path !== undefined && page < mostPages; page++) {
    const answer: { readonly data: unknown; readonly next?: string } = await api.call({ method: 'GET', path, signal });
    if (!Array.isArray(answer.data))
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'GitHub returned something other than a list');
    yield answer.data;
    path = answer.next;
  }
}

const markerPattern = /^<!-- firebreak:[0-9a-f]{64} -->/;
/** About 150 bytes each. */
const mostKnown = 5_000;

/** What is known of the issues that GitHub dates within it, in milliseconds since 1970. */
interface Span {
  readonly from: number;
  readonly to: number;
}

interface Sought {
  readonly key: string;
  /** Milliseconds since 1970: no issue with this key was created before it. Absent: all are searched. */
  readonly since?: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Finds issues by their key. It remembers which issues there are: in a storm each new ticket would otherwise read again those of all incidents that began
 * shortly before, which costs GitHub's limit of calls per hour and hundreds of kilobytes each.
 */
export class IssueList {
  readonly #api: GithubApi;
  readonly #path: string;
  readonly #lagMs: number;
  /** Marker → numbers. */
  #known = new Map<string, readonly number[]>();
  #span: Span | undefined;

  /** @param lagMs how long after it was created an issue may be missing from GitHub's list */
  constructor({ api, repository, lagMs }: { readonly api: GithubApi; readonly repository: string; readonly lagMs: number }) {
    this.#api = api;
    this.#path = `/repos/${repository}/issues`;
    this.#lagMs = lagMs;
  }

  /** All issues with this key, oldest first. Reads pages newest first, and stops at the page of the first hit, or where it knows the rest. */
  async find({ key, since, signal }: Sought): Promise<readonly Issue[]> {
    const marker = markerOf(key);
    if (this.#known.size > mostKnown) this.#forget();
    const reach = since === undefined ? undefined : this.#reachOf(since);
    const found = await this.#read(marker, reach, signal);
    const others = (this.#known.get(marker) ?? []).filter((number) => !found.some((issue) => issue.number === number));
    for (const number of others) {
      const issue = await this.#issue(number, signal);
      if (issue?.body.startsWith(marker)) found.push(issue);
    }
    return found.sort((a, b) => a.number - b.number);
  }

  #forget(): void {
    this.#known = new Map();
    this.#span = undefined;
  }

  #reachOf(since: number): number {
    const span = this.#span;
    const from = Math.min(since, Date.now());
    return span && span.from <= from ? Math.max(from, span.to - this.#lagMs) : from;
  }

  async #read(marker: string, reach: number | undefined, signal: AbortSignal): Promise<Issue[]> {
    const known = this.#known;
    let newest = Number.NEGATIVE_INFINITY;
    let left = mostPages;
    // Whatever was created later was also updated later.
    const changed = reach === undefined ? '' : `&since=${new Date(reach).toISOString().replace(/\.\d+Z$/, 'Z')}`;
    const path = `${this.#path}?labels=${ticketLabel}&state=all&sort=created&direction=desc&per_page=100${changed}`;
    for await (const page of pages(this.#api, path, signal)) {
      left -= 1;
      const issues = page.flatMap((one) => toIssue(one) ?? []);
      for (const issue of issues) note(known, issue);
      newest = Math.max(newest, ...issues.map(({ createdAt }) => createdAt));
      const found = issues.filter(({ body }) => body.startsWith(marker));
      if (found.length > 0) return found;
      if (reach !== undefined && issues.some(({ createdAt }) => createdAt < reach)) break;
    }
    if (reach !== undefined && left > 0 && known === this.#known) this.#hasRead(reach, newest);
    return [];
  }

  #hasRead(from: number, newest: number): void {
    const joins = this.#span && from <= this.#span.to ? this.#span : undefined;
    this.#span = { from: Math.min(from, joins?.from ?? from), to: Math.max(newest, joins?.to ?? from) };
  }

  async #issue(number: number, signal: AbortSignal): Promise<Issue | undefined> {
    try {
      return toIssue((await this.#api.call({ method: 'GET', path: `${this.#path}/${number}`, signal })).data);
    } catch (error) {
      // Somebody has deleted it.
      if (error instanceof FirebreakError && error.code === 'FB_ERR_NOT_FOUND') return undefined;
      throw error;
    }
  }
}

function note(known: Map<string, readonly number[]>, { body, number }: Issue): void {
  const [marker] = markerPattern.exec(body) ?? [];
  if (marker === undefined) return;
  const numbers = known.get(marker) ?? [];
  if (!numbers.includes(number)) known.set(marker, [...numbers, number]);
}

/** Whether the issue has a comment with this key. */
export async function hasComment(api: GithubApi, issuePath: string, key: string, signal: AbortSignal): Promise<boolean> {
  const marker = markerOf(key);
  for await (const page of pages(api, `${issuePath}/comments?per_page=100`, signal))
    if (page.some((comment) => isObject(comment) && typeof comment.body === 'string' && comment.body.startsWith(marker)))
      return true;
  return false;
}

/**
 * Refuses before anything is written: a public repository would tell the attacker, and a token that may not set labels would create tickets that are never
 * found again.
 * @throws FB_ERR_REFUSED
 */
export async function checkRepository(api: GithubApi, repository: string, signal: AbortSignal): Promise<void> {
  const { data } = await api.call({ method: 'GET', path: `/repos/${repository}`, signal });
  if (!isObject(data)) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'GitHub did not describe the repository');
  if (data.private !== true || data.visibility === 'public')
    throw new FirebreakError('FB_ERR_REFUSED', `${repository} is public: tickets hold what an attacker must not read`);
  if (data.archived === true || data.has_issues === false)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `${repository} does not accept issues: it is archived, or issues are switched off`,
    );
  const { permissions } = data;
  if (isObject(permissions) && permissions.push === false && permissions.triage !== true)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `the token may not set labels in ${repository}, so tickets could not be found again`,
    );
}
