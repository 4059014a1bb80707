import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { serviceEnvironment, serviceNodeFlags } from '../../../service/launcher/node-flags.mjs';
import { residentBytes } from '../../../tools/demo/processes.ts';
import { type RunningServer, type ServerGroup, waitUntilReady } from '../../../tools/platform/server-group.ts';
import { compiled } from '../../platform/e2e/parts/program.ts';

interface MemberOptions {
  readonly name: string;
  readonly roles: string;
  readonly folder: string;
  /** The folder of the package to run. */
  readonly program: string;
  readonly group: ServerGroup;
  readonly config: Readonly<Record<string, unknown>>;
  /** Its keys folder, by file name: what it may read, and nothing else. */
  readonly keys: Readonly<Record<string, string>>;
  /** Port of its status server. */
  readonly statusPort: number;
}

/** One process of Firebreak with its own folder, configuration and keys, like a pod. Can be killed and restarted on that folder. */
export class Member {
  readonly name: string;
  readonly configFile: string;
  readonly #options: MemberOptions;
  readonly #logFile: string;
  #process: RunningServer | undefined;

  constructor(options: MemberOptions) {
    const { name, folder, config, keys, statusPort } = options;
    this.name = name;
    this.#options = options;
    const home = join(folder, name);
    const keyFolder = join(home, 'state', 'keys');
    mkdirSync(keyFolder, { recursive: true, mode: 0o700 });
    for (const [file, text] of Object.entries(keys)) writeFileSync(join(keyFolder, file), text, { mode: 0o600 });
    this.configFile = join(home, 'firebreak.yaml');
    this.#logFile = join(home, 'firebreak.log');
    writeFileSync(this.configFile, stringify({ ...config, stateDir: 'state', status: { listen: { port: statusPort } } }), {
      mode: 0o600,
    });
  }

  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() === true;
  }

  get residentBytes(): number | undefined {
    return this.#process && residentBytes(this.#process.pid);
  }

  /** Resolves when it reports that it is working and has its rights. */
  async start(): Promise<void> {
    const { name, roles, program, group, statusPort } = this.#options;
    const cli = join(program, 'dist', 'service', 'cli.js');
    this.#process = group.start({
      name,
      command: process.execPath,
      args: [...serviceNodeFlags, cli, 'run', '--role', roles, '--config', this.configFile],
      env: { ...serviceEnvironment, ...compiled() },
      logFile: this.#logFile,
    });
    const ready = async (): Promise<boolean> => {
      const url = `http://127.0.0.1:${statusPort}/readyz`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.status === 200;
    };
    await waitUntilReady({ server: this.#process, ready, timeoutMs: 240_000 });
  }

  async kill(): Promise<void> {
    if (this.#process) await this.#options.group.end(this.#process, 'SIGKILL');
  }
}
