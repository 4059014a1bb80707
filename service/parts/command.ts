import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface CommandResult {
  /** The exit code; null if the program could not be started or was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunCommandOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Called for each complete line of stderr, without its line end. Only the end of the text itself is kept then. */
  readonly onStderrLine?: (line: string) => void;
}

const keptWithLines = 65_536;

/**
 * Runs a program to its end. Never throws: for a program that cannot be started, code is null and stderr holds the reason. With `ownGroup` it leads a process
 * group, so that everything it starts can be ended with it; `onStart` receives its pid.
 */
export function runCommand(
  options: RunCommandOptions & { readonly ownGroup?: boolean; readonly onStart?: (pid: number) => void },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const { command, args, cwd, env, input, onStderrLine, ownGroup = false, onStart } = options;
    const child: ChildProcess = spawn(command, args, {
      ...(cwd && { cwd }),
      ...(env && { env }),
      stdio: 'pipe',
      detached: ownGroup,
    });
    if (child.pid !== undefined) onStart?.(child.pid);
    let stdout = '';
    let stderr = '';
    let begun = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (!onStderrLine) return;
      if (stderr.length > 2 * keptWithLines) stderr = stderr.slice(-keptWithLines);
      const lines = (begun + text).split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) if (line) onStderrLine(line);
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
    child.once('error', (error) => resolve({ code: null, stdout, stderr: error.message }));
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Returns the path of a program on PATH, or undefined. */
export function findOnPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Formats `{ port: 1, sans: ['a', 'b'] }` as `--port=1 --sans=a --sans=b`. */
export function flags(values: Readonly<Record<string, string | number | boolean | readonly string[]>>): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `--${name}=${one}`),
  );
}
