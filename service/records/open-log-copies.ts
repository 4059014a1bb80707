import { FirebreakError } from '../../core/errors.ts';
import type { LogFiles } from '../../core/tlog/log-tree.ts';
import { type NoteKey, signaturesBy } from '../../core/tlog/signed-note.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { copyLog, type LogCopy, lookAtLog } from './log-copies.ts';

type Copies = Config['audit']['log']['copies'];

/** Opens the configured copies. Dependencies of each are loaded only if it is configured. */
export async function openLogCopies({
  copies,
  key,
  access,
}: {
  readonly copies: Copies;
  readonly key: NoteKey;
  /** Credentials of the bucket. */
  readonly access: Secrets['logBucket'];
}): Promise<readonly LogCopy[]> {
  const { s3, rekor } = copies;
  return [...(s3 && access ? [bucketCopy(await logBucket(s3, access))] : []), ...(rekor ? [rekorCopy(rekor, { key })] : [])];
}

async function logBucket(s3: NonNullable<Copies['s3']>, access: NonNullable<Secrets['logBucket']>): Promise<LogFiles> {
  const { openBucket } = await import('../../integrations/evidence/bucket.ts');
  const { createLogBucket } = await import('../../integrations/tlog/log-bucket.ts');
  const { lock, ...where } = s3;
  return createLogBucket({ bucket: openBucket({ ...where, ...access }), name: s3.bucket, ...(lock && { lock }) });
}

/** Always as up to date as the log itself. */
export function bucketCopy(to: LogFiles): LogCopy {
  return {
    name: 's3',
    everyMs: 0,
    look: () => lookAtLog(to),
    put: async (said, files, there) => {
      await copyLog(said, files, to, there);
      return {};
    },
  };
}

export function rekorCopy(
  { url, everyMinutes }: NonNullable<Copies['rekor']>,
  { key, timeoutMs }: { readonly key: NoteKey; readonly timeoutMs?: number },
): LogCopy {
  return {
    name: 'rekor',
    everyMs: everyMinutes * 60_000,
    // Each note is a separate entry: what is already there does not matter.
    look: async () => undefined,
    put: async ({ note }) => {
      const [signature] = signaturesBy(note, key);
      if (!signature) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the log is not signed with the notary’s key yet');
      const { addToRekor } = await import('../../integrations/tlog/rekor.ts');
      return addToRekor({ url, ...(timeoutMs !== undefined && { timeoutMs }) }, { text: note.text, key, signature });
    },
  };
}
