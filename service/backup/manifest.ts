import { z } from 'zod';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { canonicalJson, sha256Hex } from '../../core/text/digest.ts';

/** A path below one place that cannot leave it. */
const name = z
  .string()
  .regex(/^(?!.*(^|\/)\.{0,2}(\/|$))[^\0\\]+$/)
  .max(500);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.int().min(0);

const manifestSchema = z.strictObject({
  format: z.literal(1),
  at: z.iso.datetime(),
  cluster: z.string().min(1).max(200),
  /** Version of the program that made it. */
  firebreak: z.string().max(50),
  database: z.strictObject({
    kind: z.enum(['sqlite', 'postgres']),
    schema: z.int().min(0),
    tables: z.array(z.strictObject({ name: z.string().regex(/^\w+$/), rows: z.int().min(0) })).max(200),
  }),
  evidence: z.enum(['none', 'manifests', 'bytes']),
  keys: z.enum(['left out', 'sealed']),
  /** In the order in which they are restored. */
  parts: z.array(z.strictObject({ name, sha256, bytes })),
  /** Evidence objects, each named by its hash. */
  objects: z.array(z.strictObject({ sha256, bytes })),
});

const signedSchema = z.strictObject({
  manifest: manifestSchema,
  keyId: z.string().regex(/^[0-9a-f]{16}$/),
  signature: z.string().max(200),
});

/** Describes a backup. It is written last: without it there is no backup. */
export type BackupManifest = z.infer<typeof manifestSchema>;
export type BackupPart = BackupManifest['parts'][number];

export const manifestName = 'backup.json';

function signedBytes(manifest: BackupManifest): Uint8Array {
  return new TextEncoder().encode(`firebreak.backup.v1\n${canonicalJson(manifest)}`);
}

/** Returns what distinguishes two backups. */
export function backupDigest(manifest: BackupManifest): string {
  return sha256Hex(signedBytes(manifest));
}

export async function writeManifest(shelf: EvidenceShelf, given: BackupManifest, signer: Signer): Promise<void> {
  // A manifest that could not be read back would make the backup useless.
  const manifest = manifestSchema.parse(given);
  const signed = { manifest, keyId: signer.keyId, signature: await signer.sign(signedBytes(manifest)) };
  await shelf.add(manifestName, new TextEncoder().encode(JSON.stringify(signed)));
}

/** @throws FB_ERR_BACKUP_INVALID if the manifest is missing, malformed, or not signed by a trusted key. */
export async function readManifest(shelf: EvidenceShelf, where: string, verifier: SignatureVerifier): Promise<BackupManifest> {
  const found = await shelf.get(manifestName);
  if (!found)
    throw new FirebreakError(
      'FB_ERR_BACKUP_INVALID',
      `${where} has no ${manifestName}: there is no backup, or it was interrupted before it was complete`,
    );
  const signed = parsed(found);
  if (!signed) throw new FirebreakError('FB_ERR_BACKUP_INVALID', `${manifestName} is not what this version of Firebreak writes`);
  const { manifest, keyId, signature } = signed;
  if (!verifier.verify({ keyId, bytes: signedBytes(manifest), signature }))
    throw new FirebreakError(
      'FB_ERR_BACKUP_INVALID',
      `${manifestName} was changed, or was signed by a key that is not trusted (${keyId})`,
    );
  return manifest;
}

function parsed(found: Uint8Array): z.infer<typeof signedSchema> | undefined {
  try {
    return signedSchema.safeParse(JSON.parse(new TextDecoder().decode(found))).data;
  } catch {
    return undefined;
  }
}
