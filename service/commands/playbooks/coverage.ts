import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { writeProblem } from '../../../core/system-error.ts';
import { enabledPlaybooks } from '../../config/packs.ts';
import type { DescribedPack } from '../../packs/describe.ts';
import { readPackAt } from '../../packs/pack-files.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printJson, printTable, styled } from '../output.ts';

interface CoverageOptions extends CommonOptions {
  readonly pack?: string;
  readonly config?: string;
  readonly rules?: string;
  readonly enabled?: readonly string[];
  readonly layer?: string;
  readonly all?: true;
}

/** Adds `firebreak playbooks coverage`: which playbook answers which rule, and which rules none answers. */
export function registerCoverageCommand(group: Command): void {
  const command = group
    .command('coverage')
    .description('show which rules the playbooks answer, of the public rule sets or of your own rule files')
    .option('--config <file>', 'use what this configuration enables, including its packs', process.env.FIREBREAK_CONFIG)
    .option('--pack <path>', 'add the playbooks of this pack: a folder, or a tarball from `npm pack`')
    .option('--rules <folder>', 'your rule files: Falco rules, TracingPolicies, KubeArmor policies')
    .option('--enabled <ids...>', 'only these playbooks, and the one that answers everything else')
    .option('--layer <file>', 'write a layer for the ATT&CK Navigator (v19)')
    .option('--all', 'list the answered rules too');
  withExamples(withJson(command), [
    'firebreak playbooks coverage',
    'firebreak playbooks coverage --rules /etc/falco/rules.d',
    'firebreak playbooks coverage --pack . --rules /etc/falco/rules.d',
    'firebreak playbooks coverage --layer firebreak.layer.json',
  ]).action(coverage);
}

async function packAt(path: string): Promise<DescribedPack> {
  const { describePack } = await import('../../packs/describe.ts');
  const { packFaults } = await import('../../packs/pack-rules.ts');
  const files = readPackAt(path);
  const [fault] = packFaults(files);
  if (fault) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${fault.file}:${fault.line}: ${fault.problem}. ${fault.remedy}`);
  return describePack(files).pack;
}

async function coverage({ pack, config: path, rules: folder, enabled, layer, all, json }: CoverageOptions): Promise<void> {
  // Imports decoders and rule sets, which the other playbook commands do not need.
  const { ruleSets } = await import('../../../core/rules/known-rules.ts');
  const { coverageInTurns, navigatorLayer, percentCovered } = await import('../../coverage/coverage.ts');
  const { ruleSetInFolder } = await import('../../coverage/rule-files.ts');
  const { tellProgress } = await import('../../process/working-line.ts');
  const config = path === undefined ? undefined : (await import('../../config/load.ts')).loadConfig({ path, env: process.env });
  const own = pack === undefined ? [] : [await packAt(pack)];
  const names = own.map(({ name }) => name);
  const packs = [...(config?.packs ?? []).filter(({ name }) => !names.includes(name)), ...own];
  const chosen = enabled ?? config?.playbooks.enabled ?? 'all';
  const ofPack = own.flatMap(({ playbooks }) => playbooks.map(({ id }) => id));
  const sets = await coverageInTurns(
    // A pack named on the command line is included, whatever the configuration enables.
    enabledPlaybooks({ packs, playbooks: { enabled: chosen === 'all' || enabled ? chosen : [...chosen, ...ofPack] } }),
    folder === undefined ? ruleSets : [ruleSetInFolder(folder)],
    (share) => tellProgress('matching rules', share),
  );
  if (layer !== undefined) writeLayer(layer, `${JSON.stringify(navigatorLayer(sets), null, 2)}\n`);
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

/** @throws FB_ERR_INCOMPLETE */
function writeLayer(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${file} cannot be written: ${writeProblem(error)}`);
  }
}
