import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { systemErrorCode } from '../../../core/system-error.ts';
import type { IntakeLog } from '../log.ts';
import type { IntakeMetrics } from '../metrics.ts';
import type { Receiver } from '../read/receive.ts';
import type { SensorHealth } from '../watch/sensor-health.ts';
import { createAlertDoor, retryAfterSeconds } from './alert-door.ts';
import type { Gate } from './gate.ts';
import type { Listener } from './listener.ts';

export interface IntakeServerOptions {
  readonly receiver: Receiver;
  readonly gate: Gate;
  readonly listener: Listener;
  readonly metrics: IntakeMetrics;
  readonly health: SensorHealth;
  /** Why no alert can be taken now; undefined when it can. */
  readonly notReady: () => string | undefined;
  /** Whether it answers only what it has begun. */
  readonly stopping: () => boolean;
  readonly log: IntakeLog;
}

/** Of a body that nobody asked for. */
const largestIgnoredBody = 1024 * 1024;

/** The HTTP surface of the intake: alerts have a door of their own, all else is asked seldom. Nothing that was sent is ever logged. */
export function createIntakeServer(options: IntakeServerOptions): FastifyInstance {
  const { listener, log } = options;
  const takesAlerts = createAlertDoor(options);
  const server = Fastify({
    bodyLimit: largestIgnoredBody,
    serverFactory: (handler) => {
      listener.server.on('request', (request, response) => {
        if (!takesAlerts(request, response)) handler(request, response);
      });
      return listener.server;
    },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    // Answers what is underway, then closes.
    forceCloseConnections: 'idle',
    logger: false,
  });
  // Nothing here reads a body: of whatever type it is, it is not looked at.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null));
  server.addHook('onRequest', async (request) => {
    request.raw.headers['content-type'] = 'application/octet-stream';
  });
  server.setErrorHandler((error, _request, reply) => answerError(error, reply, log));
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ reason: 'there is nothing at this address' }));
  addStatusRoutes(server, options);
  return server;
}

/** Faults of the request keep their 4xx and say what is wrong in words of ours; the rest is ours to look at. */
function answerError(error: unknown, reply: FastifyReply, log: IntakeLog): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const code = systemErrorCode(error) ?? 'unknown';
  if (status >= 400 && status < 500) {
    return reply.code(status).send({ reason: `the request cannot be read (${code})` });
  }
  log.error({ code }, 'the intake failed');
  return reply.code(503).header('retry-after', retryAfterSeconds).send({ reason: 'the intake failed; send it again' });
}

interface StatusParts {
  readonly gate: Gate;
  readonly metrics: IntakeMetrics;
  readonly health: SensorHealth;
  /** Why no alert can be taken now; undefined when it can. */
  readonly notReady: () => string | undefined;
}

/** What the intake says of itself: alive, ready and its numbers to anyone, the sensors to senders that are not restricted. */
function addStatusRoutes(server: FastifyInstance, { gate, metrics, health, notReady }: StatusParts): void {
  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    const reason = notReady();
    return reason === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason });
  });
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  server.get('/v1/sensors', async (request, reply) => {
    const admission = gate.admit({ socket: request.raw.socket, headers: request.headers });
    if (admission.kind !== 'sender') {
      const reason =
        admission.kind === 'refused' ? admission.reason : 'a signature covers a body, and this has none: use a token';
      return reply.code(401).send({ reason });
    }
    const { rule, node } = admission.sender;
    if (rule.namespaces !== undefined || node !== undefined)
      return reply.code(403).send({ reason: 'this sender sees a part only' });
    return { sensors: health.report() };
  });
}
