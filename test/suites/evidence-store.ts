import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { keepSealed } from '../../activities/evidence/sealed-evidence.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import {
  createEvidenceCheck,
  createManifestVerifier,
  createManifestWriter,
  readArtefact,
  readManifest,
} from '../../integrations/evidence/manifest.ts';
import { createVerifier, signerFrom } from '../../integrations/keys/ed25519.ts';
import { inParts } from '../in-parts.ts';
import { newPrivateKey } from './private-key.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What every evidence store guarantees. `damage` changes a kept object without the store's knowledge, `remove` removes it. */
export function evidenceStoreSuite(given: {
  readonly store: () => EvidenceStore;
  readonly damage: (sha256: string) => Promise<void>;
  readonly remove: (sha256: string) => Promise<void>;
}): void {
  const { damage, remove } = given;
  const signer = signerFrom({ pem: newPrivateKey(), name: 'test key' });
  const verifier = createVerifier({ publicKeys: [signer.publicKey] });
  const at = '2026-03-01T10:00:00.000Z';

  async function all(data: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const part of data) parts.push(part);
    return Buffer.concat(parts);
  }

  async function snapshot(store: EvidenceStore) {
    const draft = {
      incident: 'incident/c/shop/Deployment/cart',
      run: 'run-1',
      step: 'key',
      target: { name: 'pod/shop/cart', uid: 'u1' },
    };
    const artefacts = await Promise.all(
      ['pod.yaml', 'log'].map(async (name) => {
        const kept = await store.put(randomBytes(2000), 'text/plain');
        return {
          name,
          mediaType: 'text/plain',
          tool: 'test',
          collectedAt: at,
          ...kept,
          ...(name === 'log' && { partial: 'cut \ud83d' }),
        };
      }),
    );
    const custody = [
      { at, who: 'firebreak/cell', did: 'collected' },
      { at, who: 'person/kim', did: 'read' },
    ];
    const write = () => createManifestWriter({ store, signer })({ ...draft, artefacts, custody, createdAt: at });
    return { ref: await write(), again: await write(), artefacts };
  }

  describe('the evidence store', () => {
    test('keeps bytes and streams under their SHA-256, once', async () => {
      const store = given.store();
      const bytes = randomBytes(1_500_000);
      const kept = { sha256: sha256(bytes), bytes: bytes.length };
      expect(await store.put(inParts(bytes, 100_000), 'application/x-tar')).toEqual(kept);
      expect(await store.put(bytes, 'application/x-tar')).toEqual(kept);
      expect(bytes.equals(await store.get(kept.sha256))).toBe(true);
      expect(bytes.equals(await all(store.read(kept.sha256)))).toBe(true);
      expect(await store.has(kept.sha256)).toBe(true);
      expect(await store.put(new Uint8Array(), 'text/plain')).toEqual({ sha256: sha256(new Uint8Array()), bytes: 0 });
    });

    test('keeps nothing of a stream that breaks off', async () => {
      const store = given.store();
      const part = randomBytes(10);
      async function* breaking(): AsyncGenerator<Uint8Array> {
        yield part;
        throw new Error('the socket dropped');
      }
      await expect(store.put(breaking(), 'text/plain')).rejects.toThrow('the socket dropped');
      expect(await store.has(sha256(part))).toBe(false);
    });

    test('says what is not there, what is no address, and what was changed', async () => {
      const store = given.store();
      const missing = sha256(randomBytes(8));
      await expect(store.get(missing)).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
      await expect(store.get('../../etc/passwd')).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
      expect([await store.has(missing), await store.has('..')]).toEqual([false, false]);
      const kept = await store.put(randomBytes(50), 'text/plain');
      await damage(kept.sha256);
      await expect(store.get(kept.sha256)).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
      await expect(all(store.read(kept.sha256))).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
      await expect(all(store.read(missing))).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
    });
  });

  describe('a manifest', () => {
    test('is signed, linked, the same for the same draft, and read back whole', async () => {
      const store = given.store();
      const { ref, again } = await snapshot(store);
      expect(again).toEqual(ref);
      expect(ref.artefacts.map(({ name, partial }) => [name, partial])).toEqual([
        ['pod.yaml', undefined],
        ['log', 'cut \ufffd'],
      ]);
      const manifest = await readManifest({ store, verifier, sha256: ref.manifestSha256 });
      expect(manifest).toMatchObject({ keyId: signer.keyId, createdAt: at, target: ref.target });
      expect(manifest.custody[1]?.previous).not.toBe(manifest.custody[0]?.previous);
      expect(await createManifestVerifier({ store, verifier })(ref.manifestSha256)).toEqual([]);
      expect(await createEvidenceCheck({ store, verifier })(ref, manifest.incident)).toBe(true);
    });

    test('says of a sealed artefact what was taken and how it lies there, and without the key nobody reads it', async () => {
      const store = given.store();
      const bytes = randomBytes(1_200_000);
      const context = { incident: 'incident/c/shop/Deployment/cart', run: 'run-1' };
      const key = { id: 'a'.repeat(32), key: randomBytes(32) };
      const keys = { keyFor: async () => key, open: async () => key };
      const kept = await keepSealed(
        { store, keys },
        { kind: 'files', what: { mediaType: 'application/x-tar' }, data: inParts(bytes, 100_000), context },
      );
      expect(kept).toMatchObject({ sha256: sha256(bytes), bytes: bytes.length, sealed: { keyId: key.id } });
      const artefact = { name: 'files', mediaType: 'application/x-tar', tool: 'test', collectedAt: at, ...kept };
      const draft = { ...context, step: 'key', target: { name: 'pod/shop/cart' }, custody: [], createdAt: at };
      const ref = await createManifestWriter({ store, signer })({ ...draft, artefacts: [artefact] });
      expect(await createManifestVerifier({ store, verifier })(ref.manifestSha256)).toEqual([]);
      expect(await createManifestVerifier({ store, verifier, keys })(ref.manifestSha256)).toEqual([]);
      expect(await createEvidenceCheck({ store, verifier })(ref, context.incident)).toBe(true);
      const { artefacts } = await readManifest({ store, verifier, sha256: ref.manifestSha256 });
      expect(artefacts).toEqual([artefact]);
      expect(bytes.equals(await all(readArtefact({ store, keys }, artefact)))).toBe(true);
      const other = { open: async () => ({ ...key, key: randomBytes(32) }) };
      expect(await createManifestVerifier({ store, verifier, keys: other })(ref.manifestSha256)).toEqual([
        expect.stringContaining('files: '),
      ]);
    });

    test('counts for its own incident, target and artefacts only', async () => {
      const store = given.store();
      const { ref } = await snapshot(store);
      const check = createEvidenceCheck({ store, verifier });
      const incident = 'incident/c/shop/Deployment/cart';
      expect(await check(ref, 'incident/c/shop/Deployment/web')).toBe(false);
      expect(await check({ ...ref, target: { name: 'pod/shop/cart', uid: 'u2' } }, incident)).toBe(false);
      expect(await check({ ...ref, artefacts: ref.artefacts.slice(1) }, incident)).toBe(false);
      expect(await check({ ...ref, manifestSha256: sha256(randomBytes(4)) }, incident)).toBe(false);
      await remove(ref.artefacts[0]?.sha256 ?? '');
      expect(await check(ref, incident)).toBe(false);
    });

    test('by another key, or changed and put back under its new address, is refused', async () => {
      const store = given.store();
      const { ref } = await snapshot(store);
      const strangers = createVerifier({ publicKeys: [signerFrom({ pem: newPrivateKey(), name: 'other' }).publicKey] });
      const read = (address: string, trusted = verifier) => readManifest({ store, verifier: trusted, sha256: address });
      await expect(read(ref.manifestSha256, strangers)).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
      const text = Buffer.from(await store.get(ref.manifestSha256)).toString();
      const forged = await store.put(Buffer.from(text.replace('person/kim', 'person/lee')), 'application/json');
      await expect(read(forged.sha256)).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
      const rubbish = await store.put(Buffer.from('not JSON'), 'application/json');
      await expect(read(rubbish.sha256)).rejects.toMatchObject({ code: 'FB_ERR_EVIDENCE_DAMAGED' });
    });

    test('names each artefact that was changed or is gone', async () => {
      const store = given.store();
      const { ref } = await snapshot(store);
      const [first, second] = ref.artefacts;
      await damage(first?.sha256 ?? '');
      await remove(second?.sha256 ?? '');
      const problems = await createManifestVerifier({ store, verifier })(ref.manifestSha256);
      expect(problems).toEqual([expect.stringMatching(/^pod\.yaml: /), expect.stringMatching(/^log: /)]);
    });
  });
}
