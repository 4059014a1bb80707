import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PackRelease, ReleaseStatement } from '../../../core/playbook/release.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createVerifier, type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import { checkConfig } from '../../../service/config/load.ts';
import { playbooksOf } from '../../../service/config/packs.ts';
import { type PackFiles, readPack } from '../../../service/packs/pack-files.ts';
import { provenRelease, ReleaseStore, signedRelease } from '../../../service/packs/release-store.ts';
import { commandFile } from '../../command-line.ts';
import { acmeFiles, statementOf, writePackFolder } from '../../pack-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-releases-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let publisher: FileSigner;
let stranger: FileSigner;
let pack: PackFiles;
let other: PackFiles;
beforeAll(async () => {
  publisher = await openSigner({ file: join(folder, 'publisher.pem'), create: true });
  stranger = await openSigner({ file: join(folder, 'stranger.pem'), create: true });
  pack = readPack({ folder: writePackFolder(join(folder, 'acme')) });
  other = readPack({
    folder: writePackFolder(join(folder, 'other'), { ...acmeFiles, 'saying.ts': 'export const saying = String;\n' }),
  });
});

const bytesOf = (release: PackRelease): Uint8Array => Buffer.from(JSON.stringify(release));
let shelves = 0;
function newStore() {
  shelves += 1;
  const dir = join(folder, `store-${shelves}`);
  return { dir, store: new ReleaseStore(createFolderShelf({ dir })) };
}

describe('a version of a pack in the store', () => {
  test('is returned as it was signed, and never overwritten', async () => {
    const { store } = newStore();
    const release = await signedRelease(statementOf(pack), pack, publisher);
    expect(await store.publish(release)).toBe('published');
    expect(await store.publish(release)).toBe('known');
    await expect(store.publish(await signedRelease(statementOf(other), other, publisher))).rejects.toThrow(
      'acme@1.0.0 is published already',
    );
    await expect(store.publish(await signedRelease(statementOf(pack), pack, stranger))).rejects.toThrow('by another key');
    expect(await store.versions('acme')).toEqual(['1.0.0']);
    const publishers = createVerifier({ publicKeys: [publisher.publicKey] });
    const proven = provenRelease(await store.release('acme', '1.0.0'), publishers, { pack: 'acme', version: '1.0.0' });
    expect(proven.files.integrity).toBe(pack.integrity);
    expect([...proven.files.files.keys()]).toEqual(['firebreak.pack.ts', 'playbooks/miner.ts', 'saying.ts']);
    await expect(store.release('acme', '1.0.1')).rejects.toThrow('acme@1.0.1 is not in the store');
    await expect(store.release('../acme', '1.0.0')).rejects.toThrow('is not a version of a pack');
  });

  test.each<[string, (release: PackRelease) => PackRelease | Promise<PackRelease>, RegExp]>([
    [
      'other code under what was signed',
      (it) => ({ ...it, files: { ...it.files, 'saying.ts': Buffer.from('// x').toString('base64') } }),
      /is not what its publisher signed/,
    ],
    ['more code than was signed', (it) => ({ ...it, files: { ...it.files, 'more.ts': '' } }), /is not what its publisher signed/],
    [
      'a path out of the pack',
      (it) => ({ ...it, files: { ...it.files, '../../evil.ts': '' } }),
      /evil\.ts, which is not code of a pack/,
    ],
    [
      'another statement',
      (it) => ({ ...it, statement: { ...it.statement, at: '2026-11-28T12:00:00.000Z' } }),
      /not signed by a publisher/,
    ],
    ['the signature of a stranger', () => signedRelease(statementOf(pack), pack, stranger), /not signed by a publisher/],
    [
      'the stranger’s signature under the publisher’s name',
      async (it) => ({ ...(await signedRelease(statementOf(pack), pack, stranger)), keyId: it.keyId }),
      /not signed by a publisher/,
    ],
    [
      'an older version, which was signed',
      () => signedRelease(statementOf(pack, { version: '0.9.0' }), pack, publisher),
      /what is stored as acme@1\.0\.0 is acme@0\.9\.0/,
    ],
    ['another pack', () => signedRelease(statementOf(pack, { pack: 'acne' }), pack, publisher), /is acne@1\.0\.0/],
    [
      'another entry point',
      () => signedRelease(statementOf(pack, { main: 'saying.ts' }), pack, publisher),
      /starts with firebreak\.pack\.ts/,
    ],
    ['an extra field', (it) => Object.assign({}, it, { also: 1 }), /is no release/],
  ])('is not believed with %s', async (_, changed, words) => {
    const publishers = createVerifier({ publicKeys: [publisher.publicKey] });
    const release = await changed(await signedRelease(statementOf(pack), pack, publisher));
    expect(() => provenRelease(bytesOf(release), publishers, { pack: 'acme', version: '1.0.0' })).toThrow(words);
  });
});

describe('a build in the store', () => {
  const code = Buffer.from('// a bundle\n');
  const id = createHash('sha256').update(code).digest('hex').slice(0, 16);

  test('is returned for the cluster whose cell signed it, and for no other', async () => {
    const { store } = newStore();
    await store.keepBuild({ id, cluster: 'prod', code, signer: publisher });
    await store.keepBuild({ id, cluster: 'prod', code, signer: publisher });
    const cells = createVerifier({ publicKeys: [publisher.publicKey] });
    expect(Buffer.from(await store.build({ id, cluster: 'prod', isCell: cells.verify })).toString()).toBe('// a bundle\n');
    await expect(store.build({ id, cluster: 'dev', isCell: cells.verify })).rejects.toThrow('not in the store');
    const strangers = createVerifier({ publicKeys: [stranger.publicKey] });
    await expect(store.build({ id, cluster: 'prod', isCell: strangers.verify })).rejects.toThrow(
      'not signed by a trusted cell of prod',
    );
  });

  test('is not believed with other code, or under another id, whoever signed', async () => {
    const { store, dir } = newStore();
    const cells = createVerifier({ publicKeys: [publisher.publicKey] });
    await store.keepBuild({ id, cluster: 'prod', code, signer: publisher });
    const path = join(dir, 'builds', 'prod', `${id}.json`);
    const kept = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...kept, code: 'AAAA' }));
    await expect(store.build({ id, cluster: 'prod', isCell: cells.verify })).rejects.toThrow('is not what was signed');
    writeFileSync(path, JSON.stringify({ ...kept, build: { ...kept.build, id: 'f'.repeat(16) } }));
    await expect(store.build({ id, cluster: 'prod', isCell: cells.verify })).rejects.toThrow('is something else');
    await store.keepBuild({ id: '0'.repeat(16), cluster: 'prod', code, signer: publisher });
    await expect(store.build({ id: '0'.repeat(16), cluster: 'prod', isCell: cells.verify })).rejects.toThrow(
      'is not what was signed',
    );
  });
});

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01] }], groups: { oncall: [ada], leads: [ada] } }
packs: [{ release: acme }]
playbooks: { params: { acme/miner: { lease: 8h } } }
`;

describe('a configuration with a pack from the store', () => {
  function checked(signer: FileSigner | undefined, statement: Partial<ReleaseStatement> = {}) {
    const own = mkdtempSync(join(folder, 'config-'));
    writeFileSync(join(own, 'publisher.pem.pub'), publisher.publicKey);
    const path = join(own, 'firebreak.yaml');
    writeFileSync(path, `${minimal}releases: { publishers: [{ name: us, key: publisher.pem.pub }] }\n`);
    return (async () => {
      if (signer) {
        const promoted = join(own, 'firebreak-state/packs/promoted/acme.json');
        mkdirSync(dirname(promoted), { recursive: true });
        writeFileSync(promoted, bytesOf(await signedRelease(statementOf(pack, statement), pack, signer)));
      }
      return checkConfig({ path, env: {} });
    })();
  }

  test('has none of its playbooks until a version is promoted, and keeps their settings until then', async () => {
    const found = await checked(undefined);
    if (!found.ok) throw new Error(JSON.stringify(found.problems));
    expect(found.config.packs).toEqual([]);
  });

  test('has the playbooks of the promoted version', async () => {
    const found = await checked(publisher);
    if (!found.ok) throw new Error(JSON.stringify(found.problems));
    expect(found.config.packs).toMatchObject([{ name: 'acme', version: '1.0.0', integrity: pack.integrity }]);
    expect(playbooksOf(found.config).map(({ id }) => id)).toContain('acme/miner');
  });

  test('is refused if none of its publishers signed that version, or if its code names itself otherwise', async () => {
    expect(await checked(stranger)).toMatchObject({
      ok: false,
      problems: [{ path: 'packs[0]', problem: expect.stringContaining('not signed by a publisher') }],
    });
    expect(await checked(publisher, { version: '1.1.0' })).toMatchObject({
      ok: false,
      problems: [{ problem: 'acme@1.1.0 calls itself acme 1.0.0' }],
    });
    expect(await checked(publisher, { playbooks: [{ id: 'acme/miner', uses: {} }] })).toMatchObject({
      ok: false,
      problems: [{ problem: 'the envelopes of acme@1.0.0 are not the ones that its publisher signed' }],
    });
  });
});

describe('firebreak pack publish', () => {
  const run = (args: readonly string[]) => {
    const { PATH = '', HOME = '' } = process.env;
    const program = [commandFile(), 'pack', ...args];
    return spawnSync(process.execPath, program, { encoding: 'utf8', cwd: folder, env: { PATH, HOME } });
  };

  test('signs a version with its envelopes, rights and build, and lists it; an invalid version is refused', () => {
    const despite = ['--despite', 'a pack of a test'];
    const published = run(['publish', 'acme', '--key', 'publisher.pem', '--store', 'shared', '--json', ...despite]);
    expect(published.stderr).toBe('');
    expect(JSON.parse(published.stdout)).toMatchObject({
      pack: 'acme',
      version: '1.0.0',
      integrity: pack.integrity,
      outcome: 'published',
    });
    const { statement }: PackRelease = JSON.parse(readFileSync(join(folder, 'shared/releases/acme/1.0.0.json'), 'utf8'));
    expect(statement).toMatchObject({
      playbooks: [{ id: 'acme/miner', uses: { quarantinePod: {} } }],
      builtWith: { build: expect.stringMatching(/^[0-9a-f]{16}$/) },
    });
    expect(statement.rights).toContainEqual(
      expect.objectContaining({ resource: 'pods', verbs: expect.arrayContaining(['patch']) }),
    );
    expect(run(['releases', 'acme', '--store', 'shared']).stdout).toMatch(/^1\.0\.0 +2\S+Z +sha512-/m);
    writePackFolder(join(folder, 'unnumbered'), {
      ...acmeFiles,
      'firebreak.pack.ts': acmeFiles['firebreak.pack.ts']?.replace('1.0.0', 'latest'),
    });
    expect(run(['publish', 'unnumbered', '--key', 'publisher.pem', '--store', 'shared', ...despite]).stderr).toContain(
      'use three numbers',
    );
    writeFileSync(join(folder, 'file'), '');
    const { stderr } = run(['publish', 'acme', '--key', 'publisher.pem', '--store', 'file']);
    expect(stderr).toMatch(/cannot write to \S+file: EEXIST\n→ With --store, name a folder that you may write to/);
  });

  /** Each of them passes `pack check`. */
  test.each([
    ['that contains a pod and asks nobody', (text: string) => text, 'stays in force, and nobody is asked about it'],
    [
      'that never ends',
      (text: string) => text.replace('    note(', '    while (alert.title.length < 9_999) await Promise.resolve();\n    note('),
      'never ends',
    ],
    [
      'that throws on an ordinary alert',
      (text: string) => text.replace('    note(', "    if (alert.rule !== '') throw new Error('no such process');\n    note("),
      'no such process',
    ],
    [
      'that keeps something outside of itself',
      (text: string) =>
        text
          .replace('export const miner', 'let runs = 0;\nexport const miner')
          .replace('note(saying', 'note(String(runs++));\n    note(saying'),
      'it behaves differently when it is replayed',
    ],
    [
      'with a misspelt rule',
      (text: string) => text.replace('Detect crypto miners', 'Terminal shel in container'),
      'Did you mean “Terminal shell in container”?',
    ],
  ])('refuses a playbook %s, unless a reason is signed', (name, changed, problem) => {
    const files = { ...acmeFiles, 'playbooks/miner.ts': changed(acmeFiles['playbooks/miner.ts'] ?? '') };
    const store = `store of one ${name}`;
    const faulty = relative(folder, writePackFolder(join(folder, `one ${name}`), files));
    const refused = run(['publish', faulty, '--key', 'publisher.pem', '--store', store]);
    expect(refused.stderr).toContain(problem);
    expect(refused.stderr).toMatch(/FB_ERR_REFUSED.*against it: .*--despite/s);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(existsSync(join(folder, store, 'releases/acme/1.0.0.json'))).toBe(false);
    expect(run(['publish', faulty, '--key', 'publisher.pem', '--store', store, '--despite', 'only tried'])).toMatchObject({
      status: 0,
    });
    const { statement }: PackRelease = JSON.parse(readFileSync(join(folder, store, 'releases/acme/1.0.0.json'), 'utf8'));
    expect(statement.despite?.because).toBe('only tried');
    expect(statement.despite?.findings.join('\n')).toContain(problem);
    expect(run(['releases', 'acme', '--store', store]).stdout).toContain('only tried');
  });
});
