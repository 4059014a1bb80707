import { provenIn } from '../../core/audit/audit-check.ts';
import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { deadlineKinds, deadlinesIn, type IncidentDeadlines } from '../../core/compliance/deadlines.ts';
import type { Entity } from '../../core/compliance/notification.ts';
import type { Trust } from '../../core/messages/sender.ts';

/** Returns the recorded deadlines of notifications, as they are now. @throws what the store throws */
export async function readDeadlines({
  store,
  trust,
  signers,
  entity,
}: {
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  readonly signers: VoteSigners;
  readonly entity: Entity;
}): Promise<readonly IncidentDeadlines[]> {
  const { records } = await provenIn(store.eachOfKinds({ kinds: deadlineKinds, since: '' }), trust);
  return deadlinesIn(records, signers, entity);
}
