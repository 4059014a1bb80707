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

async function* pages(api: GithubApi, first: string, signal: AbortSignal): AsyncGenerator<readonly unknown[]> {
  let path: string | undefined = first;
  for (let page = 0; path !== undefined && page < 50; page++) {
    const answer: { readonly data: unknown; readonly next?: string } = await api.call({ method: 'GET', path, signal });
    if (!Array.isArray(answer.data))
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'GitHub returned something other than a list');
    yield answer.data;
    path = answer.next;
  }
}

/**
 * All issues with this key, oldest first. Reads pages newest first, and stops at the page of the first hit, or at `since` (milliseconds since 1970), before
 * which none was created: otherwise a new ticket would read thousands.
 */
export async function findIssues(
  api: GithubApi,
  repository: string,
  { key, since, signal }: { readonly key: string; readonly since?: number | undefined; readonly signal: AbortSignal },
): Promise<Issue[]> {
  const path = `/repos/${repository}/issues?labels=${ticketLabel}&state=all&sort=created&direction=desc&per_page=100`;
  const marker = markerOf(key);
  for await (const page of pages(api, path, signal)) {
    const issues = page.flatMap((one) => toIssue(one) ?? []);
    const found = issues.filter(({ body }) => body.startsWith(marker));
    if (found.length > 0) return found.toSorted((a, b) => a.number - b.number);
    if (since !== undefined && issues.some(({ createdAt }) => createdAt < since)) return [];
  }
  return [];
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
