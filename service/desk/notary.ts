import type { Finding, FindingKind } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { createVerifier, type FileSigner } from '../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../integrations/tlog/log-folder.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { openNotaryKeys } from '../process/keys/key-files.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { logKeys } from '../records/log-check.ts';
import { createLogCopies, type LogCopies } from '../records/log-copies.ts';
import { createNotary, type Notary } from '../records/notary.ts';
import { openLogCopies } from '../records/open-log-copies.ts';
import { createTransparencyLog, type TransparencyLog } from '../records/transparency-log.ts';

/** Starts the notary with the key of the configuration, and the transparency log over its signatures. */
export async function startNotary({
  config,
  access,
  store,
  log,
  found,
}: {
  readonly config: Config;
  /** Credentials for the bucket of the log. */
  readonly access: Secrets['logBucket'];
  readonly store: AuditStore;
  readonly log: Logger;
  /** Counts each reported finding. */
  readonly found: (kind: FindingKind) => void;
}): Promise<Pick<Notary, 'stop'>> {
  const { signer, publicKeys } = await openNotaryKeys(config.audit);
  const onError = (error: unknown): void =>
    log.warn({ reason: reasonOf(error) }, 'a checkpoint could not be signed; it is tried again');
  const onAlarm = (finding: Finding): void => {
    found(finding.kind);
    log.error({ ...finding }, 'the audit store was changed from outside');
  };
  const verifier = createVerifier({ publicKeys });
  const { transparency, copies } = await openTransparencyLog({
    ...{ config, access, store, signer, publicKeys, verifier, log, onAlarm },
  });
  const publish = (): Promise<void> =>
    transparency
      .publish()
      .then(() => copies.update())
      .catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'the transparency log is not up to date; trying again'));
  // Right after each checkpoint: until it is in the log, whoever writes the database can remove it unnoticed.
  let isPublishing = false;
  const notary = createNotary({
    store,
    signer,
    verifier,
    log: transparency,
    everyMs: config.audit.everySeconds * 1_000,
    onAlarm,
    onError,
    afterRound: () => {
      if (isPublishing) return;
      isPublishing = true;
      void publish().finally(() => {
        isPublishing = false;
      });
    },
  });
  // Signs at once, not only after the first minute: a verification in that time expects a live notary.
  void notary.sign().catch(onError).then(publish);
  return {
    stop: async () => {
      await notary.stop();
      await publish();
      await copies.settled();
    },
  };
}

/** Once begun, never blocks the notary: its signatures are in the database, whatever happens to the log's files and its witnesses. */
async function openTransparencyLog({
  config,
  access,
  store,
  signer,
  publicKeys,
  verifier,
  log,
  onAlarm,
}: {
  readonly config: Config;
  readonly access: Secrets['logBucket'];
  readonly store: AuditStore;
  readonly signer: FileSigner;
  readonly publicKeys: readonly [string, ...string[]];
  /** Trusts only these keys. */
  readonly verifier: SignatureVerifier;
  readonly log: Logger;
  readonly onAlarm: (finding: Finding) => void;
}): Promise<{ readonly transparency: TransparencyLog; readonly copies: LogCopies }> {
  const { folder, name, witnesses, copies } = config.audit.log;
  const {
    keys,
    witnesses: witnessKeys,
    verifier: noteVerifier,
  } = logKeys({
    name,
    witnesses: witnesses.map(({ key }) => key),
    publicKeys,
  });
  const open = witnesses.length === 0 ? undefined : (await import('../../integrations/witness/witness.ts')).createWitness;
  const files = createLogFolder({ folder });
  const transparency = createTransparencyLog({
    ...{ store, signer, key: keys[0], verifier, noteVerifier, files, onAlarm },
    witnesses: witnessKeys.flatMap((key, index) => open?.({ url: witnesses[index]?.url ?? '', key }) ?? []),
    onError: (error) => log.warn({ reason: reasonOf(error) }, 'a witness has not signed the log; asking again'),
  });
  return {
    transparency,
    copies: createLogCopies({
      copies: await openLogCopies({ copies, key: keys[0], access }),
      ...{ files, origin: name, onAlarm },
      onError: (error) => log.warn({ reason: reasonOf(error) }, 'a copy of the transparency log is not up to date; trying again'),
    }),
  };
}
