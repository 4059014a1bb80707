import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Sensor } from '../../core/sensor.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { cloudEvents, sensors } from '../../integrations/sensors/index.ts';
import { unpackBody } from './body.ts';
import { type CloudEventMode, cloudEventAttributes, cloudEventMode } from './cloud-event.ts';
import type { Admission, Gate } from './gate.ts';
import type { Listener } from './listener.ts';
import type { IntakeLog } from './log.ts';
import type { IntakeMetrics } from './metrics.ts';
import { largestBody } from './parse.ts';
import type { Answer, Receiver } from './receive.ts';
import type { SensorHealth } from './sensor-health.ts';
import { addStatusRoutes } from './status-routes.ts';

export interface IntakeServerOptions {
  readonly receiver: Receiver;
  readonly gate: Gate;
  readonly listener: Listener;
  readonly metrics: IntakeMetrics;
  readonly health: SensorHealth;
  /** Why no alert can be taken now; undefined when it can. */
  readonly notReady: () => string | undefined;
  readonly log: IntakeLog;
}

const retryAfterSeconds = 5;

/** The HTTP surface of the intake. Nothing that was sent, and no address with a token in it, is ever logged. */
export function createIntakeServer(options: IntakeServerOptions): FastifyInstance {
  const { receiver, gate, listener, metrics, log } = options;
  const server = Fastify({
    bodyLimit: largestBody,
    serverFactory: (handler) => {
      listener.server.on('request', handler);
      return listener.server;
    },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    // Answers what is underway, then closes.
    forceCloseConnections: 'idle',
    logger: false,
  });
  // Senders write any content type, or none, with any charset: it is JSON, or it is not.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const modes = new WeakMap<FastifyRequest, CloudEventMode>();
  server.addHook('onRequest', async (request) => {
    const mode = cloudEventMode(request.headers['content-type'], request.headers);
    if (mode !== undefined) modes.set(request, mode);
    request.raw.headers['content-type'] = 'application/octet-stream';
  });
  server.setErrorHandler((error, _request, reply) => answerError(error, reply, log));
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ reason: 'there is nothing at this address' }));

  addStatusRoutes(server, options);

  const admissions = new WeakMap<FastifyRequest, Exclude<Admission, { readonly kind: 'refused' }>>();
  const accept = (path: string, sensor?: Sensor): void => {
    server.route<{ Params: { token?: string } }>({
      method: ['POST', 'PUT'],
      url: path,
      // Before the body is read: a stranger costs nothing.
      onRequest: async (request, reply) => {
        const { token: pathToken } = request.params;
        const admission = gate.admit({ socket: request.raw.socket, headers: request.headers, pathToken });
        if (admission.kind === 'refused') {
          metrics.refused('unauthorized');
          return refuse(reply, admission.reason);
        }
        admissions.set(request, admission);
      },
      handler: async (request, reply) => {
        const admission = admissions.get(request);
        const signed = admission?.kind === 'signed' ? gate.verify(bytesOf(request), admission.headers) : undefined;
        if (admission === undefined || signed?.ok === false) {
          metrics.refused('unauthorized');
          return refuse(reply, signed?.ok === false ? signed.reason : 'nobody was admitted');
        }
        const from = admission.kind === 'sender' ? admission.sender : gate.senders.of(signed?.name ?? '');
        const unpacked = await unpackBody(bytesOf(request), request.headers['content-encoding']);
        if (!unpacked.ok) {
          metrics.refused('request');
          return reply.code(unpacked.status).send({ reason: unpacked.reason });
        }
        // At a sensor's own address the headers of an envelope say nothing more.
        const mode = sensor === undefined || sensor.name === 'cloudevents' ? modes.get(request) : undefined;
        const envelope = mode === 'binary' ? { cloudEvent: cloudEventAttributes(request.headers) } : {};
        const whose = sensor ?? (mode === undefined ? undefined : cloudEvents);
        const answered = await receiver.receive(unpacked.bytes, { from, ...(whose && { sensor: whose }), ...envelope });
        // What was not taken may come again as it is.
        if (answered.status === 503 || answered.status === 429) signed?.release();
        return answer(reply, answered, from.bucket.retryAfterSeconds);
      },
    });
  };
  accept('/v1/alerts');
  for (const sensor of sensors) {
    accept(`/v1/alerts/${sensor.name}`, sensor);
    accept(`/v1/alerts/${sensor.name}/:token`, sensor);
  }
  return server;
}

function bytesOf({ body }: FastifyRequest): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array();
}

function refuse(reply: FastifyReply, reason: string): FastifyReply {
  return reply
    .code(401)
    .header('www-authenticate', 'Bearer, Basic realm="firebreak"')
    .header('connection', 'close')
    .send({ reason });
}

function answer(reply: FastifyReply, { status, items, reason }: Answer, limitedSeconds: number): FastifyReply {
  if (status === 503) void reply.header('retry-after', retryAfterSeconds);
  if (status === 429) void reply.header('retry-after', limitedSeconds);
  const count = (wanted: string): number => items.filter((item) => item.status === wanted).length;
  return reply.code(status).send({
    accepted: count('accepted'),
    duplicate: count('duplicate'),
    suppressed: count('suppressed'),
    ownSteps: count('own-step'),
    health: count('health'),
    ignored: count('ignored'),
    rejected: count('rejected'),
    forbidden: count('forbidden'),
    limited: count('limited'),
    ...(reason !== undefined && { reason }),
    items,
  });
}

/** Faults of the request keep their 4xx and say what is wrong in words of ours; the rest is ours to look at. */
function answerError(error: unknown, reply: FastifyReply, log: IntakeLog): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const code = systemErrorCode(error) ?? 'unknown';
  if (status >= 400 && status < 500) {
    const reason = status === 413 ? `a body has at most ${largestBody} bytes` : `the request cannot be read (${code})`;
    return reply.code(status).send({ reason });
  }
  log.error({ code }, 'the intake failed');
  return reply.code(503).header('retry-after', retryAfterSeconds).send({ reason: 'the intake failed; send it again' });
}
