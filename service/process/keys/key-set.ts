import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FirebreakError, undefinedIf } from '../../../core/errors.ts';
import { ensureFolder } from '../../../integrations/ensure-folder.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { ensureRandomKey } from './key-files.ts';

/**
 * All keys of an installation with separate roles, one Secret per reader. Names are those of the state directory, so that a role finds them there without
 * configuration.
 */
const parts = [
  { part: 'shared', files: ['codec.key'] },
  { part: 'cell', files: ['cell.key', 'cell.pem'] },
  { part: 'evidence', files: ['evidence.pem', 'evidence-wrap.key'] },
  { part: 'desk', files: ['vote.pem', 'notary.pem'] },
  { part: 'secrets', files: ['secrets.pem'] },
  { part: 'forensics', files: ['forensics.pem'] },
  { part: 'packs', files: ['packs.pem'] },
] as const;

type Part = (typeof parts)[number]['part'];

interface Manifest {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret' | 'ConfigMap';
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  readonly type?: 'Opaque';
  readonly stringData?: Readonly<Record<string, string>>;
  readonly data?: Readonly<Record<string, string>>;
}

/** Creates the keys that are missing in the folder, private halves with mode 0600, public ones next to them. Returns the names of the new ones. */
export async function makeKeySet(folder: string): Promise<readonly string[]> {
  await ensureFolder(folder, 0o700);
  const before = new Set(await readdir(folder));
  const names = parts.flatMap(({ files }) => [...files]);
  for (const name of names) {
    const file = join(folder, name);
    if (name.endsWith('.pem')) await openSigner({ file, create: true });
    else await ensureRandomKey(file);
  }
  return names.filter((name) => !before.has(name));
}

/** Returns the Secrets for the folder's keys, and the ConfigMap of the public halves, which every role reads. */
export async function keyManifests({
  folder,
  namespace,
}: {
  readonly folder: string;
  readonly namespace: string;
}): Promise<readonly Manifest[]> {
  const text = async (name: string) => [name, await readFile(join(folder, name), 'utf8')] as const;
  const secrets = await Promise.all(
    parts.map(async ({ part, files }): Promise<Manifest> => {
      const stringData = Object.fromEntries(await Promise.all(files.map(text)));
      return { apiVersion: 'v1', kind: 'Secret', metadata: metadata(part, namespace), type: 'Opaque', stringData };
    }),
  );
  const publicNames = (await readdir(folder)).filter((name) => name.endsWith('.pem.pub')).sort();
  const data = Object.fromEntries(await Promise.all(publicNames.map(text)));
  return [...secrets, { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('public', namespace), data }];
}

/**
 * Creates the Secrets and the ConfigMap that are missing in the namespace. An existing key is never changed, whatever created it, so this may run at every
 * installation. Uses `folder` for new keys; it should be empty and in memory. Returns the names of what was created.
 * @throws FB_ERR_CONFLICT if another process created one meanwhile: run it again.
 */
export async function installKeySet(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly folder: string;
}): Promise<readonly string[]> {
  const { api, namespace, folder } = options;
  await ensureFolder(folder, 0o700);
  const there = new Set<string>();
  for (const { part, files } of parts) {
    const data = await dataOf(api, pathOf({ resource: 'secrets', namespace, name: nameOf(part) }));
    if (data === undefined) continue;
    there.add(nameOf(part));
    for (const name of files) {
      const value = data[name];
      if (value === undefined)
        throw new FirebreakError(
          'FB_ERR_CONFLICT',
          `the Secret ${nameOf(part)} exists but has no ${name}: add it, or remove the Secret`,
        );
      await writeFile(join(folder, name), Buffer.from(value, 'base64'), { mode: 0o600 });
    }
  }
  await makeKeySet(folder);
  const made: string[] = [];
  for (const manifest of await keyManifests({ folder, namespace })) {
    const { name } = manifest.metadata;
    const resource = manifest.kind === 'Secret' ? 'secrets' : 'configmaps';
    if (there.has(name)) continue;
    const path = pathOf({ resource, namespace });
    // The public halves must match the private ones: those left by another installation are replaced.
    if (manifest.kind === 'ConfigMap' && (await dataOf(api, `${path}/${name}`)) !== undefined) {
      await api.json({
        method: 'PATCH',
        path: `${path}/${name}`,
        patch: 'merge',
        body: { data: manifest.data },
        what: 'write the public keys',
      });
      continue;
    }
    await api.json({ method: 'POST', path, body: manifest, what: `make ${name}` });
    made.push(name);
  }
  return made;
}

/** Returns the data of a Secret or a ConfigMap; undefined if it does not exist. */
async function dataOf(api: KubernetesApi, path: string): Promise<Readonly<Record<string, string>> | undefined> {
  const read = api.json<{ readonly data?: Readonly<Record<string, string>> }>({ method: 'GET', path, what: 'look for keys' });
  return read.then(({ data }) => data ?? {}, undefinedIf('FB_ERR_NOT_FOUND'));
}

function nameOf(part: Part | 'public'): string {
  return `firebreak-keys-${part}`;
}

function metadata(part: Part | 'public', namespace: string): Manifest['metadata'] {
  return {
    name: nameOf(part),
    namespace,
    labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': 'keys' },
  };
}
