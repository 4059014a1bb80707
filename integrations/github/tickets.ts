import { LRUCache } from 'lru-cache';
import { FirebreakError } from '../../core/errors.ts';
import { visibleText } from '../../core/text/visible-text.ts';
import { fillTemplate } from '../../core/tickets/template.ts';
import {
  begunAt,
  type Ticket,
  type TicketClosing,
  type TicketComment,
  type TicketRequest,
  type TicketSystem,
  templateValues,
} from '../../core/tickets/ticket.ts';
import { addressLine, type TicketAddress, threadAddress, ticketFrame } from '../../core/tickets/ticket-frame.ts';
import { OutcomeUnknown } from '../json-api.ts';
import { realTime, type TicketTime } from '../ticket-time.ts';
import { GithubApi } from './api.ts';
import { checkRepository, hasComment, type Issue, IssueList, markerOf, ticketLabel, toIssue } from './issues.ts';

export interface GithubTicketsOptions {
  /** `owner/name` of a private repository. */
  readonly repository: string;
  readonly token: string;
  readonly apiUrl?: string;
  /** Templates; the defaults are what the playbook wrote. */
  readonly fields?: { readonly title?: string; readonly body?: string };
  /** Timeout per call. */
  readonly timeoutMs?: number;
  /** How long an unanswered create is only searched for, not repeated. The list may lag behind. */
  readonly settleMs?: number;
  readonly time?: TicketTime;
}

const repositoryCheckMs = 300_000;
const rememberedTickets = 1_000;
/** An issue is still considered if GitHub dates it up to this long before its incident began: its clock may differ. */
const clocksApartMs = 10 * 60_000;

type Sought = Parameters<IssueList['find']>[0];

const bodyLimit = 60_000;

function ticketBody(request: TicketRequest): string {
  const text = escapeMarkdown(request.body);
  const shown =
    text.length <= bodyLimit ? text : `${text.slice(0, bodyLimit).replace(/\\+$/, '')}\n\n(cut: too long for a ticket)`;
  const { facts, addresses, ids } = ticketFrame(request);
  const below = [facts.map(escapeMarkdown).join('\n'), ...linkLines(addresses), escapeMarkdown(ids)];
  return [`${markerOf(request.key)}\n${shown}`, '---', ...below].join('\n\n');
}

/** Added next to the escaped text, which has no links. */
function linkLines(addresses: readonly TicketAddress[]): readonly string[] {
  return addresses.map(({ name, url }) => addressLine({ name, url: `<${url}>` }));
}

function ticketLabels(labels: readonly string[]): string[] {
  const clean = labels.map((label) => label.replaceAll(',', ' ').trim().slice(0, 50)).filter((label) => label !== '');
  return [...new Set([ticketLabel, ...clean])];
}

/** GitHub Issues as a ticket system. One issue per key: found again by a hidden marker, even if an answer was lost. */
class GithubTickets implements TicketSystem {
  readonly name = 'github';
  readonly #api: GithubApi;
  readonly #issues: IssueList;
  readonly #repository: string;
  readonly #fields: { readonly title?: string; readonly body?: string };
  readonly #settleMs: number;
  readonly #time: TicketTime;
  readonly #running = new Map<string, Promise<Ticket>>();
  /** Key → when its create was sent and not answered. */
  readonly #unanswered = new Map<string, number>();
  /** Key → issue number, for recent tickets: the list may lag, the issue itself does not. */
  readonly #numbers = new LRUCache<string, number>({ max: rememberedTickets });
  #checkedAt = 0;

  constructor(options: GithubTicketsOptions) {
    this.#repository = options.repository;
    this.#fields = options.fields ?? {};
    this.#settleMs = options.settleMs ?? 60_000;
    this.#time = options.time ?? realTime;
    this.#api = new GithubApi({
      token: options.token,
      apiUrl: options.apiUrl ?? 'https://api.github.com',
      timeoutMs: options.timeoutMs ?? 5_000,
    });
    const lagMs = 2 * this.#settleMs;
    this.#issues = new IssueList({ api: this.#api, repository: options.repository, lagMs });
  }

  open(request: TicketRequest, signal: AbortSignal): Promise<Ticket> {
    const running = this.#running.get(request.key);
    if (running) return running;
    const opening = this.#open(request, signal).finally(() => this.#running.delete(request.key));
    this.#running.set(request.key, opening);
    return opening;
  }

  look(signal: AbortSignal): Promise<void> {
    return this.#checkRepository(signal);
  }

  async comment({ id, key, text, thread }: TicketComment, signal: AbortSignal): Promise<void> {
    const path = this.#issuePath(id);
    await this.#checkRepository(signal);
    if (await hasComment(this.#api, path, key, signal)) return;
    const body = `${markerOf(key)}\n${escapeMarkdown(text).slice(0, bodyLimit)}${linkLines(threadAddress(thread))
      .map((line) => `\n\n${line}`)
      .join('')}`;
    await this.#api.call({ method: 'POST', path: `${path}/comments`, body: { body }, signal });
  }

  async close({ id, reason, openedUnder }: TicketClosing, signal: AbortSignal): Promise<void> {
    if (openedUnder !== undefined) await this.#find({ key: openedUnder, signal });
    await this.#api.call({
      method: 'PATCH',
      path: this.#issuePath(id),
      body: { state: 'closed', state_reason: reason },
      signal,
    });
  }

  async #open(request: TicketRequest, signal: AbortSignal): Promise<Ticket> {
    await this.#checkRepository(signal);
    const number = this.#numbers.get(request.key);
    if (number !== undefined) return this.#confirm({ key: request.key, number, state: 'existing', signal });
    const begun = begunAt(request.incident);
    const sought = { key: request.key, signal, ...(begun !== undefined && { since: begun - clocksApartMs }) };
    const existing = await this.#find(sought);
    if (existing) return this.#known(request.key, existing, 'existing');
    const sentAt = this.#unanswered.get(request.key);
    if (sentAt !== undefined && this.#time.now() - sentAt < this.#settleMs) return { state: 'ambiguous' };
    let created: Issue | undefined;
    try {
      const { data } = await this.#api.call({
        method: 'POST',
        path: `/repos/${this.#repository}/issues`,
        body: this.#content(request),
        signal,
      });
      created = toIssue(data);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
    }
    if (!created) return this.#lookAgain(sought);
    this.#numbers.set(request.key, created.number);
    return this.#confirm({ key: request.key, number: created.number, state: 'created', signal });
  }

  #content(request: TicketRequest): Readonly<Record<string, unknown>> {
    const { title = '{{title}}', body = '{{body}}' } = this.#fields;
    const values = templateValues(request);
    return {
      title: ticketTitle(fillTemplate(title, values)),
      body: ticketBody({ ...request, body: fillTemplate(body, values) }),
      labels: ticketLabels(request.labels),
    };
  }

  /** Reads the created issue back: without the label it would never be found again. */
  async #confirm(of: {
    readonly key: string;
    readonly number: number;
    readonly state: 'created' | 'existing';
    readonly signal: AbortSignal;
  }): Promise<Ticket> {
    const { data } = await this.#api.call({ method: 'GET', path: this.#issuePath(String(of.number)), signal: of.signal });
    const issue = toIssue(data);
    if (!issue?.body.startsWith(markerOf(of.key)) || !issue.labels.includes(ticketLabel))
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `issue ${of.number} was not saved as written: its label or its marker is missing`,
      );
    return this.#known(of.key, issue, of.state);
  }

  async #lookAgain(sought: Sought): Promise<Ticket> {
    const { key, signal } = sought;
    this.#unanswered.set(key, this.#time.now());
    for (const waitMs of [0, 500, 1_500]) {
      await this.#time.wait(waitMs, signal);
      if (signal.aborted) break;
      try {
        const found = await this.#find(sought);
        if (found) return this.#known(key, found, 'created');
      } catch (error) {
        if (!(error instanceof FirebreakError && error.retryable)) throw error;
      }
    }
    return { state: 'ambiguous' };
  }

  /** The oldest issue with this key. Later ones, created at the same moment by another process, are closed as duplicates. */
  async #find(sought: Sought): Promise<Issue | undefined> {
    const { signal } = sought;
    const [first, ...doubles] = await this.#issues.find(sought);
    for (const double of doubles.filter((issue) => issue.open))
      await this.close({ id: String(double.number), reason: 'not_planned' }, signal);
    return first;
  }

  #known(key: string, issue: Issue, state: 'created' | 'existing'): Ticket {
    this.#unanswered.delete(key);
    this.#numbers.set(key, issue.number);
    return { state, id: String(issue.number), url: issue.url };
  }

  async #checkRepository(signal: AbortSignal): Promise<void> {
    if (Date.now() - this.#checkedAt < repositoryCheckMs) return;
    await checkRepository(this.#api, this.#repository, signal);
    this.#checkedAt = Date.now();
  }

  #issuePath(id: string): string {
    if (!/^\d{1,12}$/.test(id)) throw new FirebreakError('FB_ERR_NOT_FOUND', 'not the number of an issue');
    return `/repos/${this.#repository}/issues/${id}`;
  }
}

/**
 * Tickets as issues of one private repository.
 * @throws FB_ERR_REFUSED (from `open`) if the repository is public, or the token may not set labels.
 */
export function createGithubTickets(options: GithubTicketsOptions): TicketSystem {
  return new GithubTickets(options);
}

/** Inserted after characters that would make GitHub link, mention or notify: invisible, and part of no name (U+2060, word joiner). */
const breaker = '\u2060';

/**
 * Neutralises text that an attacker wrote: no mention, no link, no reference to an issue. GitHub looks for them in the rendered text, so escapes do not help;
 * breaking up the word does. https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
 */
function defang(text: string): string {
  return visibleText(text)
    .replaceAll('@', `@${breaker}`)
    .replaceAll('://', `:${breaker}//`)
    .replaceAll(/\bwww\./gi, (found) => `${found.slice(0, 3)}${breaker}.`)
    .replaceAll(/#(?=\d)/g, `#${breaker}`)
    .replaceAll(/\bGH-(?=\d)/gi, (found) => `${found}${breaker}`);
}

/** Plain text as GitHub Markdown that renders as exactly this text: no HTML, image, list, heading, mention or link. */
export function escapeMarkdown(text: string): string {
  return defang(text)
    .replaceAll(/[\\`*_{}[\]()#+\-!|~$:="']/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/^(\s*\d+)\./gm, '$1\\.')
    .replaceAll(/^[ \t]+/gm, (indent) => '\u00a0'.repeat(indent.length));
}

/** GitHub renders no Markdown in titles except code spans, mentions and references. */
export function ticketTitle(text: string): string {
  const line = defang(text).replaceAll(/\s+/g, ' ').replaceAll('`', '\u02cb').trim();
  const characters = [...line];
  return characters.length <= 240 ? line : `${characters.slice(0, 239).join('')}…`;
}
