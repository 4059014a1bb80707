import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { keyManifests, makeKeySet } from '../../../service/process/keys/key-set.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('the keys of an installation', () => {
  it('have the names that each role expects in its state directory', async () => {
    const file = join(folder, 'firebreak.yaml');
    const tokens = [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }];
    const people = { people: [{ id: 'ada', name: 'Ada' }], groups: { oncall: ['ada'], leads: ['ada'] } };
    writeFileSync(file, stringify({ cluster: 'lab', stateDir: folder, intake: { tokens }, roster: people }));
    const { keys, desk, audit, evidence, temporal, trust } = loadConfig({ path: file, env: {} });
    const wanted = [
      ...[keys.cellKeyFile, ...Object.values(keys.signing), desk.voteKeyFile, audit.notaryKeyFile],
      ...[evidence.keyFile, evidence.wrapKeyFile],
      ...temporal.codecKeys.flatMap(({ key }) => ('file' in key ? [key.file] : [])),
      ...[...trust.cells.map(({ key }) => key), ...trust.secrets, ...trust.forensics, ...trust.packs, ...desk.votePublicKeys],
    ];
    const own = join(folder, 'keys');
    await makeKeySet(own);
    expect(wanted.filter((path) => !existsSync(path))).toEqual([]);
    rmSync(own, { recursive: true });
    rmSync(file);
  });

  it('are created once, and the private ones are readable by their owner only', async () => {
    const made = await makeKeySet(folder);
    expect(made).toEqual(expect.arrayContaining(['codec.key', 'cell.pem', 'vote.pem', 'notary.pem', 'evidence-wrap.key']));
    for (const name of made) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
    const before = made.map(textOf);
    expect(await makeKeySet(folder)).toEqual([]);
    expect(made.map(textOf)).toEqual(before);
  });

  it('become a Secret for each reader and one with all public keys, which verify what the private ones sign', async () => {
    const manifests = await keyManifests({ folder, namespace: 'guard' });
    const secrets = manifests.filter(({ kind }) => kind === 'Secret');
    const readers = (name: string) =>
      secrets.filter(({ stringData = {} }) => name in stringData).map(({ metadata }) => metadata.name);
    expect(readers('cell.pem')).toEqual(['firebreak-keys-cell']);
    expect(readers('vote.pem')).toEqual(['firebreak-keys-desk']);
    expect(readers('evidence-wrap.key')).toEqual(['firebreak-keys-evidence']);
    const [all, ...more] = manifests.filter(({ kind }) => kind === 'ConfigMap');
    expect(more).toEqual([]);
    expect(JSON.stringify(all)).not.toContain('PRIVATE');
    const signer = await openSigner({ file: join(folder, 'cell.pem') });
    const bytes = new Uint8Array([1, 2, 3]);
    const signature = await signer.sign(bytes);
    const verifier = createVerifier({ publicKeys: [all?.data?.['cell.pem.pub'] ?? ''] });
    expect(verifier.verify({ keyId: signer.keyId, bytes, signature })).toBe(true);
    expect(Object.keys(all?.data ?? {}).sort()).toEqual(
      readdirSync(folder)
        .filter((name) => name.endsWith('.pub'))
        .sort(),
    );
  });
});
