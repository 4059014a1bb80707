import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createFolderStore } from '../../../integrations/evidence/folder-store.ts';
import { createManifestWriter } from '../../../integrations/evidence/manifest.ts';
import { createManifestIndex } from '../../../integrations/evidence/manifest-index.ts';
import { createVerifier, type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import { type BackupOptions, makeBackup } from '../../../service/backup/backup.ts';
import { oldPlace } from '../../../service/backup/place.ts';
import { type CheckedBackup, checkBackup, restoreBackup, restoreConfig } from '../../../service/backup/restore.ts';
import { auditReport } from '../../../service/commands/records/audit.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { ensureRandomKey, readRandomKey } from '../../../service/process/keys/key-files.ts';
import { commandFile, firebreakHere, firebreakProcess } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { killed } from '../../processes.ts';
import { run } from '../../suites/audit-store.ts';
import { signNow, writeConfiguration } from '../../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-backup-'));
const home = join(folder, 'home');
const chain = 'incident/lab/shop/Deployment/cart@1';
const incident = 'incident/lab/shop/Deployment/cart';
const backupKey = join(folder, 'backup.key');
const notaryPublic = join(folder, 'notary.pem.pub');
let notary: FileSigner;
let manifest = '';

/** Creates records with a checkpoint, one piece of evidence, one release, and keys. */
beforeAll(async () => {
  mkdirSync(join(home, 'keys'), { recursive: true });
  writeConfiguration(home);
  notary = await openSigner({ file: join(home, 'keys/notary.pem'), create: true });
  cpSync(join(home, 'keys/notary.pem.pub'), notaryPublic);
  await ensureRandomKey(join(home, 'keys/codec.key'));
  await ensureRandomKey(backupKey);
  const database = await openDatabase({ url: `sqlite:${join(home, 'audit.db')}` });
  const store = createAuditStore(database);
  await store.append(run(chain, 1, 40));
  await signNow({ store, signer: notary });
  await database.close();
  const shelf = createFolderShelf({ dir: join(home, 'evidence') });
  const evidence = createFolderStore({ dir: join(home, 'evidence') });
  const { sha256, bytes } = await evidence.put(new TextEncoder().encode('what was in memory'), 'text/plain');
  const write = createManifestWriter({ store: evidence, signer: notary, index: createManifestIndex({ shelf }) });
  const at = '2026-03-01T10:00:00.000Z';
  const artefact = { name: 'a.txt', mediaType: 'text/plain', sha256, bytes, collectedAt: at, tool: 'test 1' };
  const custody = [{ at, who: 'engine', did: 'kept' }];
  const draft = {
    incident,
    run: 'r',
    step: 's',
    target: { name: 'pod/shop/cart-1' },
    artefacts: [artefact],
    custody,
    createdAt: at,
  };
  ({ manifestSha256: manifest } = await write(draft));
  await shelf.add(`keys/${'a'.repeat(32)}`, new TextEncoder().encode('a wrapped key'));
  await shelf.add(`keys/${'b'.repeat(32)}`, new TextEncoder().encode('another one'));
  // A user's own file: it is left alone.
  mkdirSync(join(home, 'releases/releases'), { recursive: true });
  writeFileSync(join(home, 'releases/releases/README'), 'what this is');
  await createFolderShelf({ dir: join(home, 'releases') }).add('releases/acme/1.0.0.json', new TextEncoder().encode('{}'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let places = 0;
const newFolder = (): string => join(folder, `place-${++places}`);
const configOf = (at: string): readonly string[] => ['--config', join(at, 'firebreak.yaml')];

async function firebreak(...args: readonly string[]) {
  const { status, stdout, stderr } = await firebreakHere(args, { folder });
  return { status, stdout, said: `${stdout}${stderr}` };
}

const env = { FIREBREAK_TEST: 'yes' };
const configAt = (at: string) => loadConfig({ path: join(at, 'firebreak.yaml'), env });

/** Backs up as the commands do, without a process for each. */
async function backup(
  changes: Partial<Pick<BackupOptions, 'evidence' | 'signer'>> & { readonly of?: string; readonly withKeys?: true } = {},
): Promise<string> {
  const { of = home, withKeys, ...more } = changes;
  const config = configAt(of);
  const configFile = join(of, 'firebreak.yaml');
  const keysKey = withKeys && (await readRandomKey(backupKey));
  const options = { config, configFile, env, to: newFolder(), signer: notary, evidence: 'manifests', keysKey, ...more } as const;
  return (await makeBackup({ ...options, databaseUrl: `sqlite:${join(of, 'audit.db')}` })).from;
}

async function check(from: string): Promise<CheckedBackup> {
  return checkBackup(await oldPlace({ from, config: undefined, env }), createVerifier({ publicKeys: [notary.publicKey] }));
}

async function restored(from: string, to = newFolder()): Promise<string> {
  const [checked, configFile] = [await check(from), join(to, 'firebreak.yaml')];
  await restoreConfig(checked, configFile);
  const databaseUrl = `sqlite:${join(to, 'audit.db')}`;
  await restoreBackup({ backup: checked, config: configAt(to), configFile, env, databaseUrl, force: false });
  return to;
}

function restore(from: string, to: string, ...more: readonly string[]) {
  return firebreak('restore', '--from', from, ...configOf(to), '--public-key', notaryPublic, ...more);
}

async function recordsIn(at: string): Promise<number> {
  const database = await openDatabase({ url: `sqlite:${join(at, 'audit.db')}` });
  const { records } = await createAuditStore(database).storedChain(chain);
  await database.close();
  return records.length;
}

/** Returns all files below a folder, with their contents. */
function filesIn(at: string): ReadonlyMap<string, string> {
  if (!existsSync(at)) return new Map();
  const paths = readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(at, path)).isFile());
  return new Map(paths.sort().map((path) => [path, readFileSync(join(at, path), 'base64')]));
}

describe('successive backups', () => {
  test('in a folder are verified and pruned: the newest of this cluster stay, and nobody else’s are removed', async () => {
    const to = newFolder();
    const put = (name: string, isWhole = true): void => {
      mkdirSync(join(to, name), { recursive: true });
      if (isWhole) writeFileSync(join(to, name, 'backup.json'), '{}');
    };
    const old = ['lab-2026-01-01T02-00-00.000Z', 'lab-2026-01-02T02-00-00.000Z'];
    for (const name of old) put(name);
    // Cut off long ago.
    put('lab-2026-01-02T03-00-00.000Z', false);
    // From a minute ago: it may still be being written.
    const running = `lab-${new Date(Date.now() - 60_000).toISOString().replaceAll(':', '-')}`;
    put(running, false);
    const others = ['lab-eu-2026-01-01T02-00-00.000Z', 'lab-notes', 'prod-2026-01-01T02-00-00.000Z'];
    for (const name of others) put(name);
    const { status, stdout, said } = await firebreak(
      'backup',
      '--to',
      to,
      ...configOf(home),
      '--verify',
      '--keep',
      '2',
      '--json',
    );
    expect({ status, said }).toMatchObject({ status: 0 });
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ verified: true });
    expect([...told.removed].sort()).toEqual(['lab-2026-01-01T02-00-00.000Z', 'lab-2026-01-02T03-00-00.000Z']);
    expect(readdirSync(to).sort()).toEqual([...others, 'lab-2026-01-02T02-00-00.000Z', running, basename(told.from)].sort());
  });

  test('cannot be pruned in a bucket, which has its own lifecycle rules', async () => {
    const { status, said } = await firebreak('backup', '--to', 's3', ...configOf(home), '--keep', '2');
    expect(status).toBe(2);
    expect(said).toContain('lifecycle');
  });
});

describe('a backup', () => {
  test('is restored to an empty place with its configuration, and the records are verified afterwards', async () => {
    const place = newFolder();
    const made = await firebreak('backup', '--to', place, ...configOf(home), '--evidence', 'bytes', '--keys', backupKey);
    expect(made).toMatchObject({ status: 0, said: expect.stringContaining('not included: what Temporal holds') });
    const to = newFolder();
    const { status, said } = await restore(join(place, readdirSync(place)[0] ?? ''), to, '--keys', backupKey);
    expect({ status, said }).toMatchObject({
      status: 0,
      said: expect.stringMatching(/40 records(.|\n)*The audit store is intact/),
    });
    expect(await recordsIn(to)).toBe(40);
    const [before, after] = [filesIn(home), filesIn(to)];
    const kept = [...before.keys()].filter((path) => !path.startsWith('audit.db') && !path.endsWith('README'));
    for (const path of kept) expect([path, after.get(path)]).toEqual([path, before.get(path)]);
    for (const path of ['keys/notary.pem', 'keys/codec.key']) expect(statSync(join(to, path)).mode & 0o077).toBe(0);
    expect(existsSync(join(to, 'restore-unfinished'))).toBe(false);
  });

  test('has no readable private key, none at all without --keys, and no evidence bytes unless requested', async () => {
    const bare = await backup();
    const whole = await backup({ withKeys: true });
    const pem = readFileSync(join(home, 'keys/notary.pem'));
    for (const at of [bare, whole])
      for (const [, content] of filesIn(at)) expect(Buffer.from(content, 'base64').includes(pem.subarray(30, 90))).toBe(false);
    expect(existsSync(join(bare, 'keys.sealed'))).toBe(false);
    expect([...filesIn(bare).keys()].filter((path) => path.startsWith('objects/'))).toEqual([
      `objects/${manifest.slice(0, 2)}/${manifest}`,
    ]);
    const to = await restored(bare);
    expect(existsSync(join(to, 'keys/notary.pem'))).toBe(false);
    expect(existsSync(join(to, 'evidence/keys'))).toBe(false);
  });

  test('does not restore a key that has since been destroyed', async () => {
    const from = await backup({ evidence: 'bytes' });
    const to = newFolder();
    const destroyed = createFolderShelf({ dir: join(to, 'evidence') });
    await destroyed.add(`destroyed/${'a'.repeat(32)}`, new TextEncoder().encode('{}'));
    await restored(from, to);
    expect(readdirSync(join(to, 'evidence/keys'))).toEqual(['b'.repeat(32)]);
  });

  test('is consistent even if records and checkpoints arrive while it is made', async () => {
    const busy = newFolder();
    cpSync(home, busy, { recursive: true });
    const database = await openDatabase({ url: `sqlite:${join(busy, 'audit.db')}` });
    const store = createAuditStore(database);
    let goesOn = true;
    const writing = (async () => {
      for (let number = 41; goesOn && number < 500; number += 1) {
        await store.append(run(chain, number, number));
        // SQLite answers synchronously: without a pause nothing else in this process would ever run.
        await setImmediate();
        if (number === 45 || number === 50) await signNow({ store, signer: notary });
      }
    })();
    const from = await backup({ of: busy });
    goesOn = false;
    await writing;
    await database.close();
    const to = await restored(from);
    expect(await recordsIn(to)).toBeGreaterThanOrEqual(40);
    expect(await auditReport({ config: join(to, 'firebreak.yaml'), publicKey: [notaryPublic] })).toMatchObject({ ok: true });
  });

  test.each([
    [
      'a part was changed',
      (at: string) => appendFileSync(join(at, 'database/audit_records/000001.gz'), '!'),
      'database/audit_records/000001.gz was changed',
    ],
    [
      'a part is missing',
      (at: string) => rmSync(join(at, 'database/audit_heads/000001.gz')),
      'database/audit_heads/000001.gz is missing',
    ],
    [
      'two parts were swapped',
      (at: string) => cpSync(join(at, 'database/audit_heads/000001.gz'), join(at, 'database/audit_checkpoints/000001.gz')),
      'database/audit_checkpoints/000001.gz was changed',
    ],
    [
      'evidence was changed',
      (at: string) => appendFileSync(join(at, `objects/${manifest.slice(0, 2)}/${manifest}`), '!'),
      /objects\/[0-9a-f]{64} was changed/,
    ],
    [
      'its own description was changed',
      (at: string) => replaceIn(join(at, 'backup.json'), '"cluster":"lab"', '"cluster":"pro"'),
      'backup.json was changed',
    ],
    ['it was never completed', (at: string) => rmSync(join(at, 'backup.json')), 'has no backup.json'],
  ])('is refused when %s', async (_, change, says) => {
    const from = await backup();
    change(from);
    await expect(check(from)).rejects.toMatchObject({
      code: 'FB_ERR_BACKUP_INVALID',
      detail: typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says),
    });
  });

  test('is refused if somebody else signed it, or if no trusted key is given', async () => {
    const from = await backup({ signer: await openSigner({ file: join(folder, 'thief.pem'), create: true }) });
    const to = newFolder();
    expect(await restore(from, to)).toMatchObject({ status: 1, said: expect.stringContaining('a key that is not trusted') });
    expect(filesIn(to).size).toBe(0);
    expect(await firebreak('restore', '--from', from, ...configOf(to))).toMatchObject({
      status: 2,
      said: expect.stringContaining('--public-key'),
    });
  });

  test('does not overwrite existing data unless forced; old files are kept under another name, and the configuration stays', async () => {
    const from = await backup({ withKeys: true });
    const to = newFolder();
    mkdirSync(join(to, 'keys'), { recursive: true });
    cpSync(join(home, 'audit.db'), join(to, 'audit.db'));
    appendFileSync(join(to, 'keys/codec.key'), 'another key');
    cpSync(join(home, 'firebreak.yaml'), join(to, 'firebreak.yaml'));
    appendFileSync(join(to, 'firebreak.yaml'), '# mine\n');
    mkdirSync(join(to, 'transparency-log/tile'), { recursive: true });
    writeFileSync(join(to, 'transparency-log/checkpoint'), 'goes further');
    const before = filesIn(to);
    const refused = await restore(from, to, '--keys', backupKey);
    expect(refused).toMatchObject({ status: 1, said: expect.stringContaining('the database holds records') });
    expect(refused.said).toContain('keys/codec.key exists, and is a different one');
    expect(refused.said).toMatch(/the transparency log .* exists/);
    for (const [path, content] of before)
      if (!/-(wal|shm)$/.test(path)) expect([path, filesIn(to).get(path)]).toEqual([path, content]);
    expect(await restore(from, to, '--keys', backupKey, '--force')).toMatchObject({ status: 2 });
    const { status, said } = await restore(from, to, '--keys', backupKey, '--force', '--yes', '--target', 'lab');
    expect({ status, said }).toMatchObject({ status: 0, said: expect.stringContaining('it is left as it is') });
    expect(await recordsIn(to)).toBe(40);
    expect(readFileSync(join(to, 'firebreak.yaml'), 'utf8')).toContain('# mine');
    const kept = readdirSync(join(to, 'keys')).find((name) => name.startsWith('codec.key.before-')) ?? '';
    expect(readFileSync(join(to, 'keys', kept), 'utf8')).toBe('another key');
    const [old = '', ...others] = readdirSync(join(to, 'transparency-log'));
    expect(others).toEqual([]);
    expect(readFileSync(join(to, 'transparency-log', old, 'checkpoint'), 'utf8')).toBe('goes further');
  });

  test('of another cluster is refused', async () => {
    const to = newFolder();
    mkdirSync(to);
    cpSync(home, to, { recursive: true, filter: (path) => !/evidence|releases|audit/.test(path) });
    replaceIn(join(to, 'firebreak.yaml'), /cluster: lab/g, 'cluster: pro');
    await expect(restored(await backup(), to)).rejects.toMatchObject({
      detail: expect.stringContaining('the backup is from cluster lab'),
    });
  });
});

describe('killed midway', () => {
  const started: ChildProcess[] = [];
  afterAll(async () => {
    await Promise.all(started.map(killed));
  });
  const begin = (...args: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [commandFile(), ...args], { stdio: 'ignore', cwd: folder });
    started.push(child);
    return child;
  };

  test('a backup is not valid', async () => {
    const at = newFolder();
    cpSync(home, at, { recursive: true });
    // Nobody ever writes to it, so a reader waits.
    const release = join(
      at,
      String(readdirSync(at, { recursive: true }).find((name) => /releases\/.*\.json$/.test(String(name)))),
    );
    rmSync(release);
    execFileSync('mkfifo', [release]);
    const to = newFolder();
    const child = begin('backup', '--to', to, ...configOf(at));
    const from = await eventually('the first parts', () => {
      const [name] = existsSync(to) ? readdirSync(to) : [];
      return name !== undefined && existsSync(join(to, name, 'files/configuration/firebreak.yaml')) ? join(to, name) : undefined;
    });
    await killed(child);
    await expect(check(from)).rejects.toMatchObject({ detail: expect.stringContaining('interrupted before it was complete') });
  });

  test('a restore leaves a state that no service starts with, and completes when it is run again', async () => {
    const from = await backup({ withKeys: true });
    const to = newFolder();
    mkdirSync(to);
    // Somebody holds a write transaction open: the restore gets no further than this.
    const holder = new DatabaseSync(join(to, 'audit.db'));
    holder.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');
    const child = begin('restore', '--from', from, ...configOf(to), '--public-key', notaryPublic, '--keys', backupKey);
    await eventually('all but the database', () => existsSync(join(to, 'releases/releases/acme/1.0.0.json')) || undefined);
    await killed(child);
    holder.exec('ROLLBACK');
    holder.close();
    expect(existsSync(join(to, 'keys/notary.pem'))).toBe(true);
    const { status, stderr } = await firebreakProcess(['run', '--role', 'desk', ...configOf(to)], { folder });
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('FB_ERR_RESTORE_UNFINISHED') });
    await expect(restored(await backup(), to)).rejects.toMatchObject({
      detail: expect.stringContaining('half of another backup'),
    });
    expect(await restore(from, to, '--keys', backupKey)).toMatchObject({ status: 0 });
    expect(await recordsIn(to)).toBe(40);
    expect(readdirSync(to).filter((name) => name.includes('before-'))).toEqual([]);
  });
});

function replaceIn(file: string, what: string | RegExp, by: string): void {
  const draft = `${file}.new`;
  writeFileSync(draft, readFileSync(file, 'utf8').replace(what, by));
  renameSync(draft, file);
}
