import type { Alert } from '../alert/alert.ts';
import type { SeverityOverrides } from '../alert/sensor.ts';
import { atLeast } from '../alert/severity.ts';
import { isPolicyAlert } from './act-kind.ts';
import { policyJudgement } from './policy-kinds.ts';
import type { Confidence, RuleJudgement } from './rules/rule-judgement.ts';
import { ruleTables } from './rules/tables.ts';

/** What the configuration says about a rule. */
export interface OwnConfidence {
  readonly sensor?: string;
  readonly rule: string;
  readonly confidence: Confidence;
  readonly why?: string;
}

/** What `sensors.NAME.rules` of the configuration says. */
export function ownConfidences(sensors: SeverityOverrides): readonly OwnConfidence[] {
  return Object.entries(sensors).flatMap(([sensor, { rules = {} }]) =>
    Object.entries(rules).map(([rule, told]) => ({ sensor, rule, ...told })),
  );
}

/** How sure the rule of an alert is. The configuration comes first, then the table of the sensor; an unknown rule is judged by the severity that it has. */
export function ruleConfidence(
  alert: Pick<Alert, 'sensor' | 'rule' | 'severity'> & Partial<Alert>,
  own: readonly OwnConfidence[] = [],
): RuleJudgement {
  const { sensor, rule, severity } = alert;
  const told = own.find((one) => one.rule === rule && (one.sensor === undefined || one.sensor === sensor));
  if (told) return { confidence: told.confidence, why: told.why ?? 'the configuration says so', source: 'the configuration' };
  const table = Object.hasOwn(ruleTables, sensor) ? ruleTables[sensor] : undefined;
  const known = table && Object.hasOwn(table, rule) ? table[rule] : undefined;
  if (known) return known;
  if (isPolicyAlert(alert)) return policyJudgement(alert);
  if (alert.apiRequest?.subresource === 'exec') return execIntoPod;
  const confidence = atLeast(severity, 'medium') ? 'likely' : 'weak';
  return { confidence, why: 'no table has this rule: judged by its severity', source: 'its severity' };
}

/** What is done inside reports itself: the door and the first step through it are not two acts. */
const execIntoPod: RuleJudgement = {
  confidence: 'weak',
  isDebugging: true,
  isSession: true,
  why: 'people and programs run commands in pods; what they do there is judged by itself',
  source: 'the API server’s audit log',
};
