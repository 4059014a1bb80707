import { signRecord } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { Signer } from '../../core/messages/signing.ts';
import type { Roster } from '../../core/people/roster.ts';
import { stewardsBody, stewardsChain, stewardsKind } from '../../core/people/stewards.ts';
import { stewardHistory } from './read-cuts.ts';

/**
 * Puts on record who the stewards are, where that is another than the desks' last word: by it orders of stewards are judged later. Of several desks that
 * start at once each may say it; where they do not agree, each says its own at its start.
 */
export async function nameStewards({
  store,
  trust,
  signer,
  roster,
  groups,
  now = () => new Date(),
}: {
  readonly store: Pick<AuditStore, 'recordsOf' | 'appendNext'>;
  readonly trust: Trust;
  readonly signer: Signer;
  readonly roster: Pick<Roster, 'groups'>;
  /** `evidence.stewards`: names of groups of the roster. */
  readonly groups: readonly string[];
  readonly now?: () => Date;
}): Promise<void> {
  const members = groups.flatMap((group) => (Object.hasOwn(roster.groups, group) ? (roster.groups[group] ?? []) : []));
  const stewards = [...new Set(members)].sort();
  const { last } = await stewardHistory(store, trust);
  // Where there never were any, there is nothing to say.
  if (JSON.stringify(last ?? []) === JSON.stringify(stewards)) return;
  await store.appendNext(stewardsChain, (number) => {
    const record = { chain: stewardsChain, number, at: now().toISOString(), kind: stewardsKind, actor: 'desk' };
    return signRecord({ ...record, body: stewardsBody(stewards) }, signer);
  });
}
