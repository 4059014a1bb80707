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
 * Records who the stewards are, if this differs from the desks' latest record: orders of stewards are later judged by it. If several desks start at once, each
 * may record it. A desk may overrule only itself: otherwise two desks of one database that disagree would keep revoking each other's stewards.
 * @throws FB_ERR_REFUSED if the latest record is another desk's, and names others
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
  /** The cluster of the desk that records it. */
  readonly desk: string;
  readonly now?: () => Date;
}): Promise<void> {
  const members = groups.flatMap((group) => (Object.hasOwn(roster.groups, group) ? (roster.groups[group] ?? []) : []));
  const stewards = [...new Set(members)].sort();
  const { last } = await stewardHistory(store, trust);
  // If there never were any stewards, there is nothing to record.
  const isSame = JSON.stringify(last?.stewards ?? []) === JSON.stringify(stewards);
  if (isSame && (last === undefined || last.desk === desk)) return;
  if (!isSame && last !== undefined && last.desk !== desk)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `according to the desk of ${String(last.desk)}, which also uses this database, ${stewardsText(last.stewards)}; according to the configuration of this desk, of ${desk}, ${stewardsText(stewards)}. Orders are judged by the former until both configurations name the same people (evidence.stewards and roster)`,
    );
  await store.appendNext(stewardsChain, (number) => {
    const record = { chain: stewardsChain, number, at: now().toISOString(), kind: stewardsKind, actor: 'desk' };
    return signRecord({ ...record, body: stewardsBody(stewards, desk) }, signer);
  });
}

const configurationKind = 'configuration.loaded';

/** The configuration and version that a service runs with. */
interface Running {
  /** SHA-256 of its configuration file, hex: `sha256sum firebreak.yaml`. */
  readonly sha256: string;
  /** Version of Firebreak. */
  readonly version: string;
}

/**
 * Records the configuration and version of Firebreak that a desk runs with, if the latest record of its chain differs. Cells record theirs in each incident
 * that they open. Desks that share a chain and differ take turns, each at its start.
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
