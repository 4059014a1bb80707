import { FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { cutText, oneLine, visibleText } from '../../core/text/visible-text.ts';
import type { FoundTicket, TicketMemory } from '../../core/tickets/one-ticket.ts';
import { fillTemplate } from '../../core/tickets/template.ts';
import {
  referenceOf,
  type TicketComment,
  type TicketRequest,
  type TicketSystem,
  templateValues,
} from '../../core/tickets/ticket.ts';
import { addressLine, threadAddress, ticketFrame } from '../../core/tickets/ticket-frame.ts';
import { hasListAt, JsonApi, listAt, objectAt, textAt } from '../json-api.ts';
import { type FinishReason, type ReferencedSystem, referencedTickets } from '../referenced-tickets.ts';
import type { TicketTime } from '../ticket-time.ts';

export interface ServiceNowTicketsOptions {
  /** `https://INSTANCE.service-now.com`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly table?: string;
  /** Column → template. `short_description` and `description` have defaults. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Value of `state` that means resolved; the instance may use another. */
  readonly resolvedState?: string;
  /** Values of `close_code`, which each instance defines. */
  readonly closeCodes?: { readonly completed?: string; readonly notPlanned?: string; readonly duplicate?: string };
  readonly timeoutMs?: number;
  readonly memory?: TicketMemory;
  readonly time?: TicketTime;
  /** How long an unanswered create is only searched for: it may still be running at the instance. */
  readonly settleMs?: number;
}

const columns = 'sys_id,number,correlation_id,state,active,sys_created_on';
const closedStates: ReadonlySet<string> = new Set(['6', '7', '8']);
const journalLimit = 30_000;

/** What the instance's own statuses mean, beyond the usual. IBM's list of them is the documentation's: KB0546297 is ServiceNow's. */
const reasons = {
  400: 'the table does not exist there, or the content is not accepted: check tickets.servicenow.table and fields',
  403: 'the account may not do this, or a data policy or business rule of the instance forbids it: check its role and closeCodes',
};

/**
 * A transaction that a quota rule ends returns 200 with an error, complete or cut off.
 * https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB1297438
 */
const isAnswer = (answer: unknown): boolean => isObject(answer) && !('error' in answer);
const hasRecord = (answer: unknown): boolean => isAnswer(answer) && textAt(objectAt(answer, 'result'), 'sys_id') !== '';
const hasList = (answer: unknown): boolean => isAnswer(answer) && hasListAt('result')(answer);

/** ServiceNow renders the content of `[code]` as HTML: breaking up the word prevents it. */
function withoutMarkup(text: string): string {
  return visibleText(text).replaceAll(/\[(\/?)(code)\]/gi, '[\u2060$1$2]');
}

function threadLines(thread: string | undefined): readonly string[] {
  return threadAddress(thread).map(addressLine);
}

/**
 * ServiceNow, Table API. One record per key, which is its `correlation_id`.
 * https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
 */
class ServiceNowTickets implements ReferencedSystem {
  readonly name = 'servicenow';
  readonly #options: ServiceNowTicketsOptions;
  readonly #api: JsonApi;
  readonly #path: string;

  constructor(options: ServiceNowTicketsOptions) {
    this.#options = options;
    this.#path = `/api/now/table/${options.table ?? 'incident'}`;
    this.#api = new JsonApi({
      name: 'ServiceNow',
      baseUrl: options.url,
      headers: { Authorization: `Basic ${Buffer.from(`${options.user}:${options.password}`).toString('base64')}` },
      timeoutMs: options.timeoutMs ?? 5_000,
      reasons,
    });
  }

  /** As a work note: for the people who work on the ticket, not for its “caller”. */
  async comment({ id, key, text, thread }: TicketComment, signal: AbortSignal): Promise<void> {
    const path = this.#recordPath(id);
    const mark = `[${referenceOf(key)}]`;
    if (await this.#hasNote(path, mark, signal)) return;
    const body = { work_notes: [cutText(withoutMarkup(text), journalLimit), ...threadLines(thread), mark].join('\n\n') };
    await this.#api.call({ method: 'PATCH', path, query: { sysparm_fields: 'sys_id' }, body, expects: hasRecord, signal });
    // A column that the account may not write is dropped silently.
    if (!(await this.#hasNote(path, mark, signal)))
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        'the comment was not saved: the account may not write work_notes, or may not read them',
      );
  }

  /** With display values, a journal field contains all its entries. */
  async #hasNote(path: string, mark: string, signal: AbortSignal): Promise<boolean> {
    const query = { sysparm_fields: 'sys_id,work_notes', sysparm_display_value: 'true' };
    const known = await this.#api.call({ method: 'GET', path, query, expects: hasRecord, signal });
    return textAt(objectAt(known, 'result'), 'work_notes').includes(mark);
  }

  async find(reference: string, signal: AbortSignal): Promise<readonly FoundTicket[]> {
    const answer = await this.#api.call({
      method: 'GET',
      path: this.#path,
      query: {
        sysparm_query: `correlation_id=${reference}^ORDERBYsys_created_on`,
        sysparm_fields: columns,
        sysparm_limit: '50',
        sysparm_exclude_reference_link: 'true',
      },
      expects: hasList,
      signal,
    });
    // A query on a column that the table does not have returns every record.
    return listAt(answer, 'result')
      .filter((record) => textAt(record, 'correlation_id') === reference)
      .map((record) => this.#found(record));
  }

  async create(request: TicketRequest, reference: string, signal: AbortSignal): Promise<FoundTicket> {
    const answer = await this.#api.call({
      method: 'POST',
      path: this.#path,
      query: { sysparm_fields: columns, sysparm_exclude_reference_link: 'true' },
      body: this.#fieldsOf(request, reference),
      expects: hasRecord,
      signal,
    });
    return this.#found(objectAt(answer, 'result'));
  }

  #fieldsOf(request: TicketRequest, reference: string): Readonly<Record<string, string>> {
    const values = templateValues(request);
    const fields: Readonly<Record<string, string>> = this.#options.fields ?? {};
    const { short_description = '{{title}}', description = '{{body}}', ...others } = fields;
    const { facts, addresses, ids } = ticketFrame(request);
    const below = [facts.join('\n'), addresses.map(addressLine).join('\n'), ids].filter((text) => text !== '').join('\n\n');
    return {
      ...Object.fromEntries(Object.entries(others).map(([name, text]) => [name, withoutMarkup(fillTemplate(text, values))])),
      // The instance silently truncates longer texts.
      short_description: oneLine(withoutMarkup(fillTemplate(short_description, values)), 160) || 'Incident',
      description: `${cutText(withoutMarkup(fillTemplate(description, values)), 4_000 - below.length - 2)}\n\n${below}`,
      correlation_id: reference,
      correlation_display: 'Firebreak',
    };
  }

  /** Columns that the account may not write are dropped silently: without its correlation id the record would never be found again. */
  async confirm(id: string, reference: string, signal: AbortSignal): Promise<FoundTicket> {
    const answer = await this.#api.call({
      method: 'GET',
      path: this.#recordPath(id),
      query: { sysparm_fields: columns, sysparm_exclude_reference_link: 'true' },
      expects: hasRecord,
      signal,
    });
    const record = objectAt(answer, 'result');
    if (textAt(record, 'correlation_id') !== reference)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        'the record was not saved as written: the account may not set correlation_id, or may not read it',
      );
    return this.#found(record);
  }

  async finish(id: string, how: FinishReason, notes: string, signal: AbortSignal): Promise<void> {
    const path = this.#recordPath(id);
    const query = { sysparm_fields: columns };
    const answer = await this.#api.call({ method: 'GET', path, query, expects: hasRecord, signal });
    if (!this.#found(objectAt(answer, 'result')).open) return;
    const codes = {
      completed: 'Solution provided',
      notPlanned: 'No resolution provided',
      duplicate: 'Duplicate',
      ...this.#options.closeCodes,
    };
    const body = {
      state: this.#options.resolvedState ?? '6',
      close_code: codes[how],
      close_notes: cutText(withoutMarkup(notes), 4_000),
    };
    const closed = await this.#api.call({ method: 'PATCH', path, query, body, expects: hasRecord, signal });
    if (this.#found(objectAt(closed, 'result')).open)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        'the record was not closed: the account may not set state, or resolvedState is not a state of the table',
      );
  }

  #found(record: unknown): FoundTicket {
    const id = textAt(record, 'sys_id');
    const state = textAt(record, 'state');
    const table = this.#options.table ?? 'incident';
    return {
      id,
      url: `${this.#options.url.replace(/\/+$/, '')}/nav_to.do?uri=${encodeURIComponent(`${table}.do?sys_id=${id}`)}`,
      open: !closedStates.has(state) && state !== this.#options.resolvedState && textAt(record, 'active') !== 'false',
    };
  }

  #recordPath(id: string): string {
    if (!/^[0-9a-f]{32}$/.test(id)) throw new FirebreakError('FB_ERR_NOT_FOUND', 'not the sys_id of a record');
    return `${this.#path}/${id}`;
  }
}

/**
 * Tickets as records of one ServiceNow table, `incident` by default.
 * @throws FB_ERR_REFUSED (from `open`) if the account may not set `correlation_id`, or a data policy forbids it.
 */
export function createServiceNowTickets(options: ServiceNowTicketsOptions): TicketSystem {
  return referencedTickets(new ServiceNowTickets(options), {
    memory: options.memory,
    time: options.time,
    settleMs: options.settleMs ?? 60_000,
    looks: { beforeCreate: [], afterSilence: [0, 500, 1_500] },
  });
}
