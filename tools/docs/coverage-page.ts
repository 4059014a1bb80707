import { ruleSets } from '../../core/rules/known-rules.ts';
import { playbooks } from '../../playbooks/index.ts';
import { type CoveredRule, coverageOf, percentCovered, type SetCoverage } from '../../service/coverage/coverage.ts';
import { pageName } from './playbook-pages.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** How many rules a playbook covers, for a whole set and for its parts. */
function shares({ set, rules }: SetCoverage): readonly (readonly string[])[] {
  const parts = Object.entries(Object.groupBy(rules, ({ rule }) => rule.part));
  const line = (name: string, of: readonly CoveredRule[]) => [
    name,
    String(of.length),
    `${percentCovered(of)} %`,
    String(of.filter(({ covered }) => covered === 'partly').length),
    String(of.filter(({ covered }) => covered === 'rest').length),
    String(of.filter(({ covered }) => covered === 'no').length),
  ];
  // A folder of examples is not a part that anybody chooses.
  const shown = ['falco', 'falco-plugins', 'kubearmor'].includes(set.id) ? parts : [];
  return [line(set.title, rules), ...shown.map(([part, of = []]) => line(`${set.title}: ${part}`, of))];
}

function answersText({ answers, covered }: CoveredRule): string {
  if (covered === 'no') return 'none';
  const texts = answers.map(({ place, playbooks: ids, rest }) => ({
    place,
    text: [...ids, ...rest].map((id) => `[${pageName({ id })}](playbooks/${pageName({ id })}.md)`).join(', ') || 'none',
  }));
  const [first] = texts;
  if (texts.every(({ text }) => text === first?.text)) return first?.text ?? 'none';
  return texts.map(({ place, text }) => `${place}: ${text}`).join('; ');
}

/** Generates `docs/coverage.md`: rule sets × playbooks. */
export function coveragePage(): string {
  const coverage = coverageOf(playbooks, ruleSets);
  return [
    '# Which rules are answered',
    'Which of the shipped playbooks answers which rule of the public rule sets. For each rule, an alert is made in the form that its sensor sends: in a pod, and outside of all pods if the rule looks there. The intake reads it, and it is routed as in an incident. So this page shows what happens to real alerts. *Answered* counts the rules that a playbook is written for, wherever they may happen. *The rest* are those that only a catch-all playbook answers. `firebreak playbooks coverage` prints the same, `--rules FOLDER` for your own rule files, `--layer FILE` as a layer for the ATT&CK Navigator.',
    table(['rule set', 'rules', 'answered', 'in some places only', 'the rest', 'by nothing'], coverage.flatMap(shares)),
    table(
      ['rule set', 'read from', 'version'],
      coverage.map(({ set }) => [set.title, set.from, set.version]),
    ),
    'The severity is what an alert arrives with. Tetragon sends none, and KubeArmor sends the lowest if a policy sets none: for these it comes from `core/rules/default-severity.ts`, unless `sensors.NAME.severities` of the configuration sets another.',
    ...coverage.flatMap(({ set, rules }) => [
      `## ${set.title}`,
      table(
        ['rule', 'part', 'severity', 'ATT&CK', 'playbooks'],
        rules.map((one) => [
          `${one.rule.name}${one.rule.isOff ? ' (off by default)' : ''}`,
          one.rule.part,
          one.severity,
          one.mitre.join(', '),
          answersText(one),
        ]),
      ),
    ]),
  ].join('\n\n');
}
