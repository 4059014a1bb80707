import type { Severity } from '../alert/severity.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { wholeText } from '../text/plain-text.ts';
import { redactSecrets } from '../text/redact.ts';

/** A page that wakes people. Texts are plain and contain what attackers wrote. */
export interface Page {
  /** The same key means the same page: an open one is only added to. */
  readonly key: string;
  /** How often this page has called before, so that a later call is not taken for a repetition of an earlier one. */
  readonly nth: number;
  /** The roster group that is called; the paging system knows who is on call at this hour. */
  readonly group: string;
  readonly incident: IncidentRef & { readonly title: string; readonly severity: Severity; readonly cluster: string };
  /** Id of the question that calls, or of the standing one about what was renewed; absent if nothing is asked. */
  readonly question?: string;
  /** What the person who is woken is asked to do, in one line. */
  readonly summary: string;
  readonly details: Readonly<Record<string, string>>;
  /** URL of the incident's Slack thread, if there is one: sent unchanged. */
  readonly thread?: string;
}

export interface PageRef {
  readonly key: string;
  readonly nth: number;
  /** The groups that were called under this key. */
  readonly groups: readonly string[];
}

/** Calls people. Every call is idempotent by key, and throws FB_ERR_UNAVAILABLE (retry), FB_ERR_REFUSED (do not). */
export interface Pager {
  readonly name: string;
  page(page: Page, signal: AbortSignal): Promise<void>;
  /** Somebody is working on it: nobody else is woken. */
  acknowledge(page: PageRef, signal: AbortSignal): Promise<void>;
  resolve(page: PageRef, signal: AbortSignal): Promise<void>;
}

/** Identifies a page of the incident: `nth` of its first call. */
export interface PageBegan {
  readonly began: number;
}

/** An incident has one page at a time, however often it calls. A call after its end opens a new page, so a repeated end of the old one ends nothing. */
export function pageKeyOf({ id, run }: IncidentRef, { began }: PageBegan): string {
  return `page/${id}@${run}/${began}`;
}

/** Wraps a pager so that it never receives a known shape of a secret. */
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

/** A page as people read it: the engine's names and times in words. Text to be typed (`answer`) stays as it is. */
export function pageInWords<T extends Pick<Page, 'summary' | 'details'>>(page: T): T {
  const details = Object.entries(page.details).map(([name, text]) => [name, name === 'answer' ? text : wholeText(text)]);
  return { ...page, summary: wholeText(page.summary), details: Object.fromEntries(details) };
}
