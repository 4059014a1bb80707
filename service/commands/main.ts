import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheFolder } from '../process/cache-folder.ts';
import { firebreakVersion } from '../process/project-root.ts';

/** For what was written to leave. */
const leftoverMs = 1_000;

/** The command line: one command, from its arguments to its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  // Compiling takes a quarter of what a short command takes, and of the sources 30 MB more: what was compiled is kept. The service begins once.
  if (args[0] !== 'run') enableCompileCache(join(cacheFolder(), 'compiled'));
  // A reader that has seen enough (`| head`) is no fault.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  // What was begun before a fault must not keep the process: who watches it has to see that it is not at work.
  if (!(await runCommandLine(args))) setTimeout(() => process.exit(), leftoverMs).unref();
}

/** Runs one command. What it fails with is said on standard error. Leaves its exit code to the process; false after a fault. */
export async function runCommandLine(args: readonly string[]): Promise<boolean> {
  // Before anything else is loaded: on a busy machine that alone takes seconds.
  const done = process.stderr.isTTY ? (await import('../process/working-line.ts')).showWork(args) : undefined;
  try {
    const { createProgram } = await import('./program.ts');
    const program = await createProgram({ version: firebreakVersion(), args });
    await program.parseAsync(args, { from: 'user' });
    done?.();
    return true;
  } catch (error) {
    done?.();
    const { faultOf } = await import('./output.ts');
    const { lines, exitCode } = faultOf(error, { json: args.includes('--json'), debug: Boolean(process.env.FIREBREAK_DEBUG) });
    for (const line of lines) process.stderr.write(`${line}\n`);
    process.exitCode = exitCode;
    return false;
  }
}
