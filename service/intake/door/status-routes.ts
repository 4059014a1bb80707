import type { FastifyInstance } from 'fastify';
import type { IntakeMetrics } from '../metrics.ts';
import type { SensorHealth } from '../watch/sensor-health.ts';
import type { Gate } from './gate.ts';

export interface StatusParts {
  readonly gate: Gate;
  readonly metrics: IntakeMetrics;
  readonly health: SensorHealth;
  /** Why no alert can be taken now; undefined when it can. */
  readonly notReady: () => string | undefined;
}

/** What the intake says of itself: alive, ready and its numbers to anyone, the sensors to senders that are not restricted. */
export function addStatusRoutes(server: FastifyInstance, { gate, metrics, health, notReady }: StatusParts): void {
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
