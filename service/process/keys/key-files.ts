import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { FirebreakError } from '../../../core/errors.ts';
import { systemErrorCode } from '../../../core/system-error.ts';
import { ensureFolder } from '../../../integrations/ensure-folder.ts';
import { type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import type { Config } from '../../config/load.ts';
import type { Role } from '../../config/secrets.ts';

/**
 * Creates the missing keys of the roles, but only below the state directory, where nobody else puts them. Keys that the configuration names elsewhere must
 * exist: a key created by mistake would be trusted by nobody.
 */
export async function ensureKeys({ config, roles }: { readonly config: Config; readonly roles: readonly Role[] }): Promise<void> {
  const keeps = !config.evidence.vault && (roles.includes('cell') || roles.includes('forensics'));
  const own = (file: string): boolean => file.startsWith(`${config.stateDir}/`);
  const signers = [
    ...(roles.includes('desk') ? [config.desk.voteKeyFile, config.audit.notaryKeyFile] : []),
    ...(roles.includes('cell') ? [config.keys.signing.cell] : []),
    ...(roles.includes('secrets') ? [config.keys.signing.secrets] : []),
    ...(roles.includes('forensics') ? [config.keys.signing.forensics] : []),
    ...(roles.includes('packs') ? [config.keys.signing.packs] : []),
    ...(keeps ? [config.evidence.keyFile] : []),
  ].filter(own);
  for (const file of signers) {
    await ensureFolder(dirname(file), 0o700);
    await openSigner({ file, create: true });
  }
  const randomKeys = [
    ...(roles.includes('cell') ? [config.keys.cellKeyFile] : []),
    ...(keeps ? [config.evidence.wrapKeyFile] : []),
    ...config.temporal.codecKeys.flatMap(({ key }) => ('file' in key ? [key.file] : [])),
  ].filter(own);
  for (const file of randomKeys) await ensureRandomKey(file);
}

/** Ensures a file with 32 random bytes in base64, created atomically unless it exists. */
export async function ensureRandomKey(file: string): Promise<void> {
  // The file may be read-only: mounted from a Secret.
  if (existsSync(file)) return;
  await ensureFolder(dirname(file), 0o700);
  const draft = `${file}.${randomUUID()}.draft`;
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    // If two processes do this at once, both use the key that was first: a link never replaces an existing file.
    await link(draft, file);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST')
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the key file ${file} cannot be created`);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Reads 32 bytes in base64. @throws FB_ERR_CONFIG_INVALID if the file does not hold them. */
export async function readRandomKey(file: string): Promise<Uint8Array> {
  const key = Buffer.from((await readKeyText(file)).trim(), 'base64');
  if (key.length !== 32) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${file} does not hold 32 bytes in base64`);
  return key;
}

export function readPublicKeys(files: readonly string[]): Promise<readonly string[]> {
  return Promise.all(files.map(readKeyText));
}

/** How long a role waits for a key that another role creates in the same state directory: in one pod they start together. */
const otherBeginsMs = 60_000;

/**
 * Like `readPublicKeys`, but waits for keys below the state directory. @throws FB_ERR_CONFIG_INVALID if they do not appear, and at once for keys that are named
 * elsewhere
 */
export function awaitPublicKeys(
  files: readonly string[],
  { stateDir }: Pick<Config, 'stateDir'>,
  withinMs = otherBeginsMs,
): Promise<readonly string[]> {
  const end = Date.now() + withinMs;
  return Promise.all(
    files.map(async (file) => {
      while (file.startsWith(`${stateDir}/`) && !existsSync(file) && Date.now() < end) await setTimeout(200);
      return readKeyText(file);
    }),
  );
}

type NotaryKeys = Pick<Config['audit'], 'notaryKeyFile' | 'retiredNotaryKeys'>;

/** Returns the files with the notary's public keys: the current one first, then the retired ones. */
export function notaryKeyFiles({ notaryKeyFile, retiredNotaryKeys }: NotaryKeys): readonly [string, ...string[]] {
  return [`${notaryKeyFile}.pub`, ...retiredNotaryKeys];
}

/** Opens the notary's signing key and all of its public keys (PEM), the current one first. @throws FB_ERR_CONFIG_INVALID */
export async function openNotaryKeys(
  audit: NotaryKeys,
): Promise<{ readonly signer: FileSigner; readonly publicKeys: readonly [string, ...string[]] }> {
  const signer = await openSigner({ file: audit.notaryKeyFile });
  return { signer, publicKeys: [signer.publicKey, ...(await readPublicKeys(audit.retiredNotaryKeys))] };
}

/** Reads the text of a key file. @throws FB_ERR_CONFIG_INVALID */
export async function readKeyText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the key file ${file} cannot be read`, {
      // Keys are created where the role that signs with them runs.
      remedy: 'Start `firebreak run` once, which creates the keys, or copy the file from where that role runs.',
    });
  }
}
