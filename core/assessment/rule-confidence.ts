import type { Alert } from '../alert/alert.ts';
import type { SeverityOverrides } from '../alert/sensor.ts';
import { atLeast } from '../alert/severity.ts';
import type { AnyPlaybook } from '../playbook/playbook.ts';
import { isPolicyAlert } from './act-kind.ts';
import { policyJudgement } from './policy-kinds.ts';
import { type Confidence, confidences, type RuleJudgement } from './rules/rule-judgement.ts';
import { ruleTables } from './rules/tables.ts';

/** What the configuration or a playbook says about a rule. */
export interface OwnConfidence {
  readonly sensor?: string;
  readonly rule: string;
  readonly confidence: Confidence;
  readonly why?: string;
  /** The rule watches a decoy. Only the configuration says so. */
  readonly decoy?: boolean;
  /** Whose word it is. Absent: the configuration's. */
  readonly playbook?: string;
}

/** What `sensors.NAME.rules` of the configuration says, then what playbooks say of rules of theirs. */
export function ownConfidences(
  sensors: SeverityOverrides,
  playbooks: readonly Pick<AnyPlaybook, 'id' | 'rules'>[] = [],
): readonly OwnConfidence[] {
  const configured = Object.entries(sensors).flatMap(([sensor, { rules = {} }]) =>
    Object.entries(rules).map(([rule, told]) => ({ sensor, rule, ...told })),
  );
  return [...configured, ...playbookConfidences(playbooks)];
}

/** The surest first: where two playbooks name the same rule, neither makes less of it than the other. */
export function playbookConfidences(playbooks: readonly Pick<AnyPlaybook, 'id' | 'rules'>[]): readonly OwnConfidence[] {
  return playbooks
    .flatMap(({ id, rules = {} }) => Object.entries(rules).map(([rule, told]) => ({ playbook: id, rule, ...told })))
    .sort((a, b) => confidences.indexOf(a.confidence) - confidences.indexOf(b.confidence));
}

/**
 * How sure the rule of an alert is. The configuration comes first, then the table of the sensor, then playbooks: a pack changes nothing about a rule that
 * Firebreak knows. A rule that nobody names is judged by the severity that it has. One that watches a decoy is sure: the configuration says so of it, or it has
 * the tag `decoy`.
 */
export function ruleConfidence(alert: JudgedAlert, own: readonly OwnConfidence[] = []): RuleJudgement {
  const told = own.filter(({ rule, sensor }) => rule === alert.rule && (sensor === undefined || sensor === alert.sensor));
  const judged = judgement(alert, told);
  const isDecoy = told.some(({ decoy, playbook }) => decoy === true && playbook === undefined) || hasDecoyTag(alert);
  return isDecoy ? { ...judged, confidence: 'sure', isDecoy } : judged;
}

type JudgedAlert = Pick<Alert, 'sensor' | 'rule' | 'severity'> & Partial<Alert>;

/** Whoever writes the sensor's rules writes their tags. */
function hasDecoyTag({ tags = [] }: JudgedAlert): boolean {
  return tags.some((tag) => tag.toLowerCase() === decoyTag);
}

const decoyTag = 'decoy';

function judgement(alert: JudgedAlert, told: readonly OwnConfidence[]): RuleJudgement {
  const { sensor, rule, severity } = alert;
  const configured = told.find(({ playbook }) => playbook === undefined);
  if (configured)
    return { confidence: configured.confidence, why: configured.why ?? 'the configuration says so', source: 'the configuration' };
  const table = Object.hasOwn(ruleTables, sensor) ? ruleTables[sensor] : undefined;
  const known = table && Object.hasOwn(table, rule) ? table[rule] : undefined;
  if (known) return known;
  const [ofPlaybook] = told;
  if (ofPlaybook) {
    const { confidence, playbook, why = `playbook ${playbook} says so` } = ofPlaybook;
    return { confidence, why, source: `playbook ${playbook}` };
  }
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
