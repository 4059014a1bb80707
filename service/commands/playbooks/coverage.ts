import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { enabledPlaybooks } from '../../config/packs.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printJson, printTable, styled } from '../output.ts';

interface CoverageOptions extends CommonOptions {
  readonly rules?: string;
  readonly enabled?: readonly string[];
  readonly layer?: string;
  readonly all?: true;
}

/** Adds `firebreak playbooks coverage`: which playbook answers which rule, and which rules nobody answers. */
export function registerCoverageCommand(group: Command): void {
  const command = group
    .command('coverage')
    .description('which rules the playbooks answer: of the public rule sets, or of your own rule files')
    .option('--rules <folder>', 'your rule files: Falco’s, TracingPolicies, KubeArmor’s policies')
    .option('--enabled <ids...>', 'only with these playbooks, and what takes the rest')
    .option('--layer <file>', 'write a layer for the ATT&CK Navigator (v19)')
    .option('--all', 'list the answered rules too');
  withExamples(withJson(command), [
    'firebreak playbooks coverage',
    'firebreak playbooks coverage --rules /etc/falco/rules.d',
    'firebreak playbooks coverage --layer firebreak.layer.json',
  ]).action(coverage);
}

async function coverage({ rules: folder, enabled, layer, all, json }: CoverageOptions): Promise<void> {
  // Decoders and rule sets, which the other commands about playbooks do without.
  const { ruleSets } = await import('../../../core/rules/known-rules.ts');
  const { coverageOf, navigatorLayer, percentCovered } = await import('../../coverage/coverage.ts');
  const { ruleSetInFolder } = await import('../../coverage/rule-files.ts');
  const sets = coverageOf(
    enabledPlaybooks({ playbooks: { enabled: enabled ?? 'all' } }),
    folder === undefined ? ruleSets : [ruleSetInFolder(folder)],
  );
  if (layer !== undefined) writeFileSync(layer, `${JSON.stringify(navigatorLayer(sets), null, 2)}\n`);
  if (json) {
    printJson(sets.map(({ set, rules }) => ({ ...set, percent: percentCovered(rules), rules })));
    return;
  }
  for (const { set, rules } of sets) {
    const shown = rules.filter(({ covered }) => all || covered !== 'yes');
    print(styled('bold', `${set.title} (${set.from}, ${set.version}): ${percentCovered(rules)} % of ${rules.length} rules`));
    if (shown.length === 0) continue;
    printTable(shown, [
      { title: 'RULE', text: ({ rule }) => rule.name },
      { title: 'SEVERITY', text: ({ severity }) => severity },
      { title: 'ANSWERED', text: ({ covered }) => covered },
      {
        title: 'BY',
        text: ({ answers }) => [...new Set(answers.flatMap(({ playbooks: by, rest }) => [...by, ...rest]))].join(', '),
      },
    ]);
    print();
  }
  if (layer !== undefined) print(`Written: ${layer}. Open it in the ATT&CK Navigator.`);
}
