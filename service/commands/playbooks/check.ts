import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { counted } from '../../../core/text/counted.ts';
import type { CheckFinding } from '../../check/finding.ts';
import { packSourceAt } from '../../packs/pack-files.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printJson, styled } from '../output.ts';

interface CheckOptions extends CommonOptions {
  readonly pack?: string;
  readonly config?: string;
  readonly rules?: string;
  readonly live?: true;
  readonly strict?: true;
  readonly quick?: true;
}

const described =
  'check packs before they go live: code, types, every answer, replay, histories, rights, groups, guardrails, rules';

/** Adds `firebreak check`: everything to know about a pack before it goes live. */
export function registerCheck(program: Command): void {
  const command = program
    .command('check')
    .description(described)
    .argument(
      '[where]',
      'folder of a pack, or a tarball from `npm pack` (default: this folder, or the packs of the configuration)',
    );
  withChecks(command, [
    'firebreak check',
    'firebreak check our-playbooks --quick',
    'firebreak check . --config firebreak.yaml --strict',
  ]).action((where: string | undefined, options: CheckOptions) => {
    const here = existsSync('firebreak.pack.ts') || options.config === undefined ? '.' : undefined;
    const pack = where ?? here;
    return run({ ...options, ...(pack !== undefined && { pack }) });
  });
}

/** Adds `firebreak playbooks check`: the same, for the packs of a configuration. */
export function registerCheckCommand(group: Command): void {
  const command = group
    .command('check')
    .description(described)
    .option('--pack <path>', 'folder of a pack, or a tarball from `npm pack` (default: the packs of the configuration)');
  withChecks(command, [
    'firebreak playbooks check --pack .',
    'firebreak playbooks check --pack . --config firebreak.yaml --rules /etc/falco/rules.d',
    'firebreak playbooks check --config firebreak.yaml --live --json',
  ]).action(run);
}

function withChecks(command: Command, examples: readonly string[]): Command {
  command
    .option('--quick', 'only what is written: run no body, and replay no history')
    .option('--config <file>', 'the configuration that it will run with', process.env.FIREBREAK_CONFIG)
    .option('--rules <folder>', 'your rule files: rule names are looked up there, and unanswered rules are listed')
    .option('--live', 'ask the API server which rights are missing')
    .option('--strict', 'exit code 1 for warnings, too');
  return withExamples(withJson(command), examples).addHelpText(
    'after',
    '\nExit code 1 if there is an error. It changes nothing, and asks a cluster only with --live.',
  );
}

async function run({ pack, config: path, rules: folder, live, strict, quick, json }: CheckOptions): Promise<void> {
  // Imports the compiler, the simulation engine and decoders, which the other playbook commands do not need.
  const { checkPacks } = await import('../../check/check-packs.ts');
  const { loadConfig } = await import('../../config/load.ts');
  const { ruleSetInFolder } = await import('../../coverage/rule-files.ts');
  const config = path === undefined ? undefined : loadConfig({ path, env: process.env });
  if (live && !config)
    throw new FirebreakError('FB_ERR_INCOMPLETE', '--live needs --config, which says how to reach the cluster');
  const sources = pack === undefined ? (config?.packs.map(({ source }) => source) ?? []) : [packSourceAt(pack)];
  if (sources.length === 0)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'there is no pack to check: name one with --pack, or a configuration that has packs',
    );
  const { packs, findings } = await checkPacks({
    sources,
    ...(quick && { depth: 'quick' }),
    ...(config && { config }),
    ...(folder !== undefined && { rules: ruleSetInFolder(folder) }),
    ...(live && config && { live: { config } }),
  });
  const count = (severity: CheckFinding['severity']): number => findings.filter((one) => one.severity === severity).length;
  if (count('error') > 0 || (strict && count('warning') > 0)) process.exitCode = 1;
  if (json) {
    printJson({ ok: process.exitCode !== 1, packs: packs.map(({ name, version }) => ({ name, version })), findings });
    return;
  }
  for (const finding of findings) printFinding(finding);
  const names = packs.map(({ name, version }) => `${name} ${version}`).join(', ') || 'the pack';
  const counts = (['error', 'warning', 'notice'] as const).map((one) => counted(count(one), one));
  print(`${names}: ${counts.join(', ')}`);
}

const styles = { error: 'red', warning: 'yellow', notice: 'dim' } as const;

function printFinding(finding: CheckFinding): void {
  print(`${styled(styles[finding.severity], finding.severity.padEnd(7))}  ${printable(findingText(finding))}`);
}

/** With its place, if known. */
export function findingText({ playbook, file, line, problem, remedy }: CheckFinding): string {
  const place = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}`}: `;
  const who = playbook === undefined ? '' : `${playbook}: `;
  return `${place}${who}${problem}. ${remedy}`;
}
