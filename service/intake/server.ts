import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Sensor } from '../../core/sensor.ts';
import { cloudEvents, sensors } from '../../integrations/sensors/index.ts';
import { secretOfHeader } from './auth.ts';
import { unpackBody } from './body.ts';
import { type CloudEventMode, cloudEventAttributes, cloudEventMode } from './cloud-event.ts';
import type { IntakeLog } from './log.ts';
import { largestBody } from './parse.ts';
import type { Answer, Receiver } from './receive.ts';

export interface IntakeServerOptions {
  readonly receiver: Receiver;
  /** Who sends with this secret. */
  readonly senderOf: (secret: string | undefined) => string | undefined;
  /** Why no alert can be taken now; undefined when it can. */
  readonly notReady: () => string | undefined;
  readonly log: IntakeLog;
}

/** Go's clients keep idle connections for 90 s: whoever closes earlier races with their next alert. */
const keepAliveMs = 95_000;
const bodyWithinMs = 30_000;
const retryAfterSeconds = 5;

/** The HTTP surface of the intake. Nothing that was sent, and no address with a token in it, is ever logged. */
export function createIntakeServer(options: IntakeServerOptions): FastifyInstance {
  const { receiver, senderOf, notReady, log } = options;
  const server = Fastify({
    bodyLimit: largestBody,
    keepAliveTimeout: keepAliveMs,
    requestTimeout: bodyWithinMs,
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

  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    const reason = notReady();
    return reason === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason });
  });

  const senders = new WeakMap<FastifyRequest, string>();
  const accept = (path: string, sensor?: Sensor): void => {
    server.route<{ Params: { token?: string } }>({
      method: ['POST', 'PUT'],
      url: path,
      // Before the body is read: a stranger costs nothing.
      onRequest: async (request, reply) => {
        const sender = senderOf(request.params.token ?? secretOfHeader(request.headers.authorization));
        if (sender === undefined) return refuse(reply);
        senders.set(request, sender);
      },
      handler: async (request, reply) => {
        const unpacked = await unpackBody(bytesOf(request), request.headers['content-encoding']);
        if (!unpacked.ok) return reply.code(unpacked.status).send({ reason: unpacked.reason });
        const from = senders.get(request) ?? 'unknown';
        // At a sensor's own address the headers of an envelope say nothing more.
        const mode = sensor === undefined || sensor.name === 'cloudevents' ? modes.get(request) : undefined;
        const envelope = mode === 'binary' ? { cloudEvent: cloudEventAttributes(request.headers) } : {};
        const whose = sensor ?? (mode === undefined ? undefined : cloudEvents);
        return answer(reply, await receiver.receive(unpacked.bytes, { from, ...(whose && { sensor: whose }), ...envelope }));
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

function refuse(reply: FastifyReply): FastifyReply {
  return reply
    .code(401)
    .header('www-authenticate', 'Bearer, Basic realm="firebreak"')
    .header('connection', 'close')
    .send({ reason: 'a token is needed: Authorization Bearer, the password of Basic, or the last part of the path' });
}

function answer(reply: FastifyReply, { status, items, reason }: Answer): FastifyReply {
  if (status === 503) void reply.header('retry-after', retryAfterSeconds);
  const count = (wanted: string): number => items.filter((item) => item.status === wanted).length;
  return reply.code(status).send({
    accepted: count('accepted'),
    duplicate: count('duplicate'),
    health: count('health'),
    ignored: count('ignored'),
    rejected: count('rejected'),
    ...(reason !== undefined && { reason }),
    items,
  });
}

/** Faults of the request keep their 4xx and say what is wrong in words of ours; the rest is ours to look at. */
function answerError(error: unknown, reply: FastifyReply, log: IntakeLog): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (status >= 400 && status < 500) {
    const reason = status === 413 ? `a body has at most ${largestBody} bytes` : `the request cannot be read (${code})`;
    return reply.code(status).send({ reason });
  }
  log.error({ code }, 'the intake failed');
  return reply.code(503).header('retry-after', retryAfterSeconds).send({ reason: 'the intake failed; send it again' });
}
