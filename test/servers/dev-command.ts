/** The `dev` command alone, as in the command line. */
import { Command } from 'commander';
import { faultOf } from '../../service/commands/output.ts';
import { register } from '../../tools/commands/dev.ts';

const program = new Command('firebreak');
register(program);
try {
  await program.parseAsync();
} catch (error) {
  const { lines, exitCode } = faultOf(error, { json: process.argv.includes('--json'), debug: false });
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = exitCode;
}
