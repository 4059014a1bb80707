import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { createVerifier } from '../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../integrations/tlog/log-folder.ts';
import type { Config } from '../config/load.ts';
import { openNotaryKeys } from '../process/keys/key-files.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { openRoleSigner } from '../process/trust.ts';
import { openAuditTrust } from '../records/audit-trust.ts';
import { logKeys } from '../records/log-check.ts';
import { carryOutRemovals } from '../records/removals.ts';
import { carryOutCuts, orderCuts } from '../records/retention.ts';

/** Milliseconds between looks. What is cut in one look is deleted in the next. */
export const retentionEveryMs = 6 * 3_600_000;

/** Cuts records when their retention ends, and removes content that two people have ordered to be removed. Compares with this desk's log, as its notary does. */
export async function createRetention({
  config,
  store,
  trust,
  log,
}: {
  readonly config: Config;
  readonly store: AuditStore;
  readonly trust: Trust;
  readonly log: Logger;
}): Promise<() => Promise<void>> {
  const { retention, carriesOutCuts, log: place } = config.audit;
  const { publicKeys } = await openNotaryKeys(config.audit);
  const { signers } = await openAuditTrust(config, []);
  const parts = {
    ...{ store, trust, signers, retention },
    log: { files: createLogFolder({ folder: place.folder }), ...logKeys({ name: place.name, witnesses: [], publicKeys }) },
    verifier: createVerifier({ publicKeys }),
  };
  const signer = await openRoleSigner(config, 'desk');
  // Each look for cuts reads all checkpoints.
  const isCutting = Object.keys(retention.days).length > 0;
  return async () => {
    try {
      // Previous cuts come first: by now the notary vouches for them.
      const carried = carriesOutCuts && isCutting ? await carryOutCuts(parts) : undefined;
      const ordered = await orderCuts({ ...parts, signer });
      const removed = carriesOutCuts ? await carryOutRemovals(parts) : undefined;
      for (const problem of [...(carried?.problems ?? []), ...ordered.problems, ...(removed?.problems ?? [])])
        log.error(
          { problem },
          'some records were not deleted or redacted as planned, because they were changed after they were made',
        );
      if (removed && removed.records > 0) log.info({ records: removed.records }, 'redacted records by order');
      const { chains, records, held } = ordered;
      if (chains + (carried?.chains ?? 0) > 0)
        log.info({ chains, records, held, deleted: carried?.records ?? 0 }, 'records are no longer kept');
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'cannot delete expired records; trying again');
    }
  };
}
