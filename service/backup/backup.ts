import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { FirebreakError } from '../../core/errors.ts';
import { storedAs } from '../../core/evidence/evidence.ts';
import { asManifest } from '../../core/evidence/evidence-manifest.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { openAsIs } from '../../integrations/database/database.ts';
import { schemaOf } from '../../integrations/database/migrations.ts';
import { rowsOf, tablesAt } from '../../integrations/database/table-rows.ts';
import { sha256Of } from '../../integrations/evidence/drafted-file.ts';
import { parsed } from '../../integrations/evidence/incident-keys.ts';
import type { Config, Environment } from '../config/load.ts';
import { resolveReleaseSecrets, resolveStoreSecrets } from '../config/secrets.ts';
import { openEvidenceStore, openShelf } from '../process/evidence.ts';
import { firebreakVersion } from '../process/project-root.ts';
import { openReleaseShelf } from '../process/releases.ts';
import { keyFiles, publicFiles } from './files.ts';
import { type BackupManifest, type BackupPart, writeManifest } from './manifest.ts';
import { type BackupPlace, newPlace } from './place.ts';

const packed = promisify(gzip);
/** Size of a part before compression: each is held in memory. */
const partBytes = 8 * 1024 * 1024;

/** The contents of a backup, by their first folder. */
export const partFolders = {
  files: 'files',
  keys: 'keys.sealed',
  database: 'database',
  releases: 'releases',
  evidence: 'evidence',
} as const;

/** Id of the key that seals private keys, and the purpose it is bound to. */
export const keySeal = { id: 'backup', aad: 'firebreak.backup.keys' } as const;

export interface BackupOptions {
  readonly config: Config;
  readonly configFile: string;
  readonly env: Environment;
  /** A folder, or `s3`. */
  readonly to: string;
  readonly databaseUrl: string;
  readonly signer: Signer;
  readonly evidence: BackupManifest['evidence'];
  /** 32 bytes that seal the private keys; absent: those are left out. */
  readonly keysKey?: Uint8Array | undefined;
  readonly now?: () => Date;
}

interface MadeBackup {
  /** The value for `restore --from`. */
  readonly from: string;
  readonly manifest: BackupManifest;
  /** Files named in the configuration that are neither next to it nor in the state directory: not in the backup. */
  readonly elsewhere: readonly string[];
  /** Number of artefacts that manifests name and the store no longer has. */
  readonly missing: number;
}

/**
 * Copies everything that Firebreak cannot recreate, while it runs: a consistent snapshot of the database and whatever later records may name. The signed manifest is written last.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFIG_INVALID
 */
export async function makeBackup(options: BackupOptions): Promise<MadeBackup> {
  const { config, configFile, env, to, signer, now = () => new Date() } = options;
  const at = now().toISOString();
  const place = await newPlace({ to, name: `${config.cluster}-${at.replaceAll(':', '-')}`, config, env });
  const parts = new Parts(place.shelf);
  const { files, elsewhere } = await publicFiles(config, configFile);
  for (const { base, path, content } of files) await parts.add(`${partFolders.files}/${base}/${path}`, content);
  const keysElsewhere = options.keysKey ? await addKeys(parts, options, options.keysKey) : [];
  const database = await addDatabase(parts, options.databaseUrl);
  await addNames(
    parts,
    partFolders.releases,
    await openReleaseShelf({ config, secrets: resolveReleaseSecrets({ config, env }) }),
    ['releases', 'builds'],
  );
  const { objects, missing } = await addEvidence(parts, place, options);
  const manifest: BackupManifest = {
    format: 1,
    at,
    cluster: config.cluster,
    firebreak: firebreakVersion(),
    database,
    evidence: options.evidence,
    keys: options.keysKey ? 'sealed' : 'left out',
    parts: parts.all,
    objects,
  };
  await writeManifest(place.shelf, manifest, signer);
  return { from: place.description, manifest, elsewhere: [...elsewhere, ...keysElsewhere], missing };
}

class Parts {
  readonly all: BackupPart[] = [];
  readonly #shelf: EvidenceShelf;

  constructor(shelf: EvidenceShelf) {
    this.#shelf = shelf;
  }

  async add(name: string, content: Uint8Array): Promise<void> {
    await this.#shelf.add(name, content);
    this.all.push({ name, sha256: sha256Of(content), bytes: content.byteLength });
  }

  /** Adds the next part of something that is larger than one part. */
  async addNext(folder: string, index: number, content: Uint8Array): Promise<void> {
    await this.add(`${folder}/${String(index).padStart(6, '0')}.gz`, await packed(content));
  }
}

async function addKeys(parts: Parts, { config, configFile }: BackupOptions, key: Uint8Array): Promise<readonly string[]> {
  const { files, elsewhere } = await keyFiles(config, configFile);
  const written = files.map(({ base, path, content }) => ({ base, path, content: Buffer.from(content).toString('base64') }));
  const box = createBox({ keys: [{ id: keySeal.id, key }] });
  await parts.add(partFolders.keys, box.seal(new TextEncoder().encode(JSON.stringify(written)), keySeal.aad));
  return elsewhere;
}

async function addDatabase(parts: Parts, url: string): Promise<BackupManifest['database']> {
  const database = await openAsIs({ url });
  try {
    const { number: schema } = await schemaOf(database);
    if (schema === 0)
      throw new FirebreakError('FB_ERR_FILE_MISSING', 'the database has no tables of Firebreak: there is nothing to back up yet');
    return await database.snapshot(async (queries) => {
      const tables: { readonly name: string; readonly rows: number }[] = [];
      for (const table of await tablesAt(schema)) {
        let [rows, index, size] = [0, 0, 0];
        let lines: string[] = [];
        const flush = async () => {
          await parts.addNext(`${partFolders.database}/${table.name}`, ++index, new TextEncoder().encode(lines.join('')));
          [lines, size] = [[], 0];
        };
        for await (const some of rowsOf(queries, table)) {
          rows += some.length;
          for (const row of some) {
            const line = `${JSON.stringify(row)}\n`;
            lines.push(line);
            size += line.length;
          }
          if (size >= partBytes) await flush();
        }
        if (size > 0) await flush();
        tables.push({ name: table.name, rows });
      }
      return { kind: database.kind, schema, tables };
    });
  } finally {
    await database.close();
  }
}

/** Adds everything on a shelf below some folders, under the names it has there. */
async function addNames(parts: Parts, folder: string, shelf: EvidenceShelf, below: readonly string[]): Promise<void> {
  for (const start of below)
    for await (const name of namesBelow(shelf, start)) {
      const content = await shelf.get(name);
      // It may have been removed meanwhile.
      if (content) await parts.add(`${folder}/${name}`, content);
    }
}

/** Names of objects, as opposed to folders, on a shelf: `X.json`, a hash, a key’s id below `keys`. */
const isObject = /(\.json|\/[0-9a-f]{64}|^(keys|destroyed|holds)\/[0-9a-f]{32})$/;

async function* namesBelow(shelf: EvidenceShelf, folder: string): AsyncGenerator<string> {
  for await (const found of shelf.names(folder)) {
    const name = `${folder}/${found}`;
    if (isObject.test(name)) yield name;
    else yield* namesBelow(shelf, name);
  }
}

async function addEvidence(
  parts: Parts,
  place: BackupPlace,
  { config, env, evidence }: BackupOptions,
): Promise<{ readonly objects: BackupManifest['objects']; readonly missing: number }> {
  const objects = new Map<string, number>();
  let missing = 0;
  if (evidence === 'none') return { objects: [], missing };
  const secrets = resolveStoreSecrets({ config, env });
  const [store, shelf] = await Promise.all([openEvidenceStore({ config, secrets }), openShelf({ config, secrets })]);
  const copy = async (sha256: string): Promise<void> => {
    if (objects.has(sha256)) return;
    if (!(await store.has(sha256))) missing += 1;
    else objects.set(sha256, (await place.objects.put(store.read(sha256), 'application/octet-stream')).bytes);
  };
  const folders = ['manifests', 'destroyed', 'holds', ...(evidence === 'bytes' ? ['keys'] : [])];
  await addNames(parts, partFolders.evidence, shelf, folders);
  for (const { name } of parts.all.filter((part) => part.name.startsWith(`${partFolders.evidence}/manifests/`))) {
    const manifest = name.slice(name.lastIndexOf('/') + 1);
    await copy(manifest);
    if (evidence === 'bytes') for (const sha256 of await artefactsOf(store, manifest)) await copy(sha256);
  }
  return { objects: [...objects].map(([sha256, bytes]) => ({ sha256, bytes })), missing };
}

/** Lists the artefacts of a manifest as stored. Empty if it is not a manifest. */
async function artefactsOf(store: EvidenceStore, sha256: string): Promise<readonly string[]> {
  if (!(await store.has(sha256))) return [];
  const manifest = asManifest(parsed(await store.get(sha256)));
  return manifest?.artefacts.map((artefact) => storedAs(artefact).sha256) ?? [];
}
