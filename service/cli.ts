import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultOf } from './commands/fault.ts';
import { createProgram } from './commands/program.ts';
import { projectRoot } from './dev/project-root.ts';

/** The version of package.json. */
function version(): string {
  const text: unknown = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8'));
  return typeof text === 'object' && text !== null && 'version' in text ? String(text.version) : 'unknown';
}

// A reader that has seen enough (`| head`) is no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** For what was written to leave. */
const leftoverMs = 1_000;
const args = process.argv.slice(2);
try {
  const program = await createProgram({ version: version(), args });
  await program.parseAsync(args, { from: 'user' });
} catch (error) {
  const { lines, exitCode } = faultOf(error, { json: args.includes('--json'), debug: Boolean(process.env.FIREBREAK_DEBUG) });
  for (const line of lines) process.stderr.write(`${line}\n`);
  process.exitCode = exitCode;
  // What was begun before the fault must not keep the process: who watches it has to see that it is not at work.
  setTimeout(() => process.exit(), leftoverMs).unref();
}
