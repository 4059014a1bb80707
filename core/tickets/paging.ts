import type { Severity } from '../alert/severity.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { wholeText } from '../text/plain-text.ts';
import { redactSecrets } from '../text/redact.ts';

/** What wakes people. Texts are plain and hold what attackers wrote. */
export interface Page {
  /** The same key is the same page: an open one is only added to. */
  readonly key: string;
  /** How often this page has called before: a later call is no repetition of an earlier one. */
  readonly nth: number;
  /** The group of the roster that is called; who that is at this hour the paging system knows. */
  readonly group: string;
  readonly incident: IncidentRef & { readonly title: string; readonly severity: Severity; readonly cluster: string };
  /** Id of the question that calls, or of the standing one about what was renewed; absent where nothing is asked. */
  readonly question?: string;
  /** What is asked of the one who is woken, in one line. */
  readonly summary: string;
  readonly details: Readonly<Record<string, string>>;
  /** The address of the incident's thread in Slack, where there is one: sent as it is. */
  readonly thread?: string;
}

export interface PageRef {
  readonly key: string;
  readonly nth: number;
  /** Those that were called under this key. */
  readonly groups: readonly string[];
}

/** Calls people. All of it is idempotent by key, and throws FB_ERR_UNAVAILABLE (retry), FB_ERR_REFUSED (do not). */
export interface Pager {
  readonly name: string;
  page(page: Page, signal: AbortSignal): Promise<void>;
  /** Somebody is at it: nobody else is woken. */
  acknowledge(page: PageRef, signal: AbortSignal): Promise<void>;
  resolve(page: PageRef, signal: AbortSignal): Promise<void>;
}

/** Which page of the incident it is: `nth` of its first call. */
export interface PageBegan {
  readonly began: number;
}

/** An incident has one page at a time, however often it calls. What comes after its end is another one: whoever sends that end again ends nothing. */
export function pageKeyOf({ id, run }: IncidentRef, { began }: PageBegan): string {
  return `page/${id}@${run}/${began}`;
}

/** The same pager, which never sees a known shape of a secret. */
export function redactedPager(pager: Pager): Pager {
  return {
    name: pager.name,
    page: (page, signal) =>
      pager.page(
        {
          ...page,
          summary: redactSecrets(page.summary),
          details: Object.fromEntries(Object.entries(page.details).map(([name, text]) => [name, redactSecrets(text)])),
        },
        signal,
      ),
    acknowledge: (page, signal) => pager.acknowledge(page, signal),
    resolve: (page, signal) => pager.resolve(page, signal),
  };
}

/** A page as people read it: what the engine wrote of names and times, in words. What is typed (`answer`) stays as it is. */
export function pageInWords<T extends Pick<Page, 'summary' | 'details'>>(page: T): T {
  const details = Object.entries(page.details).map(([name, text]) => [name, name === 'answer' ? text : wholeText(text)]);
  return { ...page, summary: wholeText(page.summary), details: Object.fromEntries(details) };
}
