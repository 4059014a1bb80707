import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';

/**
 * Reads pids of servers from its parent (`+ PID`, `- PID`, `kind NAME`, `forget all`). When the parent is gone for any reason, the pipe closes, and this
 * process ends whatever is left. It has its own session, so Ctrl-C does not reach it.
 */
const undertaker = `
trap '' INT TERM HUP
pids= kind=
while read -r op value; do
  case $op in
    +) pids="$pids $value" ;;
    -) rest=; for pid in $pids; do [ "$pid" = "$value" ] || rest="$rest $pid"; done; pids=$rest; [ "$kind" != "$value" ] || kind= ;;
    kind) kind=$value ;;
    forget) exit 0 ;;
  esac
done
[ -z "$kind" ] || kind delete cluster --name "$kind"
for pid in $pids; do kill "$pid"; done
for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  left=; for pid in $pids; do kill -0 "$pid" && left="$left $pid"; done; pids=$left
  [ -n "$pids" ] || exit 0
  sleep 0.1
done
for pid in $pids; do kill -9 "$pid"; done
`;

/** Announces its own pid before it becomes the server, so that the pid is never unknown. */
const announced = 'echo "+ $$" >&3; exec 3>&-; exec "$@"';

interface ServerSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** In addition to PATH, HOME, TMPDIR and GOGC of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** File to which its output is appended. */
  readonly logFile: string;
  /** The user it runs as; only root can choose. Default: the same as this process. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface RunningServer {
  readonly spec: ServerSpec;
  readonly pid: number;
  readonly exited: Promise<void>;
  isRunning(): boolean;
}

/**
 * Servers that live as long as this process. They end with `stop()`, and also when this process ends in any way, kill -9 included. After `detach()` they stay,
 * and must be ended by pid.
 */
export class ServerGroup {
  readonly #running = new Set<RunningServer>();
  readonly #undertaker: ChildProcess;
  readonly #pipe: Socket;

  constructor() {
    const options: SpawnOptions = { detached: true, stdio: ['pipe', 'ignore', 'ignore'] };
    this.#undertaker = spawn('/bin/sh', ['-c', undertaker], options);
    this.#undertaker.unref();
    const { stdin } = this.#undertaker;
    if (!(stdin instanceof Socket)) throw new FirebreakError('FB_ERR_PLATFORM_START', '/bin/sh cannot be started');
    this.#pipe = stdin;
    this.#pipe.on('error', () => {});
    this.#pipe.unref();
  }

  start(spec: ServerSpec): RunningServer {
    const log = openSync(spec.logFile, 'a', 0o600);
    const { PATH, HOME, TMPDIR, GOGC } = process.env;
    const env = { ...(PATH && { PATH }), ...(HOME && { HOME }), ...(TMPDIR && { TMPDIR }), ...(GOGC && { GOGC }), ...spec.env };
    const options: SpawnOptions = { detached: true, env, stdio: ['ignore', log, log, this.#pipe], ...spec.owner };
    const child = spawn('/bin/sh', ['-c', announced, 'sh', spec.command, ...spec.args], options);
    closeSync(log);
    child.unref();
    if (child.pid === undefined) {
      child.once('error', () => {});
      throw new FirebreakError('FB_ERR_PLATFORM_START', `${spec.name}: ${spec.command} cannot be started`);
    }
    const pid = child.pid;
    let running = true;
    const server: RunningServer = {
      spec,
      pid,
      isRunning: () => running,
      exited: new Promise((resolve) => {
        child.once('exit', () => {
          running = false;
          this.#running.delete(server);
          this.#tell(`- ${pid}`);
          resolve();
        });
      }),
    };
    this.#running.add(server);
    return server;
  }

  /** Deletes a kind cluster when this process ends. */
  adoptKindCluster(name: string): void {
    this.#tell(`kind ${name}`);
  }

  releaseKindCluster(name: string): void {
    this.#tell(`- ${name}`);
  }

  async end(server: RunningServer, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!server.isRunning()) return;
    kill(server.pid, signal);
    const patience = new AbortController();
    const timeout = sleep(2000, 'late', { signal: patience.signal }).catch(() => 'stopped');
    if ((await Promise.race([server.exited, timeout])) === 'late') kill(server.pid, 'SIGKILL');
    // The server's handle does not keep this process alive, so something else must during the wait.
    const hold = setInterval(() => {}, 1000);
    await server.exited;
    clearInterval(hold);
    patience.abort();
  }

  /** Ends all servers, last started first. May be called again. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running].reverse().map((server) => this.end(server)));
    this.#pipe.end();
  }

  /** Detaches the servers: they continue when this process ends. */
  async detach(): Promise<void> {
    this.#tell('forget all');
    await new Promise<void>((resolve) => this.#pipe.end(resolve));
  }

  #tell(line: string): void {
    if (this.#pipe.writable) this.#pipe.write(`${line}\n`);
  }
}

/** Waits until `ready` returns true. Throws FB_ERR_PLATFORM_START with the end of the log if the server exits or takes too long. */
export async function waitUntilReady(options: {
  readonly server: RunningServer;
  readonly ready: () => Promise<boolean>;
  readonly timeoutMs: number;
}): Promise<void> {
  const { server, ready, timeoutMs } = options;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await ready()) return;
    const { name, logFile } = server.spec;
    if (!server.isRunning())
      throw new FirebreakError('FB_ERR_PLATFORM_START', `${name} exited, see ${logFile}: ${lastLines(logFile)}`);
    if (Date.now() > deadline) {
      throw new FirebreakError('FB_ERR_PLATFORM_START', `${name} is not ready after ${timeoutMs / 1000} s, see ${logFile}`);
    }
    await sleep(50);
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-3).join(' | ').slice(-600);
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is already gone.
  }
}
