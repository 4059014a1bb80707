import type { Alert } from '../../core/alert/alert.ts';
import { actKindOf } from '../../core/assessment/act-kind.ts';
import { assess, type ResponsePolicy } from '../../core/assessment/assessment.ts';
import type { Response } from '../../core/assessment/response.ts';
import { ruleConfidence } from '../../core/assessment/rule-confidence.ts';
import { ruleTables } from '../../core/assessment/rules/tables.ts';
import { PodStories } from '../../core/assessment/stories.ts';
import { type KnownRule, ruleSets } from '../../core/rules/known-rules.ts';
import { alertOfRule } from '../../service/coverage/payloads.ts';

const policy: ResponsePolicy = { mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'the default' };

interface Example {
  readonly name: string;
  readonly part: string;
  readonly alert: Alert;
  /** Absent: no public rule set has it. */
  readonly rule?: KnownRule;
}

/** A rule and what `balanced` does about it. */
export interface JudgedRule extends Example {
  readonly alone: Response;
  readonly afterAnother: Response;
}

/** Every rule of a table or of a public rule set that pods cause, judged from the payload that its sensor sends, by the assessment itself. */
export function judgedRules(): readonly JudgedRule[] {
  const inSets = ruleSets
    .filter(({ id }) => id !== 'falco-plugins')
    .flatMap(({ title, rules }) => rules.flatMap((rule) => exampleOf(title, rule)));
  const named = new Set(inSets.map(({ alert: { sensor, rule } }) => `${sensor} ${rule}`));
  const others = Object.entries(ruleTables).flatMap(([sensor, table]) =>
    Object.keys(table)
      .filter((rule) => !named.has(`${sensor} ${rule}`))
      .map((rule): Example => ({ name: rule, part: `${sensor}, other rules`, alert: plainAlert(sensor, rule) })),
  );
  return [...inSets, ...others].map((example) => ({
    ...example,
    alone: responseTo(example.alert),
    afterAnother: responseTo(example.alert, earlierAlert),
  }));
}

/** The page with what is known of each rule, and what `balanced` does about it. */
export function rulesPage(): string {
  const sections = [...Map.groupBy(judgedRules(), ({ part }) => part)].flatMap(([part, rules]) => [
    `## ${part}`,
    '',
    '| rule | severity | act | confidence | one alert | after another act | why |',
    '|---|---|---|---|---|---|---|',
    ...new Set(rules.map(row)),
    '',
  ]);
  return [
    '# Rules: how sure they are, and what follows',
    '',
    'What the profile `balanced` does in mode `contain` about an alert in a pod that has not been seen to do this ([assessment.md](assessment.md)). *After another act*: within five minutes after something else that counts. *Sure*, *likely* and *weak* say how often a rule that fires means an attack. *Act* is what playbooks match by ([matching.md](matching.md)). The severity is the one that an alert arrives with, unless `sensors.NAME.severities` sets another. Which playbook answers a rule: `firebreak playbooks coverage`.',
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd();
}

function exampleOf(title: string, rule: KnownRule): readonly Example[] {
  const alert = rule.places.includes('pod') ? alertOfRule(rule, 'pod') : undefined;
  if (!alert) return [];
  const name = rule.sensor === 'tetragon' && rule.detail ? `${rule.name} (${rule.detail})` : rule.name;
  return [{ name, part: rule.sensor === 'falco' ? `${title}: ${rule.part}` : title, alert, rule }];
}

function responseTo(alert: Alert, earlier?: Alert): Response {
  const stories = new PodStories();
  if (earlier) stories.hear({ ...earlier, cluster: alert.cluster, ...(alert.pod && { pod: alert.pod }) }, { nowMs: 0 });
  return assess(stories.hear(alert, { nowMs: 10_000 }), policy).response;
}

function row({ name, alert, alone, afterAnother }: JudgedRule): string {
  const { confidence, why } = ruleConfidence(alert);
  return `| ${name.replaceAll('|', '/')} | ${alert.severity} | ${actKindOf(alert) ?? ''} | ${confidence} | ${alone} | ${afterAnother} | ${why} |`;
}

/** For rules of tables that no public rule set has. */
function plainAlert(sensor: string, rule: string): Alert {
  return {
    ...{ id: rule, sensor, rule, severity: 'medium', title: rule, time: '2026-01-01T00:00:00Z', cluster: 'example' },
    pod: { namespace: 'shop', name: 'web-0', uid: 'web-0' },
    ...{ observables: [], tags: [], mitre: [] },
  };
}

/** Something else that counts. */
export const earlierAlert = plainAlert('example', 'Something likely');
