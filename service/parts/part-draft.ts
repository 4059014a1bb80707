import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { type CommandResult, type RunCommandOptions, runCommand } from './command.ts';

/**
 * Reads process groups from its parent (`+ PID`, `- PID`, `done`). When the parent is gone, for whatever reason, the pipe closes: it then ends the groups and
 * removes the files it was given. It has its own session, so Ctrl-C does not reach it.
 */
const watch = `
trap '' INT TERM HUP
groups=
while read -r op value; do
  case $op in
    +) groups="$groups $value" ;;
    -) rest=; for group in $groups; do [ "$group" = "$value" ] || rest="$rest $group"; done; groups=$rest ;;
    done) exit 0 ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
for turn in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$@" && exit 0; sleep 0.2; done
`;

/** Runs a program that ends, with everything it has started, when the installing process ends, and whose temporary files are removed with the draft. */
export type RunForPart = (options: RunCommandOptions) => Promise<CommandResult>;

/** The folder in which a part is built. It is removed when its process ends, even by kill -9. */
export class PartDraft {
  readonly folder: string;
  readonly #temporary: string;
  readonly #watch: ChildProcess;

  /** `alsoRemoved`: removed with it if this process ends before `close`. */
  constructor(folder: string, alsoRemoved: string) {
    this.folder = folder;
    this.#temporary = join(folder, '.tmp');
    this.#watch = spawn('/bin/sh', ['-c', watch, 'sh', folder, alsoRemoved], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#watch.once('error', () => {});
    this.#watch.stdin?.on('error', () => {});
  }

  open(): void {
    ensureFolderSync(this.#temporary);
  }

  readonly run: RunForPart = async (options) => {
    const env = { ...(options.env ?? process.env), TMPDIR: this.#temporary };
    let group: number | undefined;
    const onStart = (pid: number): void => {
      group = pid;
      this.#tell(`+ ${pid}`);
    };
    const result = await runCommand({ ...options, env, ownGroup: true, onStart });
    if (group !== undefined) this.#tell(`- ${group}`);
    return result;
  };

  /** Called before the draft becomes the part, so that it contains nothing temporary. */
  removeTemporary(): void {
    rmSync(this.#temporary, { recursive: true, force: true });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
    this.#tell('done');
    this.#watch.stdin?.end();
    this.#watch.unref();
  }

  #tell(line: string): void {
    if (this.#watch.stdin?.writable) this.#watch.stdin.write(`${line}\n`);
  }
}
