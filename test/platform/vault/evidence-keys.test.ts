import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { createEvidenceWriter, verifyStoredEvidence } from '../../../activities/evidence/evidence-writer.ts';
import { readManifest } from '../../../integrations/evidence/manifest.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { openTransitSigner, transitPublicKeys, transitWrap } from '../../../integrations/vault/transit.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';
import { openEvidence } from '../../../service/process/evidence.ts';
import { evidencePublicKeys, openEvidenceVerifier } from '../../../service/process/keys/evidence-keys.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { startVault, type VaultServer } from '../../vault-server.ts';
import { stepContext } from '../kubernetes/parts/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-vault-'));
const started = await startedOrWhyNot(startVault);
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

if (typeof started === 'string') describe.skip(`keys in Vault (skipped: ${started})`, () => test('are not tried', () => {}));
else inVault(started);

/** The policy that docs/evidence.md asks for; its first line is for those who only check. */
function documentedPolicies() {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/evidence.md'), 'utf8');
  const whole = /```hcl\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  return { cell: whole, checker: whole.split('\n')[0] ?? '' };
}

function inVault({ url: address, admin, tokenWith }: VaultServer): void {
  const names = { sign: 'firebreak-evidence', wrap: 'firebreak-evidence-wrap' };
  const tokens = { cell: '', checker: '' };
  const as = (who: keyof typeof tokens): Vault => new Vault({ address, token: tokens[who] });
  const key = (who: keyof typeof tokens, name: keyof typeof names) => ({ vault: as(who), mount: 'transit', key: names[name] });

  beforeAll(async () => {
    await admin('PUT', 'sys/mounts/transit', { type: 'transit' });
    await admin('PUT', `transit/keys/${names.sign}`, { type: 'ed25519' });
    await admin('PUT', `transit/keys/${names.wrap}`, { type: 'aes256-gcm96' });
    const { cell, checker } = documentedPolicies();
    tokens.cell = await tokenWith(cell);
    tokens.checker = await tokenWith(checker);
  });

  /** Writes a configuration file whose token is in a file next to it. */
  function settings(name: string, vault: object = {}) {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(join(folder, `${name}.token`), `${tokens.cell}\n`, { mode: 0o600 });
    const where = { address, token: { file: `${name}.token` }, ...vault };
    const settings = {
      cluster: 'lab',
      stateDir: name,
      intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
      roster: { people: [{ id: 'ada', name: 'Ada', slack: ['U01ADA'] }], groups: { oncall: ['ada'], leads: ['ada'] } },
      evidence: { vault: where },
    };
    writeFileSync(file, stringify(settings));
    const config = loadConfig({ path: file, env: {} });
    const { evidenceVault } = resolveSecrets({
      config: { ...config, temporal: { ...config.temporal, codecKeys: [] } },
      env: {},
      roles: ['forensics'],
    });
    return {
      config,
      secrets: {
        codecKeys: [],
        temporalAccess: () => ({}),
        intakeTokens: [],
        intakeSignatures: [],
        ...(evidenceVault && { evidenceVault }),
      },
    };
  }

  describe('keys in Vault', () => {
    test('wrap the keys of incidents, bound to their purpose, and never leave Vault', async () => {
      const wrap = transitWrap(key('cell', 'wrap'));
      const bytes = randomBytes(32);
      const sealed = await wrap.seal(bytes, 'incident 1');
      expect(Buffer.from(sealed).toString()).toMatch(/^vault:v1:/);
      expect(bytes.equals(await wrap.open(sealed, 'incident 1'))).toBe(true);
      const broken = { code: 'FB_ERR_SEAL_BROKEN' };
      await expect(wrap.open(sealed, 'incident 2')).rejects.toMatchObject(broken);
      await expect(
        wrap.open(Buffer.from(`${Buffer.from(sealed).toString().slice(0, -4)}AAA=`), 'incident 1'),
      ).rejects.toMatchObject(broken);
      await expect(wrap.open(randomBytes(60), 'incident 1')).rejects.toMatchObject(broken);
      await admin('PUT', `transit/keys/${names.wrap}/rotate`, {});
      expect(Buffer.from(await wrap.seal(bytes, 'incident 1')).toString()).toMatch(/^vault:v2:/);
      expect(bytes.equals(await wrap.open(sealed, 'incident 1'))).toBe(true);
    });

    test('let a verifier neither open nor sign, and no error contains a token', async () => {
      const sealed = await transitWrap(key('cell', 'wrap')).seal(randomBytes(32), 'incident 1');
      const refused = transitWrap(key('checker', 'wrap')).open(sealed, 'incident 1');
      await expect(refused).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      const signer = await openTransitSigner(key('checker', 'sign'));
      const unsigned = signer.sign(Buffer.from('manifest'));
      await expect(unsigned).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      for (const failed of [refused, unsigned])
        expect(JSON.stringify(await failed.catch(({ message, stack }) => [message, stack]))).not.toContain(tokens.checker);
    });

    test('that do not exist, have another type or are out of reach are reported as such', async () => {
      const free = new Vault({ address, token: await tokenWith('path "transit/*" { capabilities = ["read"] }') });
      const wrong = openTransitSigner({ vault: free, mount: 'transit', key: names.wrap });
      await expect(wrong).rejects.toMatchObject({
        code: 'FB_ERR_CONFIG_INVALID',
        detail: expect.stringContaining('not an Ed25519 key'),
      });
      const none = openTransitSigner({ vault: free, mount: 'transit', key: 'none' });
      await expect(none).rejects.toMatchObject({
        code: 'FB_ERR_CONFIG_INVALID',
        detail: expect.stringContaining('does not exist'),
      });
      const away = transitWrap({ vault: new Vault({ address: 'http://127.0.0.1:9', token: 'x' }), mount: 'transit', key: 'k' });
      await expect(away.seal(randomBytes(32), 'x')).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    });

    test('keep evidence intact, and it can be verified with openssl and the public key alone, even after a rotation', async () => {
      const { config, secrets } = settings('whole');
      const evidence = await openEvidence({ config, secrets });
      const context = stepContext();
      const keep = async (text: string) => {
        const keeping = createEvidenceWriter(evidence, { target: { name: 'pod/shop/cart', uid: 'u1' }, context });
        await keeping.keep('logs', { name: 'app.log', mediaType: 'text/plain', tool: 'test' }, text);
        return keeping.close('firebreak/cell', 'collected 1 log');
      };
      const first = await keep('before');
      expect(await verifyStoredEvidence(evidence, { evidence: first, what: 'artefacts' })).toMatchObject({ state: 'verified' });
      const [before] = await evidencePublicKeys({ config, secrets });

      await admin('PUT', `transit/keys/${names.sign}/rotate`, {});
      const restarted = await openEvidence({ config, secrets });
      const keepAgain = createEvidenceWriter(restarted, { target: { name: 'pod/shop/cart', uid: 'u1' }, context });
      await keepAgain.keep('logs', { name: 'app.log', mediaType: 'text/plain', tool: 'test' }, 'after');
      const second = await keepAgain.close('firebreak/cell', 'collected 1 log');
      for (const kept of [first, second]) expect(await restarted.verifyManifest(kept.manifestSha256)).toEqual([]);
      const all = await transitPublicKeys(key('checker', 'sign'));
      expect(all).toHaveLength(2);

      const verifier = await openEvidenceVerifier({ config, secrets });
      for (const [kept, pem] of [
        [first, before?.pem],
        [second, all[1]?.pem],
      ] as const) {
        const { signature, keyId } = await readManifest({ store: evidence.store, verifier, sha256: kept.manifestSha256 });
        expect(keyId).toBe(all.find((one) => one.pem === pem)?.keyId);
        const files = {
          json: join(folder, 'manifest.json'),
          signed: join(folder, 'manifest.signed'),
          sig: join(folder, 'manifest.sig'),
        };
        writeFileSync(files.json, await evidence.store.get(kept.manifestSha256));
        writeFileSync(files.sig, Buffer.from(signature, 'base64'));
        writeFileSync(join(folder, 'evidence.pub'), pem ?? '');
        const script = `{ printf 'firebreak.evidence-manifest.v1\\n'; sed 's/"signature":"[^"]*",//' manifest.json; } > manifest.signed
          openssl pkeyutl -verify -pubin -inkey evidence.pub -rawin -in manifest.signed -sigfile manifest.sig`;
        expect(execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8' })).toContain('Verified Successfully');
      }
    });

    test('wait for a Vault that is down at the start, and pick up a token that was renewed in its file', async () => {
      const late = settings('late', { address: 'http://127.0.0.1:9' });
      const evidence = await openEvidence(late);
      const keeping = createEvidenceWriter(evidence, { target: { name: 'pod/shop/cart' }, context: stepContext() });
      const kept = keeping.keep('logs', { name: 'a', mediaType: 'text/plain', tool: 'test' }, 'x');
      await expect(kept).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });

      const { config, secrets } = settings('renewed');
      writeFileSync(join(folder, 'renewed.token'), 'no-token-any-more');
      await expect(evidencePublicKeys({ config, secrets })).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      writeFileSync(join(folder, 'renewed.token'), tokens.cell);
      expect((await evidencePublicKeys({ config, secrets })).length).toBeGreaterThan(0);
    });
  });
}
