import type { Alert } from './alert.ts';

/** As what Firebreak's own alerts come: a person's order, a sensor that is silent, a playbook whose time has come. No sensor's decoder and no sender has this name. */
export const ownSensor = 'firebreak';

/** The rules of Firebreak's own alerts. Playbooks follow them as a person's word or the cell's own finding, so nobody else may say them. */
export const ownRules = {
  look: 'Incident started by a person',
  quarantine: 'Quarantine ordered by a person',
  silentSensor: 'Sensor silent',
  schedule: 'Scheduled playbook due',
} as const;

const names: ReadonlySet<string> = new Set(Object.values(ownRules));

/** Whether whoever sent it may say this rule: Firebreak's own rules come from Firebreak alone, and all others from sensors alone. */
export function mayCarryRule({ sensor, rule }: Pick<Alert, 'sensor' | 'rule'>): boolean {
  return names.has(rule) === (sensor === ownSensor);
}

/** Why a sensor's alert under one of these names is not believed. */
export const borrowedRule = 'a sensor sent it under the name of a rule that only Firebreak itself has';
