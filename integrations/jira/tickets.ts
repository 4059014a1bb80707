import { FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { cutText, oneLine } from '../../core/text/visible-text.ts';
import type { FoundTicket, TicketMemory } from '../../core/tickets/one-ticket.ts';
import { type FieldTemplate, fillField, fillTemplate } from '../../core/tickets/template.ts';
import {
  referenceOf,
  type TicketComment,
  type TicketRequest,
  type TicketSystem,
  templateValues,
} from '../../core/tickets/ticket.ts';
import { threadAddress, ticketFrame } from '../../core/tickets/ticket-frame.ts';
import { hasListAt, JsonApi, listAt, objectAt, textAt } from '../json-api.ts';
import { type FinishReason, type ReferencedSystem, referencedTickets } from '../referenced-tickets.ts';
import type { TicketTime } from '../ticket-time.ts';
import { adfOf, textOfAdf } from './adf.ts';

export interface JiraTicketsOptions {
  /** `https://SITE.atlassian.net`: for people, and for the API unless `apiUrl` says otherwise. */
  readonly url: string;
  readonly apiUrl?: string;
  readonly email: string;
  readonly token: string;
  readonly project: string;
  readonly issueType: string;
  /** Field name → template. `summary` and `description` have defaults; a text becomes a document only in `description`. */
  readonly fields?: Fields;
  /** Status to close in; default: any status whose category is done. */
  readonly doneStatus?: string;
  /** Timeout per call. */
  readonly timeoutMs?: number;
  readonly memory?: TicketMemory;
  readonly time?: TicketTime;
  /** How long an unanswered create is only searched for: the search lags behind, mostly by seconds. */
  readonly settleMs?: number;
  /** Milliseconds before the second search that precedes every create. */
  readonly secondLookMs?: number;
}

const summaryLimit = 255;
/** Leaves room, so that what follows the text is never cut off. */
const longestDescription = 28_000;
const ownLabel = 'firebreak';
type Fields = Readonly<Record<string, FieldTemplate>>;

// A web page is not an answer, for example while the site is suspended or a proxy is in front of it.
const isComment = (answer: unknown): boolean => textAt(answer, 'id') !== '';
/** 204, without a body. */
const isDone = (answer: unknown): boolean => answer === '' || answer === undefined;
const isIssue = (answer: unknown): boolean => textAt(answer, 'key') !== '';
/** `errors` names the fields; its texts may contain what was sent. https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#status-codes */
const fieldsIn = (answer: unknown): readonly string[] => Object.keys(objectAt(answer, 'errors'));
const reasons = {
  400: 'the content is not accepted: check tickets.jira against the screen of the issue type',
  401: 'the credentials are not valid: check tickets.jira.email and token, which may have expired',
};

const defaultFields: Fields = { summary: '{{title}}', description: '{{body}}' };

/** Jira rejects blanks in labels, and more than 255 characters. */
function labelOf(text: string): string {
  return oneLine(text, 100).replaceAll(/[\s"\\]+/g, '_');
}

/** Jira Cloud, REST API v3. One issue per key, which is one of its labels. https://developer.atlassian.com/cloud/jira/platform/rest/v3/ */
class JiraTickets implements ReferencedSystem {
  readonly name = 'jira';
  readonly #options: JiraTicketsOptions;
  readonly #api: JsonApi;

  constructor(options: JiraTicketsOptions) {
    this.#options = options;
    this.#api = new JsonApi({
      name: 'Jira',
      baseUrl: options.apiUrl ?? options.url,
      headers: { Authorization: `Basic ${Buffer.from(`${options.email}:${options.token}`).toString('base64')}` },
      timeoutMs: options.timeoutMs ?? 5_000,
      reasons,
      fieldsIn,
    });
  }

  async comment({ id, key, text, thread }: TicketComment, signal: AbortSignal): Promise<void> {
    const path = `${issuePath(id)}/comment`;
    const mark = `[${referenceOf(key)}]`;
    const query = { orderBy: '-created', maxResults: '100' };
    const known = await this.#api.call({ method: 'GET', path, query, expects: hasListAt('comments'), signal });
    if (listAt(known, 'comments').some((comment) => isObject(comment) && textOfAdf(comment.body).includes(mark))) return;
    await this.#api.call({
      method: 'POST',
      path,
      body: { body: adfOf(text, { addresses: threadAddress(thread), last: [mark] }) },
      expects: isComment,
      signal,
    });
  }

  async find(label: string, signal: AbortSignal): Promise<readonly FoundTicket[]> {
    const body = {
      jql: `project = "${this.#options.project}" AND labels = "${label}" ORDER BY created ASC`,
      // Without this the answer contains only ids.
      fields: ['labels', 'status', 'created'],
      maxResults: 50,
    };
    const answer = await this.#api.call({
      method: 'POST',
      path: '/rest/api/3/search/jql',
      body,
      expects: hasListAt('issues'),
      signal,
    });
    return listAt(answer, 'issues')
      .filter((issue) => listAt(objectAt(issue, 'fields'), 'labels').includes(label))
      .map((issue) => this.#found(issue))
      .toSorted((a, b) => numberOfKey(a.id) - numberOfKey(b.id));
  }

  async create(request: TicketRequest, label: string, signal: AbortSignal): Promise<FoundTicket> {
    const body = { fields: this.#fieldsOf(request, label) };
    const answer = await this.#api.call({ method: 'POST', path: '/rest/api/3/issue', body, expects: isIssue, signal });
    const id = textAt(answer, 'key');
    return { id, url: this.#urlOf(id), open: true };
  }

  #fieldsOf(request: TicketRequest, label: string): Readonly<Record<string, unknown>> {
    const values = templateValues(request);
    const { summary, description, labels, ...others }: Fields = { ...defaultFields, ...this.#options.fields };
    const own = Array.isArray(labels) ? labels.map((item) => String(fillField(item, values))) : [];
    const { facts, addresses, ids } = ticketFrame(request);
    const text = cutText(fillTemplate(String(description), values), longestDescription);
    return {
      ...Object.fromEntries(Object.entries(others).map(([name, template]) => [name, fillField(template, values)])),
      project: { key: this.#options.project },
      issuetype: { name: this.#options.issueType },
      summary: oneLine(fillTemplate(String(summary), values), summaryLimit) || 'Incident',
      description: adfOf(`${text}\n\n${facts.join('\n')}`, { addresses, last: [ids] }),
      labels: [...new Set([ownLabel, label, ...[...request.labels, ...own].map(labelOf).filter((text) => text !== '')])],
    };
  }

  #issue(id: string, fields: string, signal: AbortSignal): Promise<unknown> {
    return this.#api.call({ method: 'GET', path: issuePath(id), query: { fields }, expects: isIssue, signal });
  }

  /** Reading by issue key does not lag. In a project whose screen drops labels, the issue would never be found again. */
  async confirm(id: string, label: string, signal: AbortSignal): Promise<FoundTicket> {
    const issue = await this.#issue(id, 'labels,status', signal);
    if (!listAt(objectAt(issue, 'fields'), 'labels').includes(label))
      throw new FirebreakError('FB_ERR_REFUSED', `${id} was not saved as written: its label ${label} is missing`);
    return this.#found(issue);
  }

  /** A comment names the issue that a duplicate repeats; people read about the other reasons in the thread. */
  async finish(id: string, how: FinishReason, notes: string, signal: AbortSignal): Promise<void> {
    if (how === 'duplicate') await this.comment({ id, key: `double/${id}`, text: notes }, signal);
    const path = `${issuePath(id)}/transitions`;
    const issue = await this.#issue(id, 'status', signal);
    if (!this.#found(issue).open) return;
    const answer = await this.#api.call({
      method: 'GET',
      path,
      query: { expand: 'transitions.fields' },
      expects: hasListAt('transitions'),
      signal,
    });
    const body = doneTransition(listAt(answer, 'transitions'), { status: this.#options.doneStatus, how });
    if (!body) throw new FirebreakError('FB_ERR_REFUSED', `the workflow of ${id} has no transition to a status that is done`);
    await this.#api.call({ method: 'POST', path, body, expects: isDone, signal });
  }

  #found(issue: unknown): FoundTicket {
    const id = textAt(issue, 'key');
    const category = textAt(objectAt(issue, 'fields', 'status', 'statusCategory'), 'key');
    return { id, url: this.#urlOf(id), open: category !== 'done' };
  }

  #urlOf(id: string): string {
    return `${this.#options.url.replace(/\/+$/, '')}/browse/${id}`;
  }
}

function issuePath(id: string): string {
  if (!/^[A-Z][A-Z0-9_]{1,254}-\d{1,12}$/.test(id)) throw new FirebreakError('FB_ERR_NOT_FOUND', 'not the key of an issue');
  return `/rest/api/3/issue/${id}`;
}

function numberOfKey(key: string): number {
  return Number(key.slice(key.lastIndexOf('-') + 1));
}

/**
 * Tickets as issues of one Jira Cloud project.
 * @throws FB_ERR_REFUSED (from `open`) if the project's screen has no labels, or a field is not accepted.
 */
export function createJiraTickets(options: JiraTicketsOptions): TicketSystem {
  return referencedTickets(new JiraTickets(options), {
    memory: options.memory,
    time: options.time,
    settleMs: options.settleMs ?? 300_000,
    looks: { beforeCreate: [options.secondLookMs ?? 2_000], afterSilence: [500, 1_500, 3_000] },
  });
}

/** Names that sites give to resolutions, in the order in which they are tried. */
const resolutions = {
  completed: ['Done', 'Fixed', 'Resolved'],
  notPlanned: ["Won't Do", "Won't Fix", 'Declined', 'Done'],
  duplicate: ['Duplicate', "Won't Do", 'Done'],
} as const satisfies Readonly<Record<FinishReason, readonly string[]>>;

/**
 * The body of the transition that closes an issue: to `status` if that is configured, else to any status whose category is done. The workflow's screen may
 * require a resolution. Undefined: there is no such transition from the issue's current status.
 */
function doneTransition(
  transitions: readonly unknown[],
  { status, how }: { readonly status: string | undefined; readonly how: FinishReason },
): unknown {
  const done = transitions.filter((transition) => textAt(objectAt(transition, 'to', 'statusCategory'), 'key') === 'done');
  const chosen =
    status === undefined ? done[0] : done.find((transition) => textAt(objectAt(transition, 'to'), 'name') === status);
  if (!isObject(chosen)) return undefined;
  const field = objectAt(chosen, 'fields', 'resolution');
  const allowed = listAt(field, 'allowedValues').map((value) => textAt(value, 'name'));
  const name = resolutions[how].find((wanted) => allowed.includes(wanted)) ?? allowed[0];
  return {
    transition: { id: textAt(chosen, 'id') },
    ...(name === undefined ? {} : { fields: { resolution: { name } } }),
  };
}
