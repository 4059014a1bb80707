import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { openSigner } from '../../integrations/keys/ed25519.ts';
import type { Config } from './complete.ts';
import type { Role } from './secrets.ts';

/** 32 random bytes in base64; a file that is there is never replaced, and of several processes all get the same. */
function ensureRandomKey(file: string): void {
  if (existsSync(file)) return;
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Makes the keys of these roles that are in the state directory and not there yet, with mode 0600; the public half of a signing key
 * beside it as `FILE.pub`. Keys that the configuration puts elsewhere are the administrator's: they are never made.
 */
export async function ensureKeyFiles({
  config,
  roles,
}: {
  readonly config: Config;
  readonly roles: readonly Role[];
}): Promise<void> {
  const own = (file: string) => file.startsWith(`${config.stateDir}/keys/`);
  const desk = roles.includes('desk');
  const cell = roles.some((role) => role !== 'desk');
  const signing = [
    ...(cell ? [config.evidence.keyFile] : []),
    ...(desk ? [config.desk.voteKeyFile, config.audit.notaryKeyFile] : []),
  ].filter(own);
  const random = [
    ...config.temporal.codecKeys.flatMap(({ key }) => ('file' in key ? [key.file] : [])),
    ...(cell ? [config.keys.cellKeyFile] : []),
  ].filter(own);
  for (const file of [...signing, ...random]) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  for (const file of signing) await openSigner({ file, create: true });
  for (const file of random) ensureRandomKey(file);
}
