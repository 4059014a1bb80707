import { randomBytes } from 'node:crypto';
import {
  type Fields,
  fieldsOf,
  isFields,
  type RestAnswer,
  type RestFake,
  type RestRequest,
  startRestFake,
} from '../rest/server.ts';

interface VaultFakeOptions {
  readonly token: string;
  /** Paths with their capabilities, as in a policy; `+` stands for one part. Paths that are not listed are denied. */
  readonly policy: Readonly<Record<string, readonly Capability[]>>;
  /** Where the KV engine, version 2, is mounted; the database engine is at `database`. */
  readonly mount?: string;
}

type Capability = 'create' | 'read' | 'update' | 'list' | 'sudo';

export interface VaultFake extends RestFake {
  /** Writes a version, as an administrator. */
  put(path: string, data: Readonly<Record<string, string>>): void;
  /** The newest readable version. */
  get(path: string): Fields | undefined;
  versions(path: string): { readonly all: number; readonly readable: number };
  /** Leases a credential to somebody else. */
  lend(role: string): { readonly username: string; readonly password: string };
  /** Whether the database would accept this login. */
  accepts(login: { readonly username: string; readonly password: string }): boolean;
  readonly leases: ReadonlyMap<string, { readonly username: string; readonly password: string }>;
}

interface Version {
  data: Fields | undefined;
}

const deny: RestAnswer = { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };
const nothing: RestAnswer = { status: 404, body: { errors: [] } };
const done: RestAnswer = { status: 204 };
const bad = (error: string): RestAnswer => ({ status: 400, body: { errors: [error] } });
const of = (data: unknown, more: Fields = {}): RestAnswer => ({
  status: 200,
  body: { request_id: 'r', lease_id: '', ...more, data },
});

/** Part of the documented HTTP API: KV version 2, the database engine's credentials, and leases. Paths that need `sudo` require it. */
export async function startVaultFake(options: VaultFakeOptions): Promise<VaultFake> {
  const { token, policy, mount = 'secret' } = options;
  const entries = new Map<string, Version[]>();
  const leases = new Map<string, { username: string; password: string }>();

  const may = (path: string, wanted: readonly Capability[]): boolean =>
    Object.entries(policy).some(([pattern, has]) => {
      const matches = new RegExp(`^${pattern.replaceAll('+', '[^/]+')}$`).test(path);
      return matches && wanted.every((capability) => has.includes(capability));
    });

  const lend = (role: string) => {
    const login = { username: `v-${role}-${randomBytes(4).toString('hex')}`, password: randomBytes(12).toString('base64url') };
    const lease = `database/creds/${role}/${randomBytes(12).toString('hex')}`;
    leases.set(lease, login);
    return { lease, login };
  };

  const kv = (request: RestRequest, kind: string, path: string): RestAnswer => {
    const versions = entries.get(path);
    const write = request.method === 'PUT' || request.method === 'POST';
    const full = `${mount}/${kind}/${path}`;
    const newest = versions?.at(-1);
    if (!may(full, [write ? (versions ? 'update' : 'create') : 'read'])) return deny;
    if (kind === 'metadata' && !write) {
      if (!versions) return nothing;
      const states = versions.map(({ data }, at) => [at + 1, { created_time: '', deletion_time: '', destroyed: !data }]);
      return of({ current_version: versions.length, max_versions: 0, versions: Object.fromEntries(states) });
    }
    if (kind === 'data' && !write) {
      const metadata = { version: versions?.length ?? 0, destroyed: newest?.data === undefined };
      if (newest?.data === undefined) return newest ? { status: 404, body: { data: { data: null, metadata } } } : nothing;
      return of({ data: newest.data, metadata });
    }
    const body = fieldsOf(request.text);
    if (kind === 'destroy' && write) {
      const chosen = body?.versions;
      if (!Array.isArray(chosen) || !chosen.every(Number.isInteger)) return bad('No version number provided');
      for (const number of chosen) {
        const version = versions?.[number - 1];
        if (version) version.data = undefined;
      }
      return done;
    }
    if (kind !== 'data' || !isFields(body?.data)) return bad('no data provided');
    const cas = isFields(body.options) ? body.options.cas : undefined;
    if (cas !== undefined && cas !== (versions?.length ?? 0))
      return bad('check-and-set parameter did not match the current version');
    entries.set(path, [...(versions ?? []), { data: body.data }]);
    return of({ version: (versions?.length ?? 0) + 1, destroyed: false });
  };

  const system = ({ method, url, text }: RestRequest, path: string): RestAnswer => {
    const [, lookup] = /^sys\/leases\/lookup\/(.+\/)$/.exec(path) ?? [];
    if (lookup !== undefined && method === 'GET' && url.searchParams.get('list') === 'true') {
      if (!may(path, ['list', 'sudo'])) return deny;
      const keys = [...leases.keys()].filter((lease) => lease.startsWith(lookup)).map((lease) => lease.slice(lookup.length));
      return keys.length > 0 ? of({ keys }) : nothing;
    }
    if (method !== 'PUT' && method !== 'POST') return { status: 405, body: { errors: ['unsupported operation'] } };
    const [, prefix] = /^sys\/leases\/revoke-prefix\/(.+)$/.exec(path) ?? [];
    if (prefix !== undefined) {
      if (!may(path, ['update', 'sudo'])) return deny;
      for (const lease of leases.keys()) if (lease.startsWith(prefix)) leases.delete(lease);
      return done;
    }
    if (path !== 'sys/leases/revoke') return nothing;
    if (!may(path, ['update'])) return deny;
    const lease = fieldsOf(text)?.lease_id;
    if (typeof lease !== 'string') return bad('lease_id must be specified');
    leases.delete(lease);
    return done;
  };

  const answer = (request: RestRequest): RestAnswer => {
    const path = request.url.pathname.replace(/^\/v1\//, '');
    if (request.headers['x-vault-token'] !== token) return deny;
    if (path.startsWith('sys/')) return system(request, path);
    const [, role] = /^database\/creds\/([^/]+)$/.exec(path) ?? [];
    if (role !== undefined && request.method === 'GET') {
      if (!may(path, ['read'])) return deny;
      const { lease, login } = lend(role);
      return of(login, { lease_id: lease, renewable: true, lease_duration: 3_600 });
    }
    const [, kind, entry] = new RegExp(`^${mount}/(data|metadata|destroy)/(.+)$`).exec(path) ?? [];
    return kind !== undefined && entry !== undefined ? kv(request, kind, entry) : nothing;
  };

  const fake = await startRestFake({
    answer,
    failure: () => ({ errors: ['internal error, and the canary old-value-canary is in it'] }),
    page: () => 'Vault',
  });
  return {
    ...fake,
    leases,
    put: (path, data) => void entries.set(path, [...(entries.get(path) ?? []), { data }]),
    get: (path) => entries.get(path)?.at(-1)?.data,
    versions(path) {
      const all = entries.get(path) ?? [];
      return { all: all.length, readable: all.filter(({ data }) => data !== undefined).length };
    },
    lend: (role) => lend(role).login,
    accepts: ({ username, password }) =>
      [...leases.values()].some((login) => login.username === username && login.password === password),
  };
}
