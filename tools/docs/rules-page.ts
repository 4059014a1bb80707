import type { Alert } from '../../core/alert/alert.ts';
import type { Severity } from '../../core/alert/severity.ts';
import { assess, type ResponsePolicy } from '../../core/assessment/assessment.ts';
import { ruleConfidence, ruleTables } from '../../core/assessment/rule-confidence.ts';
import { PodStories } from '../../core/assessment/stories.ts';
import { type KnownRule, ruleSets } from '../../core/rules/known-rules.ts';

const policy: ResponsePolicy = { mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'the default' };

/** Falco's priorities; other sensors use the severities of alerts. */
const severityOf: Readonly<Record<string, Severity>> = {
  CRITICAL: 'critical',
  ERROR: 'high',
  WARNING: 'medium',
  NOTICE: 'low',
  INFO: 'info',
};

/** The page with the rules whose confidence is known, and what `balanced` does about each: computed by the assessment itself. */
export function rulesPage(): string {
  const sections = Object.entries(ruleTables).flatMap(([sensor, table]) => {
    const known = new Map(
      ruleSets.flatMap(({ rules }) => rules.filter((rule) => rule.sensor === sensor).map((rule) => [rule.name, rule])),
    );
    const parts = new Map<string, string[]>();
    for (const name of Object.keys(table)) {
      const rule = known.get(name);
      const part = `${sensor}${rule ? `, ${rule.part}` : ''}`;
      parts.set(part, [...(parts.get(part) ?? []), row(sensor, name, rule)]);
    }
    return [...parts].flatMap(([part, rows]) => [
      `## ${part}`,
      '',
      '| rule | severity | confidence | one alert | after another act | why |',
      '|---|---|---|---|---|---|',
      ...rows,
      '',
    ]);
  });
  return [
    '# Rules: how sure they are, and what follows',
    '',
    'What the profile `balanced` of `firebreak assess` does in mode `contain` about an alert in a pod that has not been seen to do this ([assessment.md](assessment.md)). *After another act*: within five minutes after something else that counts. *Sure*, *likely* and *weak* say how often a rule that fires means an attack.',
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd();
}

function row(sensor: string, name: string, rule: KnownRule | undefined): string {
  const severity = severityOf[rule?.severity ?? ''] ?? 'medium';
  const { confidence, why } = ruleConfidence({ sensor, rule: name, severity });
  const [alone, after] = [[], [before]].map((earlier) => {
    const stories = new PodStories();
    for (const one of earlier) stories.hear(one, { nowMs: 0 });
    return assess(stories.hear(alertOf(sensor, name, severity), { nowMs: 10_000 }), policy).response;
  });
  return `| ${name.replaceAll('|', '/')} | ${severity} | ${confidence} | ${alone} | ${after} | ${why} |`;
}

function alertOf(sensor: string, rule: string, severity: Severity): Alert {
  return {
    ...{ id: rule, sensor, rule, severity, title: rule, time: '2026-01-01T00:00:00Z', cluster: 'example' },
    pod: { namespace: 'shop', name: 'web-0', uid: 'web-0' },
    ...{ observables: [], tags: [], mitre: [] },
  };
}

const before = alertOf('example', 'Something likely', 'medium');
