/** Compiles Kubernetes while packages are installed. Plain JavaScript, as setup.mjs. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { compileFlags, goEnvironment } from './go-build.mjs';

/**
 * Runs what it is given in a process group that ends when its input does, which is when the process that holds the other end is gone.
 * `trap :` and not `trap ''`, which would be inherited. What Go left in its temporary folder goes too.
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
 * Begins to compile what the control plane is made of into Go's own cache, unless one has been built already. The build that
 * follows finds there what is done by then. Returns what ends it; nothing goes wrong where it cannot begin.
 */
export function compileAhead({ root, environment = process.env }) {
  const module = join(root, 'tools', 'platform', 'kubelab');
  const { FIREBREAK_CACHE: own, XDG_CACHE_HOME: xdg } = environment;
  const cache = own || join(xdg || join(homedir(), '.cache'), 'firebreak');
  const isBuilt = existsSync(cache) && readdirSync(cache).some((name) => /^kubelab-[0-9a-f]{16}$/.test(name));
  if (isBuilt || !existsSync(module) || spawnSync('go', ['version']).status !== 0) return async () => {};
  // What the program imports, and not the program: there would be nothing to link it for. In a shell, since listing needs modules first.
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
