import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

/**
 * Adds `firebreak completion bash|zsh|fish`, which prints a script for the shell, and the hidden `firebreak complete -- WORDS…` that the
 * script asks. To be called when the other commands are there.
 */
export function registerCompletionCommand(program: Command): void {
  tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('completion of commands and options: source what it prints')
    .addHelpText(
      'after',
      '\nExamples:\n  $ source <(firebreak completion bash)\n  $ firebreak completion zsh > ~/.zfunc/_firebreak\n  $ firebreak completion fish > ~/.config/fish/completions/firebreak.fish',
    );
}
