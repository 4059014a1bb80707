import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A stand-in for `kind` and `docker` where there is no Docker daemon: records its calls and leaves the requested kubeconfig. */
const script = `#!/bin/sh
echo "$*" >> "\${0%/*}/calls"
while [ $# -gt 0 ]; do
  if [ "$1" = --kubeconfig ]; then
    echo '{"current-context":"kind","contexts":[{"name":"kind","context":{"cluster":"kind"}}],"clusters":[{"name":"kind","cluster":{"server":"https://127.0.0.1:1"}}]}' > "$2"
  fi
  shift
done
`;

test('without Go, kind starts the cluster with the audit log, and deletes it when this process is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-kind-'));
  folders.push(folder);
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of ['kind', 'docker']) writeFileSync(join(bin, name), script, { mode: 0o755 });
  const module = new URL('../../tools/platform/kubernetes/kubernetes-server.ts', import.meta.url).href;
  const program = `
    const { startKubernetes } = await import(${JSON.stringify(module)});
    const { server, auditLog } = await startKubernetes({ stateDir: process.argv[1], kubernetes: { nodes: ['a', 'b'] } });
    process.stdout.write(JSON.stringify({ server, auditLog }));
    setInterval(() => {}, 1000);`;
  const env = { PATH: bin, HOME: folder, FIREBREAK_CACHE: join(folder, 'cache') };
  const args = ['--input-type=module', '-e', program, join(folder, 'state')];
  const parent = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await once(parent.stdout, 'data');
  const { server, auditLog }: { readonly server: string; readonly auditLog: string } = JSON.parse(String(output));
  expect(server).toBe('https://127.0.0.1:1');
  expect(existsSync(auditLog)).toBe(true);

  const calls = () => readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n');
  const [, name, file = ''] = /create cluster --name (\S+) --config (\S+)/.exec(calls().at(-1) ?? '') ?? [];
  const config: { readonly nodes: readonly { readonly role: string; readonly kubeadmConfigPatches?: readonly string[] }[] } =
    parse(readFileSync(file, 'utf8'));
  expect(config.nodes.map(({ role }) => role)).toEqual(['control-plane', 'worker', 'worker']);
  expect(parse(config.nodes[0]?.kubeadmConfigPatches?.[0] ?? '')).toMatchObject({
    apiServer: { extraArgs: { 'audit-log-mode': 'blocking' } },
  });

  parent.kill('SIGKILL');
  while (!calls().includes(`delete cluster --name ${name}`)) await sleep(50);
});
