/** Applies one rotation, and kills itself, as `kill -9` does, before its first write or right after it. The tests run it repeatedly. */
import { writeSync } from 'node:fs';
import { Client } from 'pg';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import type { RotationProvider } from '../../../core/action/rotation.ts';
import { awsAccessKey } from '../../../integrations/aws/access-key.ts';
import { type AccessKeyLogin, Aws } from '../../../integrations/aws/client.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import { createKubernetesApi, type KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { postgresRole } from '../../../integrations/postgres-role/role.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { vaultLease } from '../../../integrations/vault/lease.ts';
import { awsShape } from '../../aws-server.ts';
import type { RotationOrder } from './killed-rotation.ts';

const order: RotationOrder = JSON.parse(process.argv[2] ?? '');
const diesBefore = process.argv[3] === 'before';
const deaths: readonly unknown[] = JSON.parse(process.argv[4] ?? '');

async function write<T>(what: string, work: () => Promise<T>): Promise<T> {
  if (diesBefore) die(`before ${what}`);
  const answer = await work();
  return die(what) ?? answer;
}

function die(what: string): undefined {
  writeSync(1, what);
  process.kill(process.pid, 'SIGKILL');
}

class DyingVault extends Vault {
  override async write(...call: Parameters<Vault['write']>): Promise<void> {
    return write(`write ${call[0]} in Vault`, () => super.write(...call));
  }
}

const keyIsMade = 'make a key in AWS';

class DyingAws extends Aws {
  override async tag(...call: Parameters<Aws['tag']>): Promise<void> {
    return write(`tag ${call[2].split(' ')[0]} in AWS`, () => super.tag(...call));
  }
  override async createKey(...call: Parameters<Aws['createKey']>): Promise<AccessKeyLogin> {
    if (deaths.includes(keyIsMade)) return super.createKey(...call);
    return write(keyIsMade, () => super.createKey(...call));
  }
  override async disableKey(...call: Parameters<Aws['disableKey']>): Promise<void> {
    return write('disable a key in AWS', () => super.disableKey(...call));
  }
  override async deleteKey(...call: Parameters<Aws['deleteKey']>): Promise<void> {
    return write('delete a key in AWS', () => super.deleteKey(...call));
  }
}

function dying(api: KubernetesApi): KubernetesApi {
  const isQuestion = ({ method, path }: KubernetesCall) => method === 'GET' || path.startsWith('/apis/authorization.k8s.io/');
  return {
    ...api,
    json: <T>(call: KubernetesCall) => (isQuestion(call) ? api.json<T>(call) : write(call.what, () => api.json<T>(call))),
  };
}

function provider(): RotationProvider | undefined {
  const { postgres, vault, vaultLease: lease, aws } = order;
  if (aws) return awsAccessKey({ aws: new DyingAws(aws), user: aws.user, ...awsShape });
  if (postgres) return postgresRole({ ...postgres, keys: { password: 'password', username: 'username', urls: [] } });
  if (lease)
    return vaultLease({
      vault: new DyingVault(lease),
      path: 'database/creds/shop',
      keys: { username: 'username', password: 'password' },
    });
  if (!vault) return undefined;
  return vaultKv({ vault: new DyingVault(vault), mount: 'secret', path: 'shop/db', properties: { password: 'password' } });
}

const query = Client.prototype.query;
Object.defineProperty(Client.prototype, 'query', {
  value(this: Client, ...statement: readonly unknown[]) {
    return write('a statement in PostgreSQL', () => Reflect.apply(query, this, statement));
  },
});

const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: order.kubeconfig }) });
const of = provider();
const { namespace } = order.input.suspect;
const rules = of ? [{ namespace, secret: 'db', provider: of, ...(order.vault && { stored: ['password'] }) }] : [];
const { signal } = new AbortController();
await rotateSecretImplementation({ api: dying(api), pollMs: 50, rules, writeMs: 10_000 }).apply(order.input, {
  ...order.context,
  fast: false,
  signal,
});
api.close();
