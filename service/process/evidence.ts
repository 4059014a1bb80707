import { FirebreakError, undefinedIf } from '../../core/errors.ts';
import { type ClockOffset, type EvidenceRef, evidenceClasses } from '../../core/evidence/evidence.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { EvidenceStore, VerifyManifest, WriteManifest } from '../../core/evidence/evidence-store.ts';
import type { IncidentKeys, KeyRegister } from '../../core/evidence/incident-key.ts';
import { createFolderShelf } from '../../integrations/evidence/folder-shelf.ts';
import { createFolderStore } from '../../integrations/evidence/folder-store.ts';
import { createIncidentKeys } from '../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../integrations/evidence/key-register.ts';
import { createEvidenceCheck, createManifestVerifier, createManifestWriter } from '../../integrations/evidence/manifest.ts';
import { createManifestIndex } from '../../integrations/evidence/manifest-index.ts';
import type { S3Options } from '../../integrations/evidence/s3-client.ts';
import type { LockRules } from '../../integrations/evidence/s3-store.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { openEvidenceSigning, openEvidenceVerifier, openKeyWrap } from './keys/evidence-keys.ts';
import type { Logger } from './log.ts';
import { repeat } from './repeat.ts';

const noAccess = 'the evidence is in S3, and its access keys are not there';

interface StoreQuery {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 's3'>;
}

export interface EvidencePart {
  readonly store: EvidenceStore;
  readonly keys: IncidentKeys;
  readonly writeManifest: WriteManifest;
  readonly verifyManifest: VerifyManifest;
  /** How the clock that dates it stands to the API server's, where it is asked. */
  readonly clock?: () => ClockOffset | undefined;
  /** Whether a manifest that this cell signed, of this incident and this target, is really in the store. */
  readonly kept: (ref: EvidenceRef, incident: string) => Promise<boolean>;
}

/** Where evidence goes, and the key that signs what is kept. */
export async function openEvidence({
  config,
  secrets,
}: {
  readonly config: Config;
  readonly secrets: Secrets;
}): Promise<EvidencePart> {
  await checkBucket({ config, secrets });
  const store = await openEvidenceStore({ config, secrets });
  const shelf = await openShelf({ config, secrets });
  const keys = createIncidentKeys({ wrap: await openKeyWrap({ config, secrets }), shelf });
  const { signer, verifier } = await openEvidenceSigning({ config, secrets });
  return {
    store,
    keys,
    writeManifest: createManifestWriter({ store, signer, index: createManifestIndex({ shelf }) }),
    verifyManifest: createManifestVerifier({ store, verifier, keys }),
    kept: createEvidenceCheck({ store, verifier }),
  };
}

/** For a pool that only asks whether evidence is kept: it has the public half of the cell's key. */
export async function openEvidenceCheck({
  config,
  secrets,
}: {
  readonly config: Config;
  readonly secrets: Secrets;
}): Promise<EvidencePart['kept']> {
  const store = await openEvidenceStore({ config, secrets });
  return createEvidenceCheck({ store, verifier: await openEvidenceVerifier({ config, secrets }) });
}

/** The store alone, for who reads what is kept. @throws FB_ERR_CONFIG_INVALID when its access keys are not there. */
export async function openEvidenceStore({ config, secrets }: StoreQuery): Promise<EvidenceStore> {
  const { store } = config.evidence;
  if (store.kind === 'folder') return createFolderStore({ dir: store.folder });
  if (!secrets.s3) throw new FirebreakError('FB_ERR_CONFIG_INVALID', noAccess);
  // The S3 client takes tens of megabytes: only who keeps evidence there pays for it.
  const { createS3Store } = await import('../../integrations/evidence/s3-store.ts');
  return createS3Store(bucketOf(config, store, secrets.s3));
}

/** Which keys there are; it opens none. */
export async function openKeyRegister(where: StoreQuery): Promise<KeyRegister> {
  return createKeyRegister({ shelf: await openShelf(where) });
}

/** What stands beside the store: the keys of the incidents, and which manifests there are. @throws as `openEvidenceStore` */
export async function openShelf({ config, secrets }: StoreQuery): Promise<EvidenceShelf> {
  const { store } = config.evidence;
  if (store.kind === 'folder') return createFolderShelf({ dir: store.folder });
  if (!secrets.s3) throw new FirebreakError('FB_ERR_CONFIG_INVALID', noAccess);
  const { createBucketShelf } = await import('../../integrations/evidence/bucket-shelf.ts');
  return createBucketShelf(bucketOf(config, store, secrets.s3));
}

function bucketOf(
  { evidence: { retention } }: Config,
  { kind: _, objectLock: mode, ...where }: Extract<Config['evidence']['store'], { readonly kind: 's3' }>,
  access: NonNullable<Secrets['s3']>,
): S3Options & { readonly lock?: LockRules } {
  const days = Object.fromEntries(evidenceClasses.map((kind) => [kind, retention[kind].atLeastDays])) as LockRules['days'];
  return { ...where, ...access, ...(mode && { lock: { mode, days } }) };
}

/** How long an upload may take: what is older belongs to nobody any more. */
const orphanAfterMs = 6 * 3_600_000;
const sweepEveryMs = 3_600_000;

/**
 * At the start and every hour takes away what killed processes have left of uploads, and says so. Ends with `signal`. Never rejects.
 */
export async function sweepEvidence(options: {
  readonly store: EvidenceStore;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, log, signal } = options;
  const work = async (): Promise<void> => {
    // A store that does not answer is asked again in an hour; that it does not, who keeps evidence says.
    const removed = await store.sweep(new Date(Date.now() - orphanAfterMs)).catch(() => 0);
    if (removed > 0) log.info({ removed }, 'removed the remains of incomplete evidence');
  };
  await repeat({ work, everyMs: sweepEveryMs, signal });
}

/** @throws FB_ERR_CONFIG_INVALID where the bucket cannot do what the configuration asks of it. One that does not answer is believed. */
export async function checkBucket({ config, secrets }: StoreQuery): Promise<void> {
  const { store } = config.evidence;
  if (store.kind === 'folder' || !store.objectLock || !secrets.s3) return;
  const { requireLock } = await import('../../integrations/evidence/s3-store.ts');
  await requireLock(bucketOf(config, store, secrets.s3)).catch(undefinedIf('FB_ERR_UNAVAILABLE'));
}
