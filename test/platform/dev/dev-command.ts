/** The `dev` command alone, as the command line has it. */
import { Command } from 'commander';
import { registerDevCommand } from '../../../service/commands/dev.ts';

const program = new Command('firebreak');
registerDevCommand(program);
await program.parseAsync();
