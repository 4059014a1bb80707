import { type Command, InvalidArgumentError, Option } from 'commander';
import { namespacePattern } from '../../core/cluster/namespace-name.ts';
import { type Duration, durationMs } from '../../core/playbook/duration.ts';

export interface CommonOptions {
  readonly json?: true;
}

export interface ConfiguredOptions extends CommonOptions {
  readonly config: string;
}

/** Of what is typed as a duration. @throws InvalidArgumentError */
export function milliseconds(text: string): number {
  try {
    return durationMs(text as Duration);
  } catch {
    throw new InvalidArgumentError('Not a duration, such as 30d, 12h or 15m.');
  }
}

/** A time that has a usual value, which the help shows as people write it. */
export function durationOption(flags: string, description: string, usual: Duration): Option {
  return new Option(flags, description).argParser(milliseconds).default(durationMs(usual), usual);
}

/** How many of something. */
export function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('A whole number from 1 is needed.');
  return number;
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON');
}

/** What Kubernetes takes as the name of a namespace (RFC 1123 label). @throws InvalidArgumentError */
export function namespaceName(text: string): string {
  if (!namespacePattern.test(text)) throw new InvalidArgumentError('Not the name of a namespace.');
  return text;
}

/** `--config` and `--json`, as every command that needs the configuration has them. */
export function withConfig(command: Command): Command {
  return withJson(command.option('--config <file>', 'configuration file', process.env.FIREBREAK_CONFIG ?? 'firebreak.yaml'));
}

/** `--as` and `--key`: who it is that orders or answers. Whoever does so often sets `FIREBREAK_AS` and `FIREBREAK_KEY`. */
export function withPerson(command: Command, role = 'who answers'): Command {
  const key = 'your own Ed25519 private key (PEM); the roster lists the public key';
  return command
    .addOption(new Option('--as <person>', `${role}: an id of the roster`).env('FIREBREAK_AS').makeOptionMandatory())
    .addOption(new Option('--key <file>', key).env('FIREBREAK_KEY').makeOptionMandatory());
}

/** Examples below the help, in the one form that all commands have. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}
