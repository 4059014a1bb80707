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
import { noEvidenceStore } from '../config/left-out.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { openEvidenceSigning, openEvidenceVerifier, openKeyWrap } from './keys/evidence-keys.ts';
import type { Logger } from './log.ts';
import { repeat } from './repeat.ts';

const noAccess = 'the evidence is in S3, but its access keys are missing';

interface StoreQuery {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 's3'>;
}

export interface EvidencePart {
  readonly store: EvidenceStore;
  readonly keys: IncidentKeys;
  readonly writeManifest: WriteManifest;
  readonly verifyManifest: VerifyManifest;
  /** Offset of the clock that dates evidence from the API server's, if it is measured. */
  readonly clock?: () => ClockOffset | undefined;
  /** Whether a manifest signed by this cell, of this incident and this target, is really in the store. */
  readonly kept: (ref: EvidenceRef, incident: string) => Promise<boolean>;
}

/** Opens the evidence store and the key that signs stored evidence. */
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

/** For a pool that only checks whether evidence is stored: it uses the public half of the cell's key. */
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

/**
 * Opens only the store, for readers of stored evidence. One that cannot work is replaced by none: evidence in a folder that nobody chose would not be protected
 * as was meant.
 * @throws FB_ERR_CONFIG_INVALID if its access keys are missing.
 */
export async function openEvidenceStore({ config, secrets }: StoreQuery): Promise<EvidenceStore> {
  const { store } = config.evidence;
  const missing = noEvidenceStore(config);
  if (missing !== undefined) return noStore(missing);
  if (store.kind === 'folder') return createFolderStore({ dir: store.folder });
  if (!secrets.s3) throw new FirebreakError('FB_ERR_CONFIG_INVALID', noAccess);
  // The S3 client takes tens of megabytes, so it is loaded only if evidence is stored there.
  const { createS3Store } = await import('../../integrations/evidence/s3-store.ts');
  return createS3Store(bucketOf(config, store, secrets.s3));
}

/** Lists which keys exist; opens none. */
export async function openKeyRegister(where: StoreQuery): Promise<KeyRegister> {
  return createKeyRegister({ shelf: await openShelf(where) });
}

/** Opens what is kept next to the store: the keys of the incidents, and the list of manifests. @throws as `openEvidenceStore` */
export async function openShelf({ config, secrets }: StoreQuery): Promise<EvidenceShelf> {
  const { store } = config.evidence;
  const missing = noEvidenceStore(config);
  if (missing !== undefined) return noShelf(missing);
  if (store.kind === 'folder') return createFolderShelf({ dir: store.folder });
  if (!secrets.s3) throw new FirebreakError('FB_ERR_CONFIG_INVALID', noAccess);
  const { createBucketShelf } = await import('../../integrations/evidence/bucket-shelf.ts');
  return createBucketShelf(bucketOf(config, store, secrets.s3));
}

function refusing(missing: string): () => Promise<never> {
  return async () => {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `no evidence is kept, as its store cannot work: ${missing}`);
  };
}

async function* failing(refuse: () => Promise<never>): AsyncGenerator<never> {
  yield await refuse();
}

function noStore(missing: string): EvidenceStore {
  const refuse = refusing(missing);
  return { put: refuse, get: refuse, has: refuse, sweep: refuse, read: () => failing(refuse) };
}

function noShelf(missing: string): EvidenceShelf {
  const refuse = refusing(missing);
  return { add: refuse, get: refuse, remove: refuse, locked: refuse, names: () => failing(refuse) };
}

function bucketOf(
  { evidence: { retention } }: Config,
  { kind: _, objectLock: mode, ...where }: Extract<Config['evidence']['store'], { readonly kind: 's3' }>,
  access: NonNullable<Secrets['s3']>,
): S3Options & { readonly lock?: LockRules } {
  const days = Object.fromEntries(evidenceClasses.map((kind) => [kind, retention[kind].atLeastDays])) as LockRules['days'];
  return { ...where, ...access, ...(mode && { lock: { mode, days } }) };
}

/** Longest duration of an upload: anything older is abandoned. */
const orphanAfterMs = 6 * 3_600_000;
const sweepEveryMs = 3_600_000;

/** Removes at the start and every hour what killed processes left of uploads, and logs it. Ends with `signal`. Never rejects. */
export async function sweepEvidence(options: {
  readonly store: EvidenceStore;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, log, signal } = options;
  const work = async (): Promise<void> => {
    // A store that does not answer is retried in an hour; the code that stores evidence reports the outage.
    const removed = await store.sweep(new Date(Date.now() - orphanAfterMs)).catch(() => 0);
    if (removed > 0) log.info({ removed }, 'removed the remains of incomplete evidence');
  };
  await repeat({ work, everyMs: sweepEveryMs, signal });
}

/** @throws FB_ERR_CONFIG_INVALID if the bucket cannot do what the configuration requires. A bucket that does not answer is assumed to be fine. */
export async function checkBucket({ config, secrets }: StoreQuery): Promise<void> {
  const { store } = config.evidence;
  if (store.kind === 'folder' || !store.objectLock || !secrets.s3) return;
  const { requireLock } = await import('../../integrations/evidence/s3-store.ts');
  await requireLock(bucketOf(config, store, secrets.s3)).catch(undefinedIf('FB_ERR_UNAVAILABLE'));
}
