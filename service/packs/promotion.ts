import type { SignatureVerifier } from '../../core/messages/signing.ts';
import type { PromotionTerms } from '../../core/orders/promotion.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { ReleaseStatement } from '../../core/playbook/release.ts';
import { wideningOf } from '../../core/playbook/widening.ts';
import { packFrom } from './describe.ts';
import { type ProvenRelease, provenRelease, type ReleaseStore } from './release-store.ts';

/** What is needed to read versions of packs: the store, and the trusted publishers. */
export interface Releases {
  readonly store: ReleaseStore;
  readonly publishers: Pick<SignatureVerifier, 'verify'>;
}

/** Returns a proven version from the store. @throws FirebreakError, and Error worded for the person who requests it. */
export async function releaseOf({ store, publishers }: Releases, pack: string, version: string): Promise<ProvenRelease> {
  return provenRelease(await store.release(pack, version), publishers, { pack, version });
}

/** Returns the version that an order names, also checked by its hash. @throws as `releaseOf` */
export async function orderedRelease(
  releases: Releases,
  { pack, release, integrity }: Pick<PromotionTerms, 'pack' | 'release' | 'integrity'>,
): Promise<ProvenRelease> {
  const proven = await releaseOf(releases, pack, release);
  if (proven.statement.integrity !== integrity)
    throw new Error(`${pack}@${release} in the store is not the code that the order names: ${proven.statement.integrity}`);
  return proven;
}

/**
 * Returns what a version may do that the running one may not, from the envelopes signed by publishers, and whether it behaves differently from the running one.
 * Whether the pack's code says the same is checked before it runs.
 *
 * @throws as `releaseOf`
 */
export async function wideningOfRelease(
  releases: Releases,
  next: ProvenRelease,
  live: PromotionTerms | undefined,
): Promise<readonly string[]> {
  const before = live ? envelopesOf(await orderedRelease(releases, live)) : [];
  return [...wideningOf(before, envelopesOf(next)), ...acceptedBy(next.statement)];
}

/** What its publisher accepts about its body; the envelope says nothing about that. */
function acceptedBy({ replayed: { golden, incidents }, changed, despite }: ReleaseStatement): readonly string[] {
  const lines: string[] = [];
  if (changed) {
    const some = `${changed.count} of ${golden + incidents} histories ${changed.count === 1 ? 'takes' : 'take'}`;
    lines.push(`${some} another path on it, which its publisher intends: ${changed.because}`);
  }
  if (despite) {
    const [first = ''] = despite.findings;
    const others = despite.count === 1 ? '' : `, and ${despite.count - 1} more`;
    lines.push(`its publisher accepts what the check found (${first}${others}): ${despite.because}`);
  }
  return lines;
}

/** The envelopes as signed by the publisher. */
export function envelopesOf({ statement, files }: ProvenRelease): readonly AnyPlaybook[] {
  const { pack: name, version, playbooks, actions } = statement;
  return packFrom({ name, version, playbooks, actions }, files).playbooks;
}
