import { dirname, join } from 'node:path';
import type { Finding, FindingKind } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Anchor } from '../../core/audit/checkpoint.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { createFileAnchor } from '../../integrations/anchor/file-anchor.ts';
import { createLogFolder } from '../../integrations/anchor/log-folder.ts';
import { ensureFolder } from '../../integrations/ensure-folder.ts';
import { createVerifier, type FileSigner } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { openNotaryKeys } from '../process/keys/key-files.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { repeat } from '../process/repeat.ts';
import { createLogCopies, type LogCopies } from '../records/log-copies.ts';
import { createNotary, type Notary } from '../records/notary.ts';
import { openLogCopies } from '../records/open-log-copies.ts';
import { createTransparencyLog, type TransparencyLog } from '../records/transparency-log.ts';
import { logKeys } from '../records/verify-log.ts';

/** Starts the notary with the key and the anchor of the configuration, and the transparency log over its signatures. */
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
  const anchorFolder = dirname(config.audit.anchorFile);
  // Any other folder belongs to the administrator: an unmounted volume must not become a local folder.
  if (anchorFolder.startsWith(config.stateDir)) await ensureFolder(anchorFolder, 0o700);
  const onError = (error: unknown): void =>
    log.warn({ reason: reasonOf(error) }, 'a checkpoint could not be signed; it is tried again');
  const onAlarm = (finding: Finding): void => {
    found(finding.kind);
    log.error({ ...finding }, 'the audit store was changed from outside');
  };
  const anchor = createFileAnchor({ file: config.audit.anchorFile });
  const verifier = createVerifier({ publicKeys });
  const { transparency, copies } = await openTransparencyLog({
    ...{ config, access, store, anchor, signer, publicKeys, verifier, log, onAlarm },
  });
  const notary = createNotary({
    store,
    signer,
    verifier,
    anchor,
    everyMs: config.audit.everySeconds * 1_000,
    onAlarm,
    onError,
    onCaughtUp: (checkpoints) =>
      log.info({ checkpoints }, 'copied checkpoints that another desk signed into the anchor of this one'),
    beside: transparency.beginWith,
  });
  const publish = (): Promise<void> =>
    transparency
      .publish()
      .then(() => copies.update())
      .catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'the transparency log is not up to date; trying again'));
  const stopping = new AbortController();
  // Signs at once, not only after the first minute: a verification in that time expects a live notary.
  void notary
    .sign()
    .catch(onError)
    .then(() => repeat({ work: publish, everyMs: config.audit.everySeconds * 1_000, signal: stopping.signal }));
  return {
    stop: async () => {
      await notary.stop();
      stopping.abort();
      await publish();
      await copies.settled();
    },
  };
}

/** Runs alongside the notary without ever blocking it: its signatures are in the database and the anchor, whatever happens to the log and its witnesses. */
async function openTransparencyLog({
  config,
  access,
  store,
  anchor,
  signer,
  publicKeys,
  verifier,
  log,
  onAlarm,
}: {
  readonly config: Config;
  readonly access: Secrets['logBucket'];
  readonly store: AuditStore;
  readonly anchor: Anchor;
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
    ...{ store, anchor, signer, key: keys[0], verifier, noteVerifier, files, onAlarm },
    witnesses: witnessKeys.flatMap((key, index) => open?.({ url: witnesses[index]?.url ?? '', key }) ?? []),
    onError: (error) => log.warn({ reason: reasonOf(error) }, 'a witness has not signed the log; asking again'),
  });
  const gitFolder = join(config.stateDir, 'anchor', 'git');
  return {
    transparency,
    copies: createLogCopies({
      copies: await openLogCopies({ copies, folder: gitFolder, key: keys[0], access, env: process.env }),
      ...{ files, origin: name, onAlarm },
      onError: (error) => log.warn({ reason: reasonOf(error) }, 'a copy of the transparency log is not up to date; trying again'),
    }),
  };
}
