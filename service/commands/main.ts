import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheFolder } from '../process/cache-folder.ts';
import { firebreakVersion } from '../process/project-root.ts';

/** Time for pending output to be written. */
const leftoverMs = 1_000;

/** The command line: runs one command, from its arguments to its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  // Compiling takes a quarter of the time of a short command and, for the sources, 30 MB of memory, so the compiled code is cached. The service starts only once.
  if (args[0] !== 'run') enableCompileCache(join(cacheFolder(), 'compiled'));
  // A reader that has seen enough (`| head`) is not an error.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  // What was started before an error must not keep the process alive: a supervisor has to see that it no longer works.
  if (!(await runCommandLine(args))) setTimeout(() => process.exit(), leftoverMs).unref();
}

/** Runs one command. Reports its error on standard error and sets the exit code of the process. Returns false after an error. */
export async function runCommandLine(args: readonly string[]): Promise<boolean> {
  // Before anything else is loaded: on a busy machine, loading alone takes seconds.
  const done = process.stderr.isTTY ? (await import('../process/working-line.ts')).showWork(args) : undefined;
  try {
    const { createProgram } = await import('./program.ts');
    const program = await createProgram({ version: firebreakVersion(), args });
    await program.parseAsync(args, { from: 'user' });
    done?.();
    return true;
  } catch (error) {
    done?.();
    const [{ faultOf }, { asksForJson }] = await Promise.all([import('./output.ts'), import('./options.ts')]);
    const { lines, exitCode } = faultOf(error, { json: asksForJson(args), debug: Boolean(process.env.FIREBREAK_DEBUG) });
    for (const line of lines) process.stderr.write(`${line}\n`);
    process.exitCode = exitCode;
    return false;
  }
}
