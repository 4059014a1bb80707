import { type Command, InvalidArgumentError, Option } from 'commander';
import { namespacePattern } from '../../core/cluster/namespace-name.ts';
import { type Duration, durationMs } from '../../core/playbook/duration.ts';
import type { ListForm } from './output.ts';

export interface CommonOptions {
  readonly json?: true;
}

/** Options of a command that prints a list. */
export interface OutputOptions extends CommonOptions {
  readonly output?: ListForm;
}

export interface ConfiguredOptions extends CommonOptions {
  readonly config: string;
}

/** Parses a duration. @throws InvalidArgumentError */
export function milliseconds(text: string): number {
  try {
    return durationMs(text as Duration);
  } catch {
    throw new InvalidArgumentError('Expected a duration such as 30d, 12h or 15m.');
  }
}

/** An option with a duration and a default, which the help shows in its written form. */
export function durationOption(flags: string, description: string, usual: Duration): Option {
  return new Option(flags, description).argParser(milliseconds).default(durationMs(usual), usual);
}

/** Parses a positive count. */
export function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('Expected a whole number, 1 or more.');
  return number;
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON');
}

/** Adds `--output` to a command that prints a list and has `--json`, which is short for `--output json`. */
export function withOutput(command: Command): Command {
  const forms: readonly ListForm[] = ['table', 'wide', 'json'];
  return command
    .addOption(new Option('-o, --output <form>', 'wide: all columns, nothing cut').choices(forms).default(forms[0]))
    .hook('preAction', (_, one) => {
      if (one.getOptionValue('output') === 'json') one.setOptionValue('json', true);
    });
}

/** Returns whether these arguments ask for JSON, in either way. */
export function asksForJson(args: readonly string[]): boolean {
  return args.some(
    (arg, place) =>
      arg === '--json' ||
      /^(?:--output=|-o=?)json$/.test(arg) ||
      (arg === 'json' && /^(?:--output|-o)$/.test(args[place - 1] ?? '')),
  );
}

/** Parses a namespace name as Kubernetes accepts it (RFC 1123 label). @throws InvalidArgumentError */
export function namespaceName(text: string): string {
  if (!namespacePattern.test(text)) throw new InvalidArgumentError('Expected the name of a namespace.');
  return text;
}

/** Adds `--config` and `--json`, for every command that needs the configuration. */
export function withConfig(command: Command): Command {
  return withJson(command.option('--config <file>', 'configuration file', process.env.FIREBREAK_CONFIG ?? 'firebreak.yaml'));
}

/** Adds `--as` and `--key`: the person who gives the order or the answer. For frequent use, set `FIREBREAK_AS` and `FIREBREAK_KEY`. */
export function withPerson(command: Command, role = 'who answers'): Command {
  const key = 'your own Ed25519 private key (PEM); the roster lists the public key';
  return command
    .addOption(new Option('--as <person>', `${role}: an id from the roster`).env('FIREBREAK_AS').makeOptionMandatory())
    .addOption(new Option('--key <file>', key).env('FIREBREAK_KEY').makeOptionMandatory());
}

/** Adds examples below the help, in the same form for all commands. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}
