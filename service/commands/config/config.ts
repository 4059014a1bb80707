import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { type Config, type ConfigProblem, checkConfig, type SecretRef } from '../../config/load.ts';
import { describeProblem } from '../../config/problems.ts';
import { missingSecrets, type Role, roles } from '../../config/secrets.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { roleList } from '../role-list.ts';

interface CheckOptions extends ConfiguredOptions {
  readonly role: readonly Role[];
  readonly connect?: true;
  readonly effective?: true;
  readonly beforeInstall?: true;
}

/** Adds `firebreak config check`. */
export function registerConfigCommand(program: Command): void {
  const config = program.command('config').description('the configuration file');
  const check = config
    .command('check')
    .description('say whether the file is valid, and everything that is wrong with it')
    .option('--role <roles>', 'the roles whose secrets and files are checked', roleList, roles)
    .option(
      '--before-install',
      'only what is wrong with the file itself: secrets are elsewhere, and whether enough people can answer is a warning',
    )
    .option('--effective', 'also print the effective configuration, defaults included, with secrets hidden')
    .option('--connect', 'also connect to what it names: files, Temporal, and the API server of the cluster');
  withExamples(withConfig(check), [
    'firebreak config check --config firebreak.yaml',
    'firebreak config check --connect --role cell',
    'firebreak config check --effective > effective.yaml',
    'firebreak config check --role desk --json',
  ]).action(checkFile);
}

function isSecretRef(value: object): value is SecretRef {
  const [entry, ...others] = Object.entries(value);
  return others.length === 0 && (entry?.[0] === 'env' || entry?.[0] === 'file') && typeof entry[1] === 'string';
}

function hidden(ref: SecretRef): string {
  if ('env' in ref) return `hidden (environment ${ref.env}: ${process.env[ref.env] ? 'set' : 'not set'})`;
  return `hidden (file ${ref.file}: ${existsSync(ref.file) ? 'found' : 'not found'})`;
}

/** The configuration for display: shows where each secret is stored, never its value. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  if (isSecretRef(value)) return hidden(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]));
}

/** For each pack: what the file says about it, the ids of its playbooks, and what its own actions may do. */
function withPackNames(config: Config): object {
  const packs = config.packs.map(({ name, version, source, integrity, playbooks, actions, secrets, settings }) => ({
    name,
    version,
    ...source,
    integrity,
    playbooks: playbooks.map(({ id }) => id),
    ...(actions.length > 0 && {
      actions: actions.map(({ name: action, effect, reach, rights, own }) => ({
        name: action,
        effect,
        reach,
        ...(own.weakens && { weakens: true }),
        rights,
        secrets: own.secrets,
        settings: own.settings,
        egress: own.egress,
      })),
      secrets,
      settings,
    }),
  }));
  return { ...config, packs };
}

/** Lists every problem, then ends with one line that says whether the file is valid. */
async function checkFile(options: CheckOptions): Promise<void> {
  const { config: path, role, json, beforeInstall = false } = options;
  const checked = checkConfig({ path, env: process.env, watched: [] });
  const { config, without } = checked.ok ? { config: checked.config, without: new Set<string>() } : (checked.rest ?? {});
  const isRead = (problem: ConfigProblem): boolean => !without?.has(problem.path.split(/[.[]/)[0] ?? '');
  // Imported only on request: with its clients it takes longer to load than everything else.
  const tried =
    config && options.connect
      ? await (await import('../../doctor/reach.ts')).connectProblems({ config, env: process.env, roles: role })
      : [];
  const problems = [
    ...(checked.ok ? [] : checked.problems),
    ...(beforeInstall ? [] : checked.deadEnds),
    ...(config && !beforeInstall ? missingSecrets({ config, env: process.env, roles: role }) : []).filter(isRead),
    ...tried.filter(isRead),
  ];
  if (problems.length > 0) process.exitCode = 1;
  if (json)
    return printJson({
      ok: problems.length === 0,
      problems,
      ...(checked.ok && { config: shown(withPackNames(checked.config)) }),
    });
  if (checked.ok && options.effective) print(stringify(shown(withPackNames(checked.config)), { lineWidth: 0 }).trimEnd());
  // On standard error, so that it stays separate from output for programs, and last.
  const say = (line: string): boolean => process.stderr.write(`${printable(line)}\n`);
  if (beforeInstall) for (const problem of checked.deadEnds) say(`warning: ${describeProblem(problem)}`);
  for (const problem of problems) say(describeProblem(problem));
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  say(problems.length === 0 ? `${path} is valid.` : `${path} is not valid: ${count}, above.`);
}
