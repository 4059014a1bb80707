import { type Command, InvalidArgumentError, Option } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';

export interface DeskOptions {
  readonly desk?: string;
  readonly ca?: string;
}

/** The desk to query instead of Temporal and the database. */
export interface DeskPlace {
  /** Its origin: `https://firebreak.example.com`. */
  readonly url: string;
  /** File with additional certificate authorities. */
  readonly ca?: string;
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Requires TLS except on the local machine: anyone who can read the traffic gets the token. */
export function isSafe(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname));
}

/** Also accepts an address copied from the browser's address bar: only the desk's origin is used. */
function deskUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text))
    throw new InvalidArgumentError('Expected its address, such as https://firebreak.example.com.');
  const url = new URL(text);
  if (!isSafe(url)) throw new InvalidArgumentError('https is required, except on this machine itself.');
  return url.origin;
}

function caOption(): Option {
  return new Option('--ca <file>', 'with --desk: certificate authorities (PEM) to trust, in addition to those of the system').env(
    'FIREBREAK_DESK_CA',
  );
}

function deskOption(about: string): Option {
  return new Option('--desk <url>', about).argParser(deskUrl).env('FIREBREAK_DESK');
}

/** Adds `--desk` and `--ca` to a command that a desk can answer. */
export function withDesk(command: Command): Command {
  return command
    .addOption(deskOption('ask this desk, with the sign-in of `firebreak login`: no configuration or key is needed'))
    .addOption(caOption());
}

/** The same for the sign-in itself, which only exists at a desk. */
export function withDeskAlone(command: Command): Command {
  return command
    .addOption(deskOption('where people reach the desk: the address of the console').makeOptionMandatory())
    .addOption(caOption());
}

/** Returns the desk to query; undefined if the configuration is to be used. Options on the command line take precedence over the environment. */
export function deskOf({ desk, ca }: DeskOptions, command: Command, otherwise = 'config'): DeskPlace | undefined {
  if (desk === undefined) return undefined;
  const isTyped = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  if (isTyped(otherwise)) {
    if (!isTyped('desk')) return undefined;
    throw new FirebreakError('FB_ERR_INCOMPLETE', `--desk and --${otherwise} cannot be combined: use one of them`);
  }
  return placeOf({ desk, ca });
}

export function placeOf({ desk, ca }: { readonly desk: string; readonly ca: string | undefined }): DeskPlace {
  return { url: desk, ...(ca !== undefined && { ca }) };
}

/** Makes all other commands say that a desk cannot answer them, instead of reporting an unknown option. */
export function refuseDesk(command: Command, path: readonly string[] = []): void {
  for (const one of command.commands) refuseDesk(one, [...path, one.name()]);
  if (command.commands.length > 0 || command.options.some(({ long }) => long === '--desk')) return;
  const refuse = (): never => {
    const name = path.join(' ');
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `firebreak ${name} cannot use --desk: a desk shows incidents, playbooks and what is in force. ${instead(name)}`,
    );
  };
  command.addOption(new Option('--desk <url>').argParser(refuse).hideHelp());
}

const deciding =
  /^(answer|approve|deny|quarantine|containment|suppress|hold|freeze|observe|break-glass|unfreeze|restraints|incidents start|deadlines|pack|evidence|records)\b/;

function instead(name: string): string {
  return deciding.test(name)
    ? 'Decide in Slack or in the console, or with --config and your own key where Firebreak can be reached'
    : 'Run it with --config where Firebreak runs';
}
