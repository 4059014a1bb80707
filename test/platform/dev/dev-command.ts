/** The `dev` command alone, as the command line has it. */
import { Command } from 'commander';
import { register } from '../../../tools/commands/dev.ts';

const program = new Command('firebreak');
register(program);
await program.parseAsync();
