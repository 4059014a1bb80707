import { join } from 'node:path';
import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import { runCommandLine } from '../service/commands/main.ts';
import { runCommand } from '../service/parts/command.ts';
import { projectRoot } from '../service/process/project-root.ts';

export interface CommandRun {
  /** Its exit code. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Around {
  readonly folder: string;
  /** In addition to PATH and HOME; nothing else of this process's environment is passed. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard input; if not set there is none, even if the tests have a terminal. */
  readonly input?: string | Uint8Array;
}

/**
 * Runs the command line with these arguments in this process: everything but the start of a Node, which takes a third of a second of processor time each. What
 * only a process has (that it exits, which the doctor does itself; a pipe that brings its input bit by bit or closes; a signal; what it loads) is tested with
 * `firebreakProcess`. One run after the other.
 */
export function firebreakHere(args: readonly string[], around: Around): Promise<CommandRun> {
  const run = before.then(() => runHere(args, around));
  before = run.then(
    () => undefined,
    () => undefined,
  );
  return run;
}
let before = Promise.resolve<undefined>(undefined);

async function runHere(args: readonly string[], { folder, env = {}, input }: Around): Promise<CommandRun> {
  const { exitCode, env: environment } = process;
  const from = process.cwd();
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') ?? {};
  const given = Readable.from(input === undefined ? [] : [Buffer.from(input)]);
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    jest.spyOn(process[name], 'write').mockImplementation((piece, ...more: readonly unknown[]) => {
      said[name] += typeof piece === 'string' ? piece : Buffer.from(piece).toString('utf8');
      for (const done of more) if (typeof done === 'function') done();
      return true;
    }),
  );
  try {
    process.chdir(folder);
    process.env = { ...ofThisProcess(), ...env };
    process.exitCode = undefined;
    Object.defineProperty(process, 'stdin', { ...stdin, get: () => given });
    await runCommandLine(args);
    return { status: Number(process.exitCode ?? 0), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
    Object.defineProperty(process, 'stdin', stdin);
    process.exitCode = exitCode;
    process.env = environment;
    process.chdir(from);
  }
}

/**
 * What Node runs as the command line: in a whole run the built product, as users have it, which loads faster than its sources; for a file that runs alone the
 * current sources.
 */
export function commandFile(): string {
  return join(projectRoot(), ...(process.env.FIREBREAK_TEST_RUN === undefined ? ['service/cli.ts'] : ['dist/service/cli.js']));
}

/** The command line as its own process. It can reach what this process serves meanwhile. */
export async function firebreakProcess(
  args: readonly string[],
  { folder, env = {}, input = '' }: Around & { readonly input?: string },
): Promise<CommandRun> {
  const { code, stdout, stderr } = await runCommand({
    command: process.execPath,
    args: [commandFile(), ...args],
    cwd: folder,
    env: { ...ofThisProcess(), ...env },
    input,
  });
  return { status: code, stdout, stderr };
}

function ofThisProcess(): Readonly<Record<string, string>> {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
  return { PATH, HOME, NODE_COMPILE_CACHE };
}
