import { EventEmitter, once } from 'node:events';
import type { IncidentGateway } from './incident-gateway.ts';

export interface LateGateway extends IncidentGateway {
  /** From now on calls go to `gateway`; waiting calls continue at once. */
  open(gateway: IncidentGateway): void;
}

/** As long as the gateway itself waits for an answer. */
const patienceMs = 5_000;

/** Stands in for a gateway that does not exist yet: a call waits for it, and then reports it as unavailable. The spool keeps the alerts meanwhile. */
export function createLateGateway(waitMs = patienceMs): LateGateway {
  const opening = new EventEmitter().setMaxListeners(0);
  let opened: IncidentGateway | undefined;
  const gatewayOrNothing = async (): Promise<IncidentGateway | undefined> => {
    if (!opened) await once(opening, 'open', { signal: AbortSignal.timeout(waitMs) }).catch(() => undefined);
    return opened;
  };
  const nobody = { kind: 'unavailable', detail: 'not connected to Temporal yet' } as const;

  return {
    open: (gateway) => {
      opened = gateway;
      opening.emit('open');
    },
    start: async (...call) => (await gatewayOrNothing())?.start(...call) ?? nobody,
    signal: async (...call) => (await gatewayOrNothing())?.signal(...call) ?? nobody,
    note: async (...call) => (await gatewayOrNothing())?.note(...call) ?? nobody,
  };
}
