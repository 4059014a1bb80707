import type { Command } from 'commander';

export interface CommonOptions {
  readonly json?: true;
}

export interface ConfiguredOptions extends CommonOptions {
  readonly config: string;
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON');
}

/** `--config` and `--json`, as every command that needs the configuration has them. */
export function withConfig(command: Command): Command {
  return withJson(command.option('--config <file>', 'configuration file', process.env.FIREBREAK_CONFIG ?? 'firebreak.yaml'));
}

/** Examples below the help, in the one form that all commands have. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}
