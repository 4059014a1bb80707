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
 * Makes the keys that the roles need and that are not there: only below the state directory, where nobody else puts them. What the
 * configuration names elsewhere must exist: a key that is made by mistake would be trusted by nobody.
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

/** 32 random bytes in base64, in a file that is made whole or was there. */
export async function ensureRandomKey(file: string): Promise<void> {
  // It may be where nothing can be written: mounted from a Secret.
  if (existsSync(file)) return;
  await ensureFolder(dirname(file), 0o700);
  const draft = `${file}.${randomUUID()}.draft`;
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    // Of two processes that do so at once, both use the key that was first: a link is never made over a file that is there.
    await link(draft, file);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST')
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the key file ${file} cannot be made`);
  } finally {
    await rm(draft, { force: true });
  }
}

/** 32 bytes, base64. @throws FB_ERR_CONFIG_INVALID when the file does not hold them. */
export async function readRandomKey(file: string): Promise<Uint8Array> {
  const key = Buffer.from((await readKeyText(file)).trim(), 'base64');
  if (key.length !== 32) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${file} does not hold 32 bytes in base64`);
  return key;
}

export function readPublicKeys(files: readonly string[]): Promise<readonly string[]> {
  return Promise.all(files.map(readKeyText));
}

/** How long a role waits for a key that another one makes beside it, in the same state directory: in one pod they begin together. */
const otherBeginsMs = 60_000;

/** As `readPublicKeys`; what is below the state directory is waited for. @throws FB_ERR_CONFIG_INVALID where it does not come, and at once for what is named elsewhere */
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

/** The files with the notary's public keys: that of today first, then those from before. */
export function notaryKeyFiles({ notaryKeyFile, retiredNotaryKeys }: NotaryKeys): readonly [string, ...string[]] {
  return [`${notaryKeyFile}.pub`, ...retiredNotaryKeys];
}

/** The key that the notary signs with, and all of its public keys (PEM), that of today first. @throws FB_ERR_CONFIG_INVALID */
export async function openNotaryKeys(
  audit: NotaryKeys,
): Promise<{ readonly signer: FileSigner; readonly publicKeys: readonly [string, ...string[]] }> {
  const signer = await openSigner({ file: audit.notaryKeyFile });
  return { signer, publicKeys: [signer.publicKey, ...(await readPublicKeys(audit.retiredNotaryKeys))] };
}

/** A key as its file has it. @throws FB_ERR_CONFIG_INVALID */
export async function readKeyText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the key file ${file} cannot be read`, {
      // Keys are made where the role runs that signs with them.
      remedy: 'Start `firebreak run` once, which makes the keys, or copy the file from where that role runs.',
    });
  }
}
