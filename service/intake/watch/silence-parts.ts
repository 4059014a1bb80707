import type { Gate } from '../door/gate.ts';
import type { Receiver } from '../read/receive.ts';
import type { Spool } from '../spool/spool.ts';
import type { SensorHealth } from './sensor-health.ts';
import type { SilenceOptions } from './silence.ts';

/** Connects the watch for silent sensors: how it hears of sensors, and how its alerts take the same path as all others. */
export function silenceParts(parts: {
  readonly receiver: Receiver;
  readonly gate: Gate;
  readonly health: SensorHealth;
  readonly spool: Spool;
  readonly cluster: string;
}): Pick<SilenceOptions, 'heard' | 'lastAlertOf' | 'raise' | 'back'> & { readonly cluster: string } {
  const { receiver, gate, health, spool, cluster } = parts;
  return {
    cluster,
    heard: (sensor, hosts) => {
      const times = hosts.flatMap((host) => health.seenAt(sensor, host) ?? []);
      return times.length === 0 ? undefined : Math.max(...times);
    },
    lastAlertOf: (node) => health.lastAlertOf(node),
    raise: async (alert) => {
      const { status } = await receiver.receiveOwn(alert, gate.senders.own);
      return status === 'accepted' || status === 'duplicate';
    },
    back: (incident, line) => spool.notes.add(incident, { ...line, kind: 'sensor.back' }),
  };
}
