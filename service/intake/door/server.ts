import { systemErrorCode } from '../../../core/system-error.ts';
import { answerByPath, bind, type HttpAnswer, type Route, statusRoutes } from '../../../integrations/http-door.ts';
import type { IntakeLog } from '../log.ts';
import type { IntakeMetrics } from '../metrics.ts';
import type { Receiver } from '../read/receive.ts';
import type { SensorHealth } from '../watch/sensor-health.ts';
import type { UnauthorizedCounts } from '../watch/unauthorized-requests.ts';
import { createAlertDoor } from './alert-door.ts';
import type { Gate } from './gate.ts';
import type { Listener } from './listener.ts';

interface IntakeServerOptions {
  readonly receiver: Receiver;
  readonly gate: Gate;
  readonly listener: Listener;
  readonly metrics: IntakeMetrics;
  readonly health: SensorHealth;
  readonly unauthorized: Pick<UnauthorizedCounts, 'count'>;
  /** Why no alert can be accepted now; undefined if one can. */
  readonly notReady: () => string | undefined;
  /** Whether the service is stopping and only finishes requests in progress. */
  readonly stopping: () => boolean;
  readonly log: IntakeLog;
}

interface IntakeServer {
  /** Resolves with the port. */
  listen(at: { readonly host: string; readonly port: number }): Promise<number>;
  /** Finishes requests in progress, then closes. */
  close(): Promise<void>;
}

/**
 * The HTTP interface of the intake: alerts have their own handler, everything else is requested rarely. Its status is public, except for the sensors: only
 * unrestricted senders may read those. Nothing that was sent is ever logged.
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
    if (admission.kind === 'signed') return refused(401, 'a signature covers a body, and this request has none: use a token');
    const { rule, node } = admission.sender;
    if (rule.namespaces !== undefined || node !== undefined)
      return refused(403, 'this sender is limited to namespaces or a node');
    return { status: 200, body: { sensors: health.report() } };
  };
}
