import { readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { FirebreakError } from '../../../core/errors.ts';
import { ensureFolder } from '../../../integrations/ensure-folder.ts';
import { replaceFile } from '../../../integrations/replace-file.ts';
import { takeLock } from '../../process/file-lock.ts';

const stored = z.object({
  /** The desk that the token is for: it is never sent anywhere else. */
  desk: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  idToken: z.string(),
  refreshToken: z.string().exactOptional(),
  expiresAt: z.number(),
});
export type StoredSignIn = z.output<typeof stored>;

/** One file per desk, readable only by its owner. */
function fileOf(desk: string): string {
  const { XDG_CONFIG_HOME: xdg } = process.env;
  const name = new URL(desk).host.replaceAll(/[^a-z0-9.-]/g, '_');
  return join(xdg || join(homedir(), '.config'), 'firebreak', 'sign-ins', `${name}.json`);
}

/** Returns undefined if nobody has signed in at this desk. A file that is not a sign-in, or is for another desk, is ignored. */
export async function readSignIn(desk: string): Promise<StoredSignIn | undefined> {
  const text = await readFile(fileOf(desk), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new FirebreakError('FB_ERR_FILE_MISSING', `the sign-in cannot be read: ${fileOf(desk)}`);
  });
  if (text === undefined) return undefined;
  const read = stored.safeParse(jsonOf(text));
  return read.success && read.data.desk === desk ? read.data : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function writeSignIn(signIn: StoredSignIn): Promise<void> {
  await replaceFile({ path: fileOf(signIn.desk), content: `${JSON.stringify(signIn)}\n` });
}

export async function removeSignIn(desk: string): Promise<void> {
  await rm(fileOf(desk), { force: true });
}

const waitsForMs = 120_000;
const lookEveryMs = 100;

/**
 * Runs one at a time, also across processes: many providers accept a refresh token only once, and using it twice concurrently ends the sign-in.
 * @throws FB_ERR_CONFLICT if another process holds it for two minutes
 */
export async function oneAtATime<T>(desk: string, work: () => Promise<T>): Promise<T> {
  const path = `${fileOf(desk)}.lock`;
  await ensureFolder(dirname(path), 0o700);
  const until = Date.now() + waitsForMs;
  for (let free = await takeLock(path); ; free = await takeLock(path)) {
    if (free !== undefined) return await work().finally(free);
    if (Date.now() > until)
      throw new FirebreakError(
        'FB_ERR_CONFLICT',
        `another command has been using the sign-in of ${desk} for two minutes: ${path}`,
      );
    await sleep(lookEveryMs);
  }
}
