import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { createFolderShelf } from '../../integrations/evidence/folder-shelf.ts';
import { openVerifier } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { ReleaseStore } from '../packs/release-store.ts';

interface ReleasesQuery {
  readonly config: Pick<Config, 'releases'>;
  readonly secrets: Pick<Secrets, 'releases'>;
}

/** Opens the store of pack versions and builds for all cells. @throws FB_ERR_CONFIG_INVALID if its access keys are missing. */
export async function openReleases(query: ReleasesQuery): Promise<ReleaseStore> {
  return new ReleaseStore(await openReleaseShelf(query));
}

/** The same as named objects, for callers that copy all of them. */
export async function openReleaseShelf({ config, secrets }: ReleasesQuery): Promise<EvidenceShelf> {
  const { store } = config.releases;
  if (store.kind === 'folder') return createFolderShelf({ dir: store.folder });
  if (!secrets.releases)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'releases of packs are in S3, but its access keys are missing');
  const { createBucketShelf } = await import('../../integrations/evidence/bucket-shelf.ts');
  const { kind: _, ...place } = store;
  return createBucketShelf({ ...place, ...secrets.releases });
}

/** Opens the verifier for trusted publishers. @throws FB_ERR_CONFIG_INVALID if a key cannot be read. */
export function openPublishers({ releases }: Pick<Config, 'releases'>): Promise<SignatureVerifier> {
  return openVerifier({ files: releases.publishers.map(({ key }) => key) });
}
