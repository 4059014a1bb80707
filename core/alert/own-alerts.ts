import type { Alert } from './alert.ts';

/** Sensor name of Firebreak's own alerts: a person's order, a silent sensor, a scheduled playbook that is due. No decoder and no sender has this name. */
export const ownSensor = 'firebreak';

/** The rules of Firebreak's own alerts. Playbooks trust them as a person's word or the cell's own finding, so nobody else may use them. */
export const ownRules = {
  look: 'Incident started by a person',
  quarantine: 'Quarantine ordered by a person',
  silentSensor: 'Sensor silent',
  schedule: 'Scheduled playbook due',
} as const;

const names: ReadonlySet<string> = new Set(Object.values(ownRules));

/** Returns whether this sender may use this rule: Firebreak's own rules come only from Firebreak, and all others only from sensors. */
export function mayCarryRule({ sensor, rule }: Pick<Alert, 'sensor' | 'rule'>): boolean {
  return names.has(rule) === (sensor === ownSensor);
}

/** Why a sensor's alert with one of these names is not believed. */
export const borrowedRule = 'a sensor sent it under the name of a rule that only Firebreak itself may use';
