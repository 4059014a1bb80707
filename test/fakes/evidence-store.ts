import { canonicalJson, sha256Hex } from '../../core/digest.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceBytes, EvidenceStore, ManifestDraft, WriteManifest } from '../../core/evidence-store.ts';

/** Keeps evidence in memory, by its real hashes, for tests of what is collected. */
export function memoryEvidence() {
  const objects = new Map<string, Uint8Array>();
  const store: EvidenceStore = {
    async put(data) {
      const bytes = await wholeOf(data);
      const sha256 = sha256Hex(bytes);
      objects.set(sha256, bytes);
      return { sha256, bytes: bytes.length };
    },
    async get(sha256) {
      const bytes = objects.get(sha256);
      if (!bytes) throw new FirebreakError('FB_ERR_NOT_FOUND', `no object ${sha256}`);
      if (sha256Hex(bytes) !== sha256) throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `object ${sha256} has other bytes`);
      return bytes;
    },
    async has(sha256) {
      return objects.has(sha256);
    },
  };
  const drafts: ManifestDraft[] = [];
  const writeManifest: WriteManifest = async (draft) => {
    drafts.push(draft);
    const { sha256: manifestSha256 } = await store.put(new TextEncoder().encode(canonicalJson(draft)), 'application/json');
    const { target, artefacts } = draft;
    return { manifestSha256, target, artefacts };
  };
  const verifyManifest = async (manifestSha256: string): Promise<readonly string[]> => {
    const draft: ManifestDraft = JSON.parse(Buffer.from(await store.get(manifestSha256)).toString());
    const problems: string[] = [];
    for (const { name, sha256 } of draft.artefacts)
      await store.get(sha256).catch(() => {
        problems.push(`${name} is not what it was`);
      });
    return problems;
  };
  return { store, objects, drafts, writeManifest, verifyManifest };
}

async function wholeOf(data: EvidenceBytes): Promise<Uint8Array> {
  if (data instanceof Uint8Array) return data;
  const parts: Uint8Array[] = [];
  for await (const part of data) parts.push(part);
  return Buffer.concat(parts);
}
