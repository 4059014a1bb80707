import type { Severity } from '../../core/alert/severity.ts';
import { cutText, oneLine, visibleText } from '../../core/text/visible-text.ts';
import type { Page, PageRef, Pager } from '../../core/tickets/paging.ts';
import { fillTemplate, type TemplateValues } from '../../core/tickets/template.ts';
import { referenceOf, templateValues } from '../../core/tickets/ticket.ts';
import { JsonApi, textAt } from '../json-api.ts';

interface PagerDutyOptions {
  /** Integration key of an Events API v2 integration: 32 characters. */
  readonly routingKey: string;
  /** Group of the roster → another integration's key. Others use `routingKey`. */
  readonly groupKeys?: Readonly<Record<string, string>>;
  /** EU accounts have `https://events.eu.pagerduty.com`. */
  readonly apiUrl?: string;
  readonly summary?: string;
  readonly timeoutMs?: number;
}

const severities: Readonly<Record<Severity, 'critical' | 'error' | 'warning' | 'info'>> = {
  critical: 'critical',
  high: 'error',
  medium: 'warning',
  low: 'warning',
  info: 'info',
  unknown: 'warning',
};

/**
 * An accepted event returns 202 with this; any other 2xx, for example a proxy's page, has called nobody.
 * https://developer.pagerduty.com/docs/events-api-v2-overview#response-codes--retry-logic
 */
const isAccepted = (answer: unknown): boolean => textAt(answer, 'status') === 'success';

/**
 * PagerDuty by Events API v2. The `dedup_key` is derived from the page's key: events sent twice are one alert, as long as it is open.
 * https://developer.pagerduty.com/docs/send-alert-event
 */
export function createPagerDuty(options: PagerDutyOptions): Pager {
  const api = new JsonApi({
    name: 'PagerDuty',
    baseUrl: options.apiUrl ?? 'https://events.pagerduty.com',
    headers: {},
    timeoutMs: options.timeoutMs ?? 5_000,
    reasons: { 400: 'the routing key is not valid, or the event is not accepted: check paging.pagerduty' },
  });
  const keyOf = (group: string): string => options.groupKeys?.[group] ?? options.routingKey;
  const send = (body: unknown, signal: AbortSignal) =>
    api.call({ method: 'POST', path: '/v2/enqueue', body, expects: isAccepted, signal });

  const update = async (action: 'acknowledge' | 'resolve', { key, groups }: PageRef, signal: AbortSignal): Promise<void> => {
    // PagerDuty drops an event on an alert that does not exist, so the event is sent to each key.
    for (const routing_key of new Set(groups.map(keyOf)))
      await send({ routing_key, event_action: action, dedup_key: referenceOf(key) }, signal);
  };

  return {
    name: 'pagerduty',
    page: async (page, signal) => {
      await send(
        {
          routing_key: keyOf(page.group),
          event_action: 'trigger',
          dedup_key: referenceOf(page.key),
          client: 'Firebreak',
          ...(page.thread === undefined ? {} : { links: [{ href: page.thread, text: 'Slack thread' }] }),
          payload: {
            summary: oneLine(fillTemplate(options.summary ?? '{{title}}', valuesOf(page)), 1_024),
            severity: severities[page.incident.severity],
            source: oneLine(page.incident.title, 255) || page.incident.cluster,
            component: oneLine(page.incident.cluster, 255),
            class: 'runtime security',
            custom_details: {
              ...Object.fromEntries(
                Object.entries(page.details).map(([name, text]) => [name, cutText(visibleText(text), 4_000)]),
              ),
              incident: page.incident.id,
              run: page.incident.run,
              asked: page.group,
            },
          },
        },
        signal,
      );
    },
    acknowledge: (page, signal) => update('acknowledge', page, signal),
    resolve: (page, signal) => update('resolve', page, signal),
  };
}

function valuesOf({ incident, summary, details }: Page): TemplateValues {
  const title = `${incident.severity}: ${summary}`;
  return templateValues({ incident, title, body: Object.values(details).join('\n'), severity: incident.severity });
}
