import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Sensor } from '../../../core/alert/sensor.ts';
import { systemErrorCode } from '../../../core/system-error.ts';
import { BoundedBodies, type BoundedBody } from '../../../integrations/bounded-bodies.ts';
import { cloudEvents, sensors } from '../../../integrations/sensors/index.ts';
import type { IntakeLog } from '../log.ts';
import type { IntakeMetrics } from '../metrics.ts';
import { largestBody } from '../read/parse.ts';
import { type IntakeAnswer, type ItemAnswer, type Receiver, tooMany } from '../read/receive.ts';
import type { UnauthorizedCounts } from '../watch/unauthorized-requests.ts';
import { unpackBody } from './body.ts';
import type { Admission, Gate } from './gate.ts';
import type { Listener } from './listener.ts';

interface AlertDoorOptions {
  readonly receiver: Receiver;
  readonly gate: Gate;
  readonly listener: Pick<Listener, 'connections'>;
  readonly metrics: IntakeMetrics;
  readonly unauthorized: Pick<UnauthorizedCounts, 'count'>;
  /** Whether the service is stopping and only finishes requests in progress. */
  readonly stopping: () => boolean;
  readonly log: IntakeLog;
}

/** Handles a request if it carries alerts; returns false if another handler has to answer it. */
type AlertDoor = (request: IncomingMessage, response: ServerResponse) => boolean;

type Admitted = Exclude<Admission, { readonly kind: 'refused' }>;

export const retryAfterSeconds = 5;
const tooMuchAtOnce = 'this sender has too much data in flight at once; send it again';

/** For senders identified only by a signature over the body: otherwise anyone claiming to have signed could make us hold 16 MB per connection. */
const unprovenLimits = { atMost: largestBody, inAll: 4 * largestBody, withinMs: 30_000 };

/**
 * The addresses for alerts, directly on Node's server: if senders send one alert per request, a framework's work per request was a fifth of an alert's cost.
 * Nothing that was sent, and no address with a token in it, is ever logged.
 */
export function createAlertDoor(options: AlertDoorOptions): AlertDoor {
  const { receiver, gate, listener, metrics, unauthorized, stopping, log } = options;
  const { connections } = listener;
  const turnAway = (request: IncomingMessage, response: ServerResponse, sensor: Sensor | undefined, reason: string): void => {
    metrics.refused('unauthorized');
    unauthorized.count({ address: request.socket.remoteAddress, sensor: sensor?.name, reason });
    refuse(response, reason);
  };
  const unproven = new BoundedBodies(unprovenLimits);
  const take = async (request: IncomingMessage, response: ServerResponse, call: Call): Promise<void> => {
    const { admission, sensor, bytes } = call;
    const { headers } = request;
    const signed = admission.kind === 'signed' ? gate.verify(bytes, admission.headers) : undefined;
    if (signed?.ok === false) return turnAway(request, response, sensor, signed.reason);
    if (signed !== undefined) connections.prove(request);
    const from = admission.kind === 'sender' ? admission.sender : gate.senders.of(signed?.name ?? '');
    let held = 0;
    const hasRoomFor = (length: number): boolean => {
      if (!from.bodies.hold(length)) return false;
      held += length;
      return true;
    };
    const busy = (): void => {
      signed?.release();
      metrics.refused('rate_limit');
      send(response, 503, { reason: tooMuchAtOnce }, { 'retry-after': String(retryAfterSeconds) });
    };
    try {
      if (!hasRoomFor(bytes.length)) return busy();
      const encoding = headers['content-encoding'];
      const unpacked =
        encoding === undefined ? { ok: true as const, bytes } : await from.unpacking.run(() => unpackBody(bytes, encoding));
      if (!unpacked.ok) {
        metrics.refused('request');
        return send(response, unpacked.status, { reason: unpacked.reason });
      }
      if (unpacked.bytes !== bytes && !hasRoomFor(unpacked.bytes.length)) return busy();
      // At a sensor's own address the headers of an envelope are ignored.
      const mode = sensor === undefined || sensor === cloudEvents ? cloudEventMode(headers['content-type'], headers) : undefined;
      const whose = sensor ?? (mode === undefined ? undefined : cloudEvents);
      const answered = await receiver.receive(unpacked.bytes, {
        from,
        ...(whose && { sensor: whose }),
        ...(mode === 'binary' && { cloudEvent: cloudEventAttributes(headers) }),
      });
      // A request that was not accepted may be sent again unchanged.
      if (answered.status === 503 || answered.status === 429) signed?.release();
      answer(response, answered, from.bucket.retryAfterSeconds);
    } finally {
      from.bodies.release(held);
    }
  };
  return (request, response) => {
    if (request.method !== 'POST' && request.method !== 'PUT') return false;
    const address = addressOf(request.url ?? '');
    if (address === undefined) return false;
    if (stopping()) {
      const again = { 'retry-after': String(retryAfterSeconds), connection: 'close' };
      send(response, 503, { reason: 'the intake is stopping; send it again' }, again);
      return true;
    }
    // Before the body is read, so that a stranger costs nothing.
    const { sensor, token: pathToken } = address;
    const admission = gate.admit({ socket: request.socket, headers: request.headers, pathToken });
    if (admission.kind === 'refused') {
      turnAway(request, response, sensor, admission.reason);
      return true;
    }
    if (admission.kind === 'sender') connections.prove(request);
    if (admission.kind === 'sender' && admission.sender.bucket.isEmpty) {
      metrics.refused('rate_limit');
      const again = { 'retry-after': String(admission.sender.bucket.retryAfterSeconds) };
      send(response, 429, { reason: tooMany }, again);
      return true;
    }
    const bodyRead = (body: BoundedBody): void => {
      if (!body.ok) {
        const reason =
          body.status === 413 ? `a body may have at most ${largestBody} bytes` : `the request cannot be read (${body.code})`;
        // Otherwise its sender would continue to send the rest.
        send(response, body.status, { reason }, { connection: 'close' });
        return;
      }
      take(request, response, { admission, sensor, bytes: body.bytes }).catch((error: unknown) => {
        const code = systemErrorCode(error) ?? 'unknown';
        log.error({ code }, 'the intake failed');
        if (response.headersSent) return response.destroy();
        send(response, 503, { reason: 'the intake failed; send it again' }, { 'retry-after': String(retryAfterSeconds) });
      });
    };
    const bodies = admission.kind === 'sender' ? admission.sender.bodies : unproven;
    bodies.read(request).then(bodyRead);
    return true;
  };
}

interface Call {
  readonly admission: Admitted;
  readonly sensor: Sensor | undefined;
  readonly bytes: Uint8Array;
}

interface Address {
  /** The sensor that the address belongs to; undefined if it has to be detected. */
  readonly sensor?: Sensor;
  readonly token?: string;
}

const root = '/v1/alerts';
const longestToken = 512;
const byName: ReadonlyMap<string, Sensor> = new Map(sensors.map((sensor) => [sensor.name, sensor]));

/** Parses `/v1/alerts`, `/v1/alerts/SENSOR`, `/v1/alerts/SENSOR/TOKEN`, each with or without a trailing slash. Undefined for any other. */
function addressOf(url: string): Address | undefined {
  if (!url.startsWith(root)) return undefined;
  const query = url.search(/[?#]/);
  const parts = (query < 0 ? url : url.slice(0, query)).slice(root.length).split('/');
  if (parts.length > 1 && parts.at(-1) === '') parts.pop();
  const [before, name, token] = parts;
  if (before !== '' || parts.length > 3) return undefined;
  if (name === undefined) return {};
  const sensor = byName.get(name);
  if (sensor === undefined || token === undefined) return sensor && { sensor };
  const decoded = token.includes('%') ? decode(token) : token;
  return !decoded || decoded.length > longestToken ? undefined : { sensor, token: decoded };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function refuse(response: ServerResponse, reason: string): void {
  send(response, 401, { reason }, { 'www-authenticate': 'Bearer, Basic realm="firebreak"', connection: 'close' });
}

function answer(response: ServerResponse, { status, items, reason }: IntakeAnswer, limitedSeconds: number): void {
  const retryAfter = status === 503 ? retryAfterSeconds : status === 429 ? limitedSeconds : undefined;
  const body = { ...countsOf(items), ...(reason !== undefined && { reason }), items };
  send(response, status, body, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
}

function countsOf(items: readonly ItemAnswer[]): Readonly<Record<string, number>> {
  const counts = {
    accepted: 0,
    duplicate: 0,
    suppressed: 0,
    ownSteps: 0,
    health: 0,
    ignored: 0,
    rejected: 0,
    forbidden: 0,
    limited: 0,
  };
  for (const { status } of items) {
    if (status === 'own-step') counts.ownSteps += 1;
    else if (status !== 'unavailable') counts[status] += 1;
  }
  return counts;
}

function send(response: ServerResponse, status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
  const text = JSON.stringify(body);
  const own = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) };
  response.writeHead(status, { ...own, ...headers }).end(text);
}

/**
 * How a request carries CloudEvents. `batch` must be checked first: its content type begins with that of `structured`.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3-http-message-mapping
 */
type CloudEventMode = 'batch' | 'structured' | 'binary';

export function cloudEventMode(contentType: string | undefined, headers: IncomingHttpHeaders): CloudEventMode | undefined {
  const type = contentType?.trim().toLowerCase() ?? '';
  if (type.startsWith('application/cloudevents-batch')) return 'batch';
  if (type.startsWith('application/cloudevents')) return 'structured';
  return typeof headers['ce-specversion'] === 'string' ? 'binary' : undefined;
}

/** The attributes of a binary CloudEvent. */
function cloudEventAttributes(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const attributes = Object.entries(headers).filter(([name, value]) => name.startsWith('ce-') && typeof value === 'string');
  return Object.fromEntries(attributes.map(([name, value]) => [name, String(value)]));
}
