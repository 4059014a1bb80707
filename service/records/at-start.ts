import { type AuditRecord, signRecord } from '../../core/audit/audit.ts';
import { takeProven } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { Signer } from '../../core/messages/signing.ts';
import type { Roster } from '../../core/people/roster.ts';
import { stewardsBody, stewardsChain, stewardsKind, stewardsText } from '../../core/people/stewards.ts';
import { stewardHistory } from './read-cuts.ts';

/**
 * Puts on record who the stewards are, where that is another than the desks' last word: by it orders of stewards are judged later. Of several desks that
 * start at once each may say it. A desk overrules itself alone: two of one database that did not agree would make each other's stewards nobody, in turn.
 * @throws FB_ERR_REFUSED where the last word is another desk's, and names others
 */
export async function nameStewards({
  store,
  trust,
  signer,
  roster,
  groups,
  desk,
  now = () => new Date(),
}: {
  readonly store: Pick<AuditStore, 'eachOfKinds' | 'appendNext'>;
  readonly trust: Trust;
  readonly signer: Signer;
  readonly roster: Pick<Roster, 'groups'>;
  /** `evidence.stewards`: names of groups of the roster. */
  readonly groups: readonly string[];
  /** The cluster of the desk that says it. */
  readonly desk: string;
  readonly now?: () => Date;
}): Promise<void> {
  const members = groups.flatMap((group) => (Object.hasOwn(roster.groups, group) ? (roster.groups[group] ?? []) : []));
  const stewards = [...new Set(members)].sort();
  const { last } = await stewardHistory(store, trust);
  // Where there never were any, there is nothing to say.
  const isSame = JSON.stringify(last?.stewards ?? []) === JSON.stringify(stewards);
  if (isSame && (last === undefined || last.desk === desk)) return;
  if (!isSame && last !== undefined && last.desk !== desk)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `by the desk of ${String(last.desk)}, which uses this database too, ${stewardsText(last.stewards)}; by the configuration of this one, of ${desk}, ${stewardsText(stewards)}. Orders are judged by the former until both configurations name the same people (evidence.stewards and roster)`,
    );
  await store.appendNext(stewardsChain, (number) => {
    const record = { chain: stewardsChain, number, at: now().toISOString(), kind: stewardsKind, actor: 'desk' };
    return signRecord({ ...record, body: stewardsBody(stewards, desk) }, signer);
  });
}

const configurationKind = 'configuration.loaded';

/** What a service runs with. */
interface Running {
  /** SHA-256 of its configuration file, hex: `sha256sum firebreak.yaml`. */
  readonly sha256: string;
  /** Of Firebreak. */
  readonly version: string;
}

/**
 * Puts on record with which configuration and version of Firebreak a desk runs, where its chain's last word is another. Cells say it in each incident that
 * they open. Desks that share a chain and differ say it in turn, each at its start.
 */
export async function recordConfiguration({
  store,
  trust,
  journal,
  chain,
  running: { sha256, version },
}: {
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  readonly journal: {
    record(entry: Pick<AuditRecord, 'actor' | 'body'> & { readonly kind: RecordKind }): Promise<void>;
  };
  readonly chain: string;
  readonly running: Running;
}): Promise<void> {
  let last: AuditRecord['body'] = {};
  await takeProven(store.eachOfKinds({ kinds: [configurationKind], since: '' }), trust, (record) => {
    if (record.chain === chain) last = record.body;
  });
  if (last.sha256 === sha256 && last.version === version) return;
  const text = `Firebreak ${version} runs with the configuration of SHA-256 ${sha256}`;
  await journal.record({ kind: configurationKind, actor: 'desk', body: { text, sha256, version } });
}
