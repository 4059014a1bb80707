import { entriesPage } from '../rest/page.ts';
import {
  type Fields,
  fieldsOf,
  isFields,
  type RestAnswer,
  type RestFake,
  type RestRequest,
  startRestFake,
} from '../rest/server.ts';

interface PagerDutyFakeOptions {
  /** Valid integration keys. */
  readonly routingKeys: readonly string[];
  readonly port?: number;
}

interface FakeAlert {
  readonly routingKey: string;
  readonly dedupKey: string;
  status: 'triggered' | 'acknowledged' | 'resolved';
  /** All trigger events of this alert. */
  readonly triggers: Fields[];
}

export interface PagerDutyFake extends RestFake {
  readonly alerts: readonly FakeAlert[];
}

const actions = ['trigger', 'acknowledge', 'resolve'];
const severities = ['critical', 'error', 'warning', 'info'];

function problem(errors: readonly string[]): RestAnswer {
  return { status: 400, body: { status: 'invalid event', message: 'Event object is invalid', errors } };
}

/** Calls per minute and integration key, over a sliding window. https://developer.pagerduty.com/docs/events-api-rate-limits */
const callsAMinute = 120;
const minuteMs = 60_000;

/** What the documentation calls invalid. https://developer.pagerduty.com/docs/send-alert-event */
function eventErrors(event: Fields): readonly string[] {
  const { routing_key: key, event_action: action, dedup_key: dedup, payload, links, images } = event;
  const errors: string[] = [];
  if (typeof key !== 'string') errors.push("'routing_key' is missing or blank");
  else if (key.length !== 32) errors.push("Length of 'routing_key' is incorrect (should be 32 characters)");
  if (!actions.includes(String(action))) errors.push("'event_action' is invalid (must be one of trigger, acknowledge, resolve)");
  if (dedup !== undefined && (typeof dedup !== 'string' || dedup.length > 255))
    errors.push("'dedup_key' is too long (maximum is 255 characters)");
  if (action !== 'trigger' && !dedup) errors.push("'dedup_key' is missing or blank");
  if (action === 'trigger') errors.push(...payloadErrors(payload));
  if (links !== undefined && !Array.isArray(links)) errors.push("'links' must be a list");
  if (images !== undefined && !Array.isArray(images)) errors.push("'images' must be a list");
  for (const link of Array.isArray(links) ? links : [])
    if (!isFields(link) || typeof link.href !== 'string') errors.push("'links' must have an href");
  for (const image of Array.isArray(images) ? images : [])
    if (!isFields(image) || typeof image.src !== 'string' || !image.src.startsWith('https://'))
      errors.push("'images' must be served by https");
  return errors;
}

function payloadErrors(payload: unknown): readonly string[] {
  if (!isFields(payload)) return ["'payload' is missing or blank"];
  const errors: string[] = [];
  const { summary, source, severity, custom_details: details, timestamp } = payload;
  if (typeof summary !== 'string' || summary === '') errors.push("'payload.summary' is missing or blank");
  else if (summary.length > 1_024) errors.push("'payload.summary' is too long (maximum is 1024 characters)");
  if (typeof source !== 'string' || source === '') errors.push("'payload.source' is missing or blank");
  if (!severities.includes(String(severity)))
    errors.push("'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')");
  for (const name of ['component', 'group', 'class'])
    if (payload[name] !== undefined && typeof payload[name] !== 'string') errors.push(`'payload.${name}' must be a text`);
  if (details !== undefined && !isFields(details)) errors.push("'payload.custom_details' must be an object");
  if (timestamp !== undefined && Number.isNaN(Date.parse(String(timestamp)))) errors.push("'payload.timestamp' is not a time");
  return errors;
}

/** A strict stand-in for PagerDuty's Events API v2, with the alerts that the events create. */
export async function startPagerDutyFake(options: PagerDutyFakeOptions): Promise<PagerDutyFake> {
  const alerts: FakeAlert[] = [];
  const taken: { readonly key: string; readonly at: number }[] = [];
  let made = 0;

  const isLimited = (key: string): boolean => {
    const since = Date.now() - minuteMs;
    const calls = taken.filter((call) => call.key === key && call.at > since).length;
    if (calls < callsAMinute) taken.push({ key, at: Date.now() });
    return calls >= callsAMinute;
  };

  const answer = ({ method, url, headers, text }: RestRequest): RestAnswer => {
    if (url.pathname !== '/v2/enqueue' || method !== 'POST') return { status: 404, body: { status: 'not found' } };
    if (!headers['content-type']?.startsWith('application/json')) return { status: 415, body: { status: 'unsupported' } };
    if (Buffer.byteLength(text) > 524_288) return { status: 413, body: { status: 'too large' } };
    const event = fieldsOf(text);
    if (!event)
      return {
        status: 400,
        body: { status: 'Unrecognized object', message: 'Event object format is unrecognized', errors: ['JSON parse error'] },
      };
    if (isLimited(String(event.routing_key)))
      return { status: 429, body: { status: 'throttle exceeded', message: 'Request Limit Exceeded' } };
    const errors = eventErrors(event);
    if (errors.length > 0) return problem(errors);
    const routingKey = String(event.routing_key);
    if (!options.routingKeys.includes(routingKey)) return problem(['The routing key is not valid']);
    made += 1;
    const dedupKey = typeof event.dedup_key === 'string' ? event.dedup_key : `made-${made}`;
    take(routingKey, dedupKey, event);
    return { status: 202, body: { status: 'success', message: 'Event processed', dedup_key: dedupKey } };
  };

  /** An open alert with this key on this integration receives the event; without one, a trigger creates it, and everything else is dropped. */
  const take = (routingKey: string, dedupKey: string, event: Fields): void => {
    const open = alerts.find(
      (alert) => alert.routingKey === routingKey && alert.dedupKey === dedupKey && alert.status !== 'resolved',
    );
    if (event.event_action === 'trigger') {
      if (open) open.triggers.push(event);
      else alerts.push({ routingKey, dedupKey, status: 'triggered', triggers: [event] });
    } else if (open) open.status = event.event_action === 'resolve' ? 'resolved' : 'acknowledged';
  };

  const fake = await startRestFake({
    answer,
    failure: (status) => ({ status: 'error', message: `Injected ${status}` }),
    page: () =>
      entriesPage(
        'PagerDuty: alerts',
        alerts.toReversed().map(({ dedupKey, status, triggers }) => ({
          title: summaryOf(triggers[0]),
          state: status,
          open: status !== 'resolved',
          facts: [dedupKey, `${triggers.length} triggers`],
          texts: triggers.map((trigger) => JSON.stringify(trigger.payload, null, 2)),
        })),
      ),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return { ...fake, alerts };
}

function summaryOf(event: Fields | undefined): string {
  return isFields(event?.payload) ? String(event.payload.summary) : '';
}
