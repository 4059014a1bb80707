import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { FirebreakError } from '../../core/errors.ts';
import { checkConfig, type SecretRef } from '../config/load.ts';
import { describeProblem } from '../config/problems.ts';
import { missingSecrets, type Role, roles } from '../config/secrets.ts';
import { type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { print, printable, printJson } from './output.ts';
import { roleList } from './role-list.ts';

interface CheckOptions extends ConfiguredOptions {
  readonly role: readonly Role[];
}

/** Adds `firebreak config check`. */
export function registerConfigCommand(program: Command): void {
  const config = program.command('config').description('the configuration file');
  const check = config
    .command('check')
    .description('check the file, and print the effective configuration with secrets hidden')
    .option('--role <roles>', 'whose secrets are looked for', roleList, roles);
  withExamples(withConfig(check), [
    'firebreak config check --config firebreak.yaml',
    'firebreak config check --role desk --json',
  ]).action(checkFile);
}

function isSecretRef(value: object): value is SecretRef {
  const [entry, ...others] = Object.entries(value);
  return others.length === 0 && (entry?.[0] === 'env' || entry?.[0] === 'file') && typeof entry[1] === 'string';
}

function hidden(ref: SecretRef): string {
  if ('env' in ref) return `hidden (environment ${ref.env}: ${process.env[ref.env] ? 'set' : 'not set'})`;
  return `hidden (file ${ref.file}: ${existsSync(ref.file) ? 'there' : 'not there yet'})`;
}

/** The configuration as it may be shown: where a secret is, never what it is. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  if (isSecretRef(value)) return hidden(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]));
}

function checkFile(options: CheckOptions): void {
  const checked = checkConfig({ path: options.config, env: process.env });
  const problems = checked.ok
    ? missingSecrets({ config: checked.config, env: process.env, roles: options.role })
    : checked.problems;
  if (options.json) {
    printJson({ ok: problems.length === 0, problems, ...(checked.ok && { config: shown(checked.config) }) });
    if (problems.length > 0) process.exitCode = 1;
    return;
  }
  if (checked.ok) print(stringify(shown(checked.config), { lineWidth: 0 }).trimEnd());
  if (problems.length === 0) return;
  const lines = problems.map((problem) => `\n  ${printable(describeProblem(problem))}`).join('');
  throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${options.config}:${lines}`);
}
