import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { completionScripts } from './completion-scripts.ts';

/** Value names in the help for which the shell itself knows the candidates. */
const pathName = /^(file|folder|dir|path|paths|pack)$/;

/**
 * Adds `firebreak completion bash|zsh|fish`, which prints a script for the shell, and the hidden `firebreak complete -- WORDS…` that the script calls. Call it
 * after all other commands are registered.
 */
export function registerCompletionCommand(program: Command): void {
  const offers = tab(program, { completionCommandName: 'completion' });
  const { parse, setup } = offers;
  offers.setup = (name, executable, shell) => {
    const script = completionScripts[shell];
    if (script === undefined) setup.call(offers, name, executable, shell);
    else process.stdout.write(script);
  };
  offers.parse = (words) => {
    if (isForPath(program, words)) process.stdout.write(':0\n');
    else {
      const [first = '', ...others] = words;
      // The package knows no aliases.
      const named = others.length > 0 ? program.commands.find((command) => command.aliases().includes(first))?.name() : undefined;
      parse.call(offers, [named ?? first, ...others]);
    }
  };
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('print a script for shell completion, to be sourced')
    .addHelpText(
      'after',
      '\nExamples:\n  $ source <(firebreak completion bash)\n  $ firebreak completion zsh > ~/.zfunc/_firebreak   # a folder of your fpath\n  $ firebreak completion fish > ~/.config/fish/completions/firebreak.fish',
    );
}

/** Returns whether the last word is the name of a file or folder, or the beginning of one. */
function isForPath(program: Command, words: readonly string[]): boolean {
  const last = words.at(-1) ?? '';
  let command = program;
  let places = 0;
  let value: string | undefined;
  for (const word of words.slice(0, -1)) {
    const isValue = value !== undefined;
    value = isValue ? undefined : valueName(command, word);
    if (isValue || word.startsWith('-')) continue;
    const next = places === 0 ? command.commands.find((one) => one.name() === word || one.aliases().includes(word)) : undefined;
    if (next) command = next;
    else places += 1;
  }
  const [option = '', typed] = last.split('=', 2);
  if (option.startsWith('-')) return typed !== undefined && pathName.test(valueName(command, option) ?? '');
  if (value !== undefined) return pathName.test(value);
  const taken = command.registeredArguments;
  const argument = taken[places] ?? taken.find((one) => one.variadic);
  return argument !== undefined && pathName.test(argument.name());
}

/** The name of an option's value in the help: `file` for `--config <file>`. Undefined: the option takes no value. */
function valueName(command: Command, word: string): string | undefined {
  const option = command.options.find(({ long, short }) => word === long || word === short);
  return option && /[<[]([\w-]+)/.exec(option.flags)?.[1];
}
