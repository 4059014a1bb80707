import { GetObjectLockConfigurationCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { ObjectLock } from '../../core/evidence/object-bucket.ts';
import { answered, nameOf, type S3Place, statusOf } from './s3-client.ts';

const modes = { governance: 'GOVERNANCE', compliance: 'COMPLIANCE' } as const;

/** S3 requires a checksum with each locking request: ours is that of the object's name. */
export function lockFields({ mode, until, sha256 }: ObjectLock) {
  return { ...lockOnly({ mode, until }), ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') };
}

export function lockOnly({ mode, until }: Pick<ObjectLock, 'mode' | 'until'>) {
  return { ObjectLockMode: modes[mode], ObjectLockRetainUntilDate: until };
}

/** Whether objects of the bucket can be locked at all. @throws FB_ERR_UNAVAILABLE if the bucket does not say. */
export async function offersLock({ client, bucket }: S3Place): Promise<boolean> {
  const found = await answered('the object lock configuration', async () => {
    try {
      return await client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }));
    } catch (error) {
      // Amazon returns 404 if there is none; others return 400, or do not know the call.
      if (nameOf(error) === 'ObjectLockConfigurationNotFoundError' || [400, 405, 501].includes(statusOf(error) ?? 0))
        return undefined;
      throw error;
    }
  });
  return typeof found === 'object' && found.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
}

/** What protects a version of an object now, in words; undefined if nothing is known to. */
export async function whyLocked({ client, at }: S3Place, key: string, version?: string): Promise<string | undefined> {
  const which = { ...at(key), ...(version !== undefined && { VersionId: version }) };
  const head = await answered(key, () => client.send(new HeadObjectCommand(which)));
  if (typeof head === 'string') return undefined;
  if (head.ObjectLockLegalHoldStatus === 'ON') return 'it is under a legal hold of the bucket';
  const until = head.ObjectLockRetainUntilDate;
  if (until === undefined || until.getTime() <= Date.now()) return undefined;
  return `its object lock runs until ${until.toISOString().slice(0, 10)}`;
}
