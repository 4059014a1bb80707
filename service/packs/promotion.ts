import type { SignatureVerifier } from '../../core/messages/signing.ts';
import type { PromotionTerms } from '../../core/orders/promotion.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { ReleaseStatement } from '../../core/playbook/release.ts';
import { wideningOf } from '../../core/playbook/widening.ts';
import { packFrom } from './describe.ts';
import { type ProvenRelease, provenRelease, type ReleaseStore } from './release-store.ts';

/** What it takes to look at versions of packs: the store, and whose signature counts. */
export interface Releases {
  readonly store: ReleaseStore;
  readonly publishers: Pick<SignatureVerifier, 'verify'>;
}

/** A version from the store, proven. @throws FirebreakError, and Error in words for who wants it. */
export async function releaseOf({ store, publishers }: Releases, pack: string, version: string): Promise<ProvenRelease> {
  return provenRelease(await store.release(pack, version), publishers, { pack, version });
}

/** The version that an order means, by its hash too. @throws as `releaseOf` */
export async function orderedRelease(
  releases: Releases,
  { pack, release, integrity }: Pick<PromotionTerms, 'pack' | 'release' | 'integrity'>,
): Promise<ProvenRelease> {
  const proven = await releaseOf(releases, pack, release);
  if (proven.statement.integrity !== integrity)
    throw new Error(`${pack}@${release} in the store is other code than the order names: ${proven.statement.integrity}`);
  return proven;
}

/**
 * What a version may do that the one which runs now might not, of the envelopes that publishers have signed; and whether it does otherwise what that did. That a pack's code says the same is looked at before
 * it runs.
 *
 * @throws as `releaseOf`
 */
export async function wideningOfRelease(
  releases: Releases,
  next: ProvenRelease,
  live: PromotionTerms | undefined,
): Promise<readonly string[]> {
  const before = live ? envelopesOf(await orderedRelease(releases, live)) : [];
  return [...wideningOf(before, envelopesOf(next)), ...changedBy(next.statement)];
}

/** Its body does what the one before did otherwise: of that its envelope says nothing. */
function changedBy({ replayed: { golden, incidents }, changed }: ReleaseStatement): readonly string[] {
  if (!changed) return [];
  const { count, because } = changed;
  const some = `${count} of ${golden + incidents} histories ${count === 1 ? 'goes' : 'go'}`;
  return [`${some} another way on it, which its publisher wants: ${because}`];
}

/** Its envelopes, as its publisher has signed them. */
export function envelopesOf({ statement, files }: ProvenRelease): readonly AnyPlaybook[] {
  const { pack: name, version, playbooks, actions } = statement;
  return packFrom({ name, version, playbooks, actions }, files).playbooks;
}
