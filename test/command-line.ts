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
  /** Beside PATH and HOME; nothing else of this process's environment is there. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard input; without it there is none, also where the tests have a terminal. */
  readonly input?: string | Uint8Array;
}

/**
 * What the command line makes of these arguments, in this process: all of it but the start of a Node, which takes a third of a second of the
 * processor for each. What only a process has – that it ends (the doctor ends it itself), a pipe that brings its input bit by bit or closes, a signal, what it loads – is tested with
 * `firebreakProcess`. One after the other.
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
 * What Node is told to run as the command line: of a whole run what is built, as users have it, which loads in less time than its sources; of a file
 * that runs alone the sources as they stand.
 */
export function commandFile(): string {
  return join(projectRoot(), ...(process.env.FIREBREAK_TEST_RUN === undefined ? ['service/cli.ts'] : ['dist/service/cli.js']));
}

/** The command line as a process of its own. What this process offers it meanwhile it finds. */
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
