import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FindingKind } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { createFileAnchor } from '../../integrations/anchor/file-anchor.ts';
import { createVerifier, openSigner } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { createNotary, type Notary } from '../records/notary.ts';

/** Starts the notary with the key and the anchor of the configuration. */
export async function startNotary({
  config,
  store,
  log,
  found,
}: {
  readonly config: Config;
  readonly store: AuditStore;
  readonly log: Logger;
  /** Counts what is told. */
  readonly found: (kind: FindingKind) => void;
}): Promise<Notary> {
  const signer = await openSigner({ file: config.audit.notaryKeyFile });
  const anchorFolder = dirname(config.audit.anchorFile);
  // Elsewhere it is the administrator's: a volume that is not mounted must not become a folder on this one.
  if (anchorFolder.startsWith(config.stateDir)) await mkdir(anchorFolder, { recursive: true, mode: 0o700 });
  const onError = (error: unknown): void =>
    log.warn({ reason: reasonOf(error) }, 'a checkpoint could not be signed; it is tried again');
  const notary = createNotary({
    store,
    signer,
    verifier: createVerifier({ publicKeys: [signer.publicKey] }),
    anchor: createFileAnchor({ file: config.audit.anchorFile }),
    everyMs: config.audit.everySeconds * 1_000,
    onAlarm: (finding) => {
      found(finding.kind);
      log.error({ ...finding }, 'the audit store was changed behind our back');
    },
    onError,
    onCaughtUp: (checkpoints) =>
      log.info({ checkpoints }, 'checkpoints that another desk signed meanwhile are in the anchor of this one now'),
  });
  // Not only with the first minute’s end: whoever verifies then wants to see a living notary.
  void notary.sign().catch(onError);
  return notary;
}
