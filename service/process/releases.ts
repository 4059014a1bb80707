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

/** Where versions of packs and builds are kept for all cells. @throws FB_ERR_CONFIG_INVALID when its access keys are not there. */
export async function openReleases(query: ReleasesQuery): Promise<ReleaseStore> {
  return new ReleaseStore(await openReleaseShelf(query));
}

/** The same as objects with names, for who copies all of them. */
export async function openReleaseShelf({ config, secrets }: ReleasesQuery): Promise<EvidenceShelf> {
  const { store } = config.releases;
  if (store.kind === 'folder') return createFolderShelf({ dir: store.folder });
  if (!secrets.releases)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'releases of packs are in S3, and its access keys are not there');
  const { createBucketShelf } = await import('../../integrations/evidence/bucket-shelf.ts');
  const { kind: _, ...place } = store;
  return createBucketShelf({ ...place, ...secrets.releases });
}

/** Whose packs are believed. @throws FB_ERR_CONFIG_INVALID where a key cannot be read. */
export function openPublishers({ releases }: Pick<Config, 'releases'>): Promise<SignatureVerifier> {
  return openVerifier({ files: releases.publishers.map(({ key }) => key) });
}
