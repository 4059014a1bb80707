/** Compiles Kubernetes while packages are installed. Plain JavaScript, like setup.mjs. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { compileFlags, goEnvironment } from './go-build.mjs';

/**
 * Runs its arguments in a process group that ends when its input closes, which is when the process that holds the other end is gone. Uses `trap :` instead of
 * `trap ''`, which would be inherited. Also removes what Go left in its temporary folder.
 */
const untilTheInputEnds = `
trap : INT TERM HUP
"$@" </dev/null >/dev/null 2>&1 &
while read -r line; do :; done
kill -TERM 0
wait
rm -rf "$GOTMPDIR"
`;

/**
 * Starts compiling the parts of the control plane into Go's own cache, unless one has been built already. The build that follows finds there what is done by
 * then. Returns a function that ends it; if it cannot start, nothing fails.
 */
export function compileAhead({ root, environment = process.env }) {
  const module = join(root, 'tools', 'platform', 'kubelab');
  const { FIREBREAK_CACHE: own, XDG_CACHE_HOME: xdg } = environment;
  const cache = own || join(xdg || join(homedir(), '.cache'), 'firebreak');
  const isBuilt = existsSync(cache) && readdirSync(cache).some((name) => /^kubelab-[0-9a-f]{16}$/.test(name));
  if (isBuilt || !existsSync(module) || spawnSync('go', ['version']).status !== 0) return async () => {};
  // Compiles the program's imports, but not the program, to avoid linking. In a shell, since listing needs the modules first.
  const work = `mkdir -p "$GOTMPDIR" && go build ${compileFlags.join(' ')} $(go list -f '{{join .Imports " "}}' ./cmd/kubelab)`;
  const child = spawn('/bin/sh', ['-c', untilTheInputEnds, 'sh', '/bin/sh', '-c', work], {
    cwd: module,
    env: { ...goEnvironment(environment), GOTMPDIR: join(cache, `ahead.${process.pid}.draft`) },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve).once('error', resolve);
  });
  child.stdin.on('error', () => {});
  return async () => {
    child.stdin.end();
    await ended;
  };
}
