import { checkChain } from '../../core/audit-check.ts';
import type { AuditReport, Finding } from '../../core/audit-report.ts';
import type { AuditStore } from '../../core/audit-store.ts';
import type { Anchor } from '../../core/checkpoint.ts';
import type { SignatureVerifier } from '../../core/signing.ts';
import { readCheckpoints } from './read-checkpoints.ts';

/**
 * Checks every record against its hash, its place in its chain, and the signed checkpoints in the database and in the anchor
 * outside it. Runs beside a working Firebreak. Trusts the public keys of the notary (`verifier`) and the anchor, not the database.
 * @throws FB_ERR_UNAVAILABLE when the database or the anchor cannot be read.
 */
export async function verifyAudit({
  store,
  anchor,
  verifier,
  now = () => new Date(),
}: {
  readonly store: AuditStore;
  readonly anchor: Anchor;
  readonly verifier: SignatureVerifier;
  readonly now?: () => Date;
}): Promise<AuditReport> {
  // Checkpoints first: whatever they name must be in the records that are read after them.
  const { chain: checkpoints, findings: checkpointFindings, notes } = await readCheckpoints({ store, anchor, verifier });
  const findings: Finding[] = [...checkpointFindings];
  const notCovered: { chain: string; from: number; to: number }[] = [];
  const chains = new Set([...(await store.chains()), ...checkpoints.heads.keys()]);
  let records = 0;
  for (const chain of [...chains].sort()) {
    const stored = await store.storedChain(chain);
    const stated = checkpoints.stated(chain);
    findings.push(...checkChain({ chain, stored, stated }));
    records += stored.records.length;
    const covered = stated.at(-1)?.number ?? 0;
    const end = stored.records.at(-1)?.number ?? 0;
    if (end > covered) notCovered.push({ chain, from: covered + 1, to: end });
  }
  const { last } = checkpoints;
  return {
    ok: findings.length === 0,
    checkedAt: now().toISOString(),
    chains: chains.size,
    records,
    checkpoints: checkpoints.count,
    ...(last && { lastCheckpoint: { number: last.checkpoint.number, at: last.checkpoint.at, keyId: last.keyId } }),
    anchor: anchor.description,
    findings,
    notCovered,
    notes,
  };
}
