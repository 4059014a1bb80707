import { resolve } from 'node:path';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { readPackAt } from '../../packs/pack-files.ts';
import { packFaults } from '../../packs/pack-rules.ts';
import type { HistoryFault } from '../../trial/histories.ts';
import { faultsOfHistories } from '../../trial/recorded.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';

/** Adds `firebreak pack histories`. */
export function registerHistories(pack: Command): void {
  withExamples(
    withJson(
      pack
        .command('histories')
        .description('record what each playbook does on a real Temporal, for silence and each answer, as the pack’s histories')
        .argument('[folder]', 'folder of the pack', '.')
        .option('--check', 'only replay the recorded histories; exit code 1 if a playbook takes another path'),
    ),
    ['firebreak pack histories', 'firebreak pack histories --check'],
  ).action(histories);
}

export function printChanged(faults: readonly HistoryFault[]): void {
  for (const { file, problem, remedy } of faults) print(printable(`${file}: ${problem}. ${remedy}.`));
}

async function histories(where: string, { check, json }: CommonOptions & { readonly check?: true }): Promise<void> {
  const folder = resolve(where);
  const files = readPackAt({ folder });
  const [fault] = packFaults(files);
  if (fault) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${fault.file}:${fault.line}: ${fault.problem}. ${fault.remedy}`);
  if (check) {
    const changed = await faultsOfHistories(folder, files);
    if (changed.length > 0) process.exitCode = 1;
    if (json) printJson({ ok: changed.length === 0, faults: changed });
    else if (changed.length > 0) printChanged(changed);
    else print('Every history replays.');
    return;
  }
  const { recordHistories } = await import('../../trial/histories.ts');
  const { packBundle } = await import('../../trial/trial-bundle.ts');
  const recorded = await recordHistories(folder, await packBundle(folder, files));
  if (json) printJson(recorded);
  else
    printTable(recorded, [
      { title: 'PLAYBOOK', text: ({ playbook }) => playbook },
      { title: 'ANSWER', text: ({ answer }) => answer },
      { title: 'EVENTS', text: ({ events }) => String(events) },
      { title: 'FILE', text: ({ file }) => file },
    ]);
}
