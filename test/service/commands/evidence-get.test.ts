import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { keepSealed } from '../../../activities/evidence/sealed-evidence.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createKeyRegister } from '../../../integrations/evidence/key-register.ts';
import { createManifestVerifier, readManifest } from '../../../integrations/evidence/manifest.ts';
import { openVerifier } from '../../../integrations/keys/ed25519.ts';
import { opened, printContent, writeEvidencePackage } from '../../../service/commands/evidence/evidence-get.ts';
import { folderEvidence } from '../../platform/kubernetes/parts/evidence.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-get-'));
afterAll(() => rmSync(folder, { recursive: true }));
const opensWith = '/nowhere/evidence-wrap.key';

test('sealed evidence is exported as it was collected, so that sha256sum agrees, but not without the wrapping key', async () => {
  const evidence = await folderEvidence(folder);
  const bytes = randomBytes(2_500_000);
  const context = { incident: 'incident/c/shop/Deployment/cart', run: 'run-1' };
  const data = (async function* () {
    yield bytes;
  })();
  const kept = await keepSealed(evidence, { kind: 'files', what: { mediaType: 'application/zstd' }, data, context });
  const at = '2026-03-01T10:00:00.000Z';
  const artefact = { name: 'filesystem.tar.zst', mediaType: 'application/zstd', tool: 'test', collectedAt: at, ...kept };
  const target = { name: 'pod/shop/cart' };
  const ref = await evidence.writeManifest({
    ...context,
    step: 'key',
    target,
    artefacts: [artefact],
    custody: [],
    createdAt: at,
  });
  const verifier = await openVerifier({ files: [join(folder, 'evidence.pem.pub')] });
  const { store, keys } = evidence;
  const manifest = await readManifest({ store, verifier, sha256: ref.manifestSha256 });
  const parcel = { address: ref.manifestSha256, manifest, artefacts: manifest.artefacts };
  const out = join(folder, 'out');
  await writeEvidencePackage(out, parcel, (one) => opened({ opensWith, store, keys }, one));
  expect(readFileSync(join(out, 'artefacts', artefact.name)).equals(bytes)).toBe(true);
  expect(execFileSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: out, encoding: 'utf8' })).toContain(': OK');
  const closed = writeEvidencePackage(join(folder, 'closed'), parcel, (one) => opened({ opensWith, store }, one));
  await expect(closed).rejects.toMatchObject({ code: 'FB_ERR_FILE_MISSING' });

  const register = createKeyRegister({ shelf: createFolderShelf({ dir: join(folder, 'evidence') }) });
  const [key] = await register.list();
  if (!key) throw new Error('there is no key');
  await register.destroy(key, { by: 'person/ada', reason: 'case closed' });
  const gone = writeEvidencePackage(join(folder, 'gone'), parcel, (one) => opened({ opensWith, store, keys }, one));
  await expect(gone).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND', detail: expect.stringContaining('case closed') });
  // The proof of what it was remains: manifest, signature, and the bytes as stored.
  expect(await createManifestVerifier({ store, verifier })(ref.manifestSha256)).toEqual([]);
});

describe('evidence show', () => {
  const shown = (content: Buffer, options: Parameters<typeof printContent>[2]): Buffer => {
    const written: Buffer[] = [];
    const write = jest.spyOn(process.stdout, 'write').mockImplementation((data) => written.push(Buffer.from(data)) > 0);
    try {
      printContent(content, { name: 'app.log', sha256: 'a'.repeat(64) }, options);
    } finally {
      write.mockRestore();
    }
    return Buffer.concat(written);
  };
  const hostile = Buffer.from('one\u001b[2J\ntwo\n');
  const binary = Buffer.from([0x7f, 0x45, 0x00, 0xff]);

  test('escapes on a terminal what could control it, and refuses what is not text', () => {
    expect(shown(hostile, { isTerminal: true }).toString()).toBe('one\\u{1b}[2J\ntwo\n');
    expect(() => shown(binary, { isTerminal: true })).toThrow(/app\.log is not text/);
  });

  test('passes the very bytes to a pipe, and either as JSON', () => {
    expect(shown(hostile, { isTerminal: false }).equals(hostile)).toBe(true);
    expect(shown(binary, { isTerminal: false }).equals(binary)).toBe(true);
    expect(JSON.parse(shown(hostile, { json: true }).toString())).toMatchObject({ name: 'app.log', text: hostile.toString() });
    expect(JSON.parse(shown(binary, { json: true }).toString())).toMatchObject({ base64: binary.toString('base64') });
  });
});
