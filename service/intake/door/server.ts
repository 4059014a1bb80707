import { systemErrorCode } from '../../../core/system-error.ts';
import { answerByPath, bind, type HttpAnswer, type Route, statusRoutes } from '../../../integrations/http-door.ts';
import type { IntakeLog } from '../log.ts';
import type { IntakeMetrics } from '../metrics.ts';
import type { Receiver } from '../read/receive.ts';
import type { SensorHealth } from '../watch/sensor-health.ts';
import { createAlertDoor } from './alert-door.ts';
import type { Gate } from './gate.ts';
import type { Listener } from './listener.ts';

interface IntakeServerOptions {
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

interface IntakeServer {
  /** Resolves with its port. */
  listen(at: { readonly host: string; readonly port: number }): Promise<number>;
  /** Answers what is underway, then closes. */
  close(): Promise<void>;
}

/**
 * The HTTP surface of the intake: alerts have a door of their own, all else is asked seldom. What it says of itself is for anyone, but the
 * sensors: for senders that are not restricted. Nothing that was sent is ever logged.
 */
export function createIntakeServer(options: IntakeServerOptions): IntakeServer {
  const { listener, metrics, notReady, log } = options;
  const { server, connections } = listener;
  const takesAlerts = createAlertDoor(options);
  const said = { contentType: metrics.contentType, text: () => metrics.withProcess() };
  const routes = { ...statusRoutes({ notReady, metrics: said }), '/v1/sensors': sensorsRoute(options) };
  const answersStatus = answerByPath(routes, (error) =>
    log.error({ code: systemErrorCode(error) ?? 'unknown' }, 'the intake failed'),
  );
  connections.serve((request, response) => {
    if (!takesAlerts(request, response)) answersStatus(request, response);
  });
  return { listen: (at) => bind(server, at), close: () => new Promise((resolve) => server.close(() => resolve())) };
}

function sensorsRoute({ gate, health }: Pick<IntakeServerOptions, 'gate' | 'health'>): Route {
  const refused = (status: number, reason: string): HttpAnswer => ({ status, body: { reason } });
  return ({ socket, headers }) => {
    const admission = gate.admit({ socket, headers });
    if (admission.kind === 'refused') return refused(401, admission.reason);
    if (admission.kind === 'signed') return refused(401, 'a signature covers a body, and this has none: use a token');
    const { rule, node } = admission.sender;
    if (rule.namespaces !== undefined || node !== undefined) return refused(403, 'this sender sees a part only');
    return { status: 200, body: { sensors: health.report() } };
  };
}
