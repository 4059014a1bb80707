import { FirebreakError } from '../../core/errors.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { createFolderShelf } from '../../integrations/evidence/folder-shelf.ts';
import { openVerifier } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { ReleaseStore } from '../packs/release-store.ts';

/** Where versions of packs and builds are kept for all cells. @throws FB_ERR_CONFIG_INVALID when its access keys are not there. */
export async function openReleases({
  config,
  secrets,
}: {
  readonly config: Pick<Config, 'releases'>;
  readonly secrets: Pick<Secrets, 'releases'>;
}): Promise<ReleaseStore> {
  const { store } = config.releases;
  if (store.kind === 'folder') return new ReleaseStore(createFolderShelf({ dir: store.folder }));
  if (!secrets.releases)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'releases of packs are in S3, and its access keys are not there');
  const { createBucketShelf } = await import('../../integrations/evidence/bucket-shelf.ts');
  const { kind: _, ...place } = store;
  return new ReleaseStore(createBucketShelf({ ...place, ...secrets.releases }));
}

/** Whose packs are believed. @throws FB_ERR_CONFIG_INVALID where a key cannot be read. */
export function openPublishers({ releases }: Pick<Config, 'releases'>): Promise<SignatureVerifier> {
  return openVerifier({ files: releases.publishers.map(({ key }) => key) });
}
