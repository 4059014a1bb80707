import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createEvidenceWriter } from '../../../activities/evidence/evidence-writer.ts';
import { createManifestVerifier, readManifest } from '../../../integrations/evidence/manifest.ts';
import { openVerifier } from '../../../integrations/keys/ed25519.ts';
import { opened, writeEvidencePackage } from '../../../service/commands/evidence/evidence-get.ts';
import { stepContext } from '../../platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../../platform/kubernetes/parts/evidence.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The commands in `docs/evidence.md`, word for word. */
const [fromGet = '', fromStore = ''] = (() => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/evidence.md'), 'utf8');
  const section = page.slice(page.indexOf('## A check with nothing of Firebreak'));
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands);
})();

const whole = join(folder, 'whole');
let address = '';
beforeAll(async () => {
  const evidence = await folderEvidence(folder);
  // Text that imitates the manifest's own, in fields that somebody else can influence.
  const lures = { partial: '"signature":"x",},{', did: 'collected "signature":"y", 2 logs' };
  const clock = { against: 'kubernetes-api', aheadMs: 12, withinMs: 40 } as const;
  const keeping = createEvidenceWriter(
    { ...evidence, clock: () => clock },
    { target: { name: 'pod/shop/cart-1', uid: 'u' }, context: stepContext() },
  );
  const what = { mediaType: 'text/plain', tool: 'test' };
  await keeping.keep('logs', { name: 'logs/app.log', ...what, partial: lures.partial }, 'of the application');
  await keeping.keep('logs', { name: 'logs/sidecar.log', ...what, command: ['tool', '},{'] }, 'of the sidecar');
  const { manifestSha256 } = await keeping.close('firebreak/cell', lures.did);
  address = manifestSha256;
  const verifier = await openVerifier({ files: [join(folder, 'evidence.pem.pub')] });
  const manifest = await readManifest({ store: evidence.store, verifier, sha256: address });
  expect(manifest).toMatchObject({ clock, artefacts: [{}, { command: ['tool', '},{'] }] });
  await writeEvidencePackage(whole, { address, manifest, artefacts: manifest.artefacts }, (one) =>
    opened({ opensWith: '', store: evidence.store, keys: evidence.keys }, one),
  );
  copyFileSync(join(folder, 'evidence.pem.pub'), join(whole, 'evidence.pem.pub'));
  expect(await createManifestVerifier({ store: evidence.store, verifier })(address)).toEqual([]);
});

/** Makes a copy of what was handed out, to tamper with. */
function copied(name: string): string {
  const copy = join(folder, name);
  cpSync(whole, copy, { recursive: true });
  return copy;
}

/** All output of the commands; they continue after one that fails, as in an interactive shell. */
const check = (cwd: string): string => execFileSync('bash', ['-c', `{ ${fromGet}\n} 2>&1; true`], { cwd, encoding: 'utf8' });

describe('the documented check without Firebreak', () => {
  test('finds exported evidence in order', () => {
    const said = check(whole);
    expect(said).toContain('artefacts/logs/app.log: OK\nartefacts/logs/sidecar.log: OK\n');
    expect(said).toContain('Signature Verified Successfully');
    expect(said).not.toContain('not signed');
    expect(said).toContain(`${address}  manifest.json`);
  });

  test('finds a changed artefact', () => {
    const copy = copied('changed');
    writeFileSync(join(copy, 'artefacts/logs/app.log'), 'of somebody else');
    expect(check(copy)).toContain('artefacts/logs/app.log: FAILED');
  });

  test('finds an artefact that was changed together with its line in the list, and two that swapped names', () => {
    const copy = copied('listed');
    writeFileSync(join(copy, 'artefacts/logs/app.log'), 'of somebody else');
    execFileSync('bash', ['-c', 'sha256sum artefacts/logs/* > SHA256SUMS'], { cwd: copy });
    expect(check(copy)).toContain('not signed: artefacts/logs/app.log');

    const swapped = copied('swapped');
    const logs = join(swapped, 'artefacts/logs');
    renameSync(join(logs, 'app.log'), join(logs, 'x'));
    renameSync(join(logs, 'sidecar.log'), join(logs, 'app.log'));
    renameSync(join(logs, 'x'), join(logs, 'sidecar.log'));
    execFileSync('bash', ['-c', 'sha256sum artefacts/logs/* > SHA256SUMS'], { cwd: swapped });
    expect(check(swapped)).toMatch(/not signed: artefacts\/logs\/app\.log\nnot signed: artefacts\/logs\/sidecar\.log/);
  });

  test('finds a changed manifest', () => {
    for (const [said, instead] of [
      ['2 logs', '3 logs'],
      ['"aheadMs":12', '"aheadMs":13'],
    ] as const) {
      const copy = copied(instead);
      const file = join(copy, 'manifest.signed');
      writeFileSync(file, readFileSync(file, 'utf8').replace(said, instead));
      expect(check(copy)).toContain('Signature Verification Failure');
    }
  });

  test('gets the signed bytes and the signature from the stored manifest alone', () => {
    const copy = copied('alone');
    for (const name of ['manifest.signed', 'manifest.sig']) rmSync(join(copy, name));
    execFileSync('bash', ['-c', fromStore], { cwd: copy });
    for (const name of ['manifest.signed', 'manifest.sig'])
      expect(readFileSync(join(copy, name)).equals(readFileSync(join(whole, name)))).toBe(true);
  });
});
