import type { Alert } from '../../core/alert/alert.ts';
import { actKindOf } from '../../core/assessment/act-kind.ts';
import { assess, type ResponsePolicy } from '../../core/assessment/assessment.ts';
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
}

/** The page with what is known of each rule, and what `balanced` does about it: from the payload that its sensor sends, by the assessment itself. */
export function rulesPage(): string {
  const inSets = ruleSets
    .filter(({ id }) => id !== 'falco-plugins')
    .flatMap(({ title, rules }) => rules.flatMap((rule) => exampleOf(title, rule)));
  const named = new Set(inSets.map(({ alert: { sensor, rule } }) => `${sensor} ${rule}`));
  const others = Object.entries(ruleTables).flatMap(([sensor, table]) =>
    Object.keys(table)
      .filter((rule) => !named.has(`${sensor} ${rule}`))
      .map((rule): Example => ({ name: rule, part: `${sensor}, other rules`, alert: plainAlert(sensor, rule) })),
  );
  const sections = [...Map.groupBy([...inSets, ...others], ({ part }) => part)].flatMap(([part, examples]) => [
    `## ${part}`,
    '',
    '| rule | severity | act | confidence | one alert | after another act | why |',
    '|---|---|---|---|---|---|---|',
    ...new Set(examples.map(row)),
    '',
  ]);
  return [
    '# Rules: how sure they are, and what follows',
    '',
    'What the profile `balanced` does in mode `contain` about an alert in a pod that has not been seen to do this ([assessment.md](assessment.md)). *After another act*: within five minutes after something else that counts. *Sure*, *likely* and *weak* say how often a rule that fires means an attack. *Act* is what playbooks match by ([matching.md](matching.md)). The severity is the one that an alert arrives with, unless `sensors.NAME.severities` sets another.',
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
  return [{ name, part: rule.sensor === 'falco' ? `${title}: ${rule.part}` : title, alert }];
}

function row({ name, alert }: Example): string {
  const { confidence, why } = ruleConfidence(alert);
  const [alone, after] = [[], [before]].map((earlier) => {
    const stories = new PodStories();
    for (const one of earlier)
      stories.hear({ ...one, cluster: alert.cluster, ...(alert.pod && { pod: alert.pod }) }, { nowMs: 0 });
    return assess(stories.hear(alert, { nowMs: 10_000 }), policy).response;
  });
  return `| ${name.replaceAll('|', '/')} | ${alert.severity} | ${actKindOf(alert) ?? ''} | ${confidence} | ${alone} | ${after} | ${why} |`;
}

/** For rules of tables that no public rule set has. */
function plainAlert(sensor: string, rule: string): Alert {
  return {
    ...{ id: rule, sensor, rule, severity: 'medium', title: rule, time: '2026-01-01T00:00:00Z', cluster: 'example' },
    pod: { namespace: 'shop', name: 'web-0', uid: 'web-0' },
    ...{ observables: [], tags: [], mitre: [] },
  };
}

const before = plainAlert('example', 'Something likely');
