import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutObjectLegalHoldCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { createEvidenceWriter } from '../../../activities/evidence/evidence-writer.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../integrations/crypto-box/key-wrap.ts';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import { createBucketShelf } from '../../../integrations/evidence/bucket-shelf.ts';
import { createIncidentKeys } from '../../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../../integrations/evidence/key-register.ts';
import { createS3Store, type LockRules, requireLock } from '../../../integrations/evidence/s3-store.ts';
import { createLogBucket } from '../../../integrations/tlog/log-bucket.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { openEvidence, openKeyRegister } from '../../../service/process/evidence.ts';
import { ensureKeys } from '../../../service/process/keys/key-files.ts';
import type { S3Server } from '../../../tools/platform/s3-server.ts';
import { inParts } from '../../in-parts.ts';
import { stepContext } from '../kubernetes/parts/cluster.ts';

/** Tests on a bucket that was created with object lock. */
export function lockedBucketTests(server: S3Server): void {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-locked-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const options = { ...server, bucket: 'locked', prefix: 'cell-1/' };
  const lock: LockRules = { mode: 'compliance', days: { state: 0, logs: 1, files: 2, traffic: 0, memory: 0 } };
  const client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
  const at = (key: string) => ({ Bucket: options.bucket, Key: `${options.prefix}${key}` });
  const daysLeft = async (key: string): Promise<number | undefined> => {
    const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until } = await client.send(new HeadObjectCommand(at(key)));
    if (until === undefined) return undefined;
    expect(mode).toBe('COMPLIANCE');
    return Math.round((until.getTime() - Date.now()) / 86_400_000);
  };

  /** Settings as the service reads them from its configuration file. */
  function settings(s3: object) {
    const file = join(folder, 'firebreak.yaml');
    const key = { accessKeyId: { env: 'KEY_ID' }, secretAccessKey: { env: 'KEY' } };
    const { endpoint, bucket, prefix } = options;
    writeFileSync(
      file,
      stringify({
        cluster: 'lab',
        intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
        roster: { people: [{ id: 'ada', name: 'Ada', slack: ['U01ADA'] }], groups: { oncall: ['ada'], leads: ['ada'] } },
        evidence: { s3: { endpoint, bucket, prefix, ...key, ...s3 }, retention: { files: { atLeastDays: 2 } } },
      }),
    );
    const config = loadConfig({ path: file, env: {} });
    const { accessKeyId, secretAccessKey } = server;
    const access = { s3: { accessKeyId, secretAccessKey } };
    return { config, secrets: { codecKeys: [], temporalAccess: () => ({}), intakeTokens: [], intakeSignatures: [], ...access } };
  }

  beforeAll(async () => {
    const { config } = settings({});
    await ensureKeys({ config, roles: ['cell'] });
    await client.send(new CreateBucketCommand({ Bucket: options.bucket, ObjectLockEnabledForBucket: true }));
  });

  describe('with object lock', () => {
    test('uses it only when the bucket offers it', async () => {
      await requireLock(options);
      await expect(requireLock({ ...options, bucket: server.bucket })).rejects.toMatchObject({
        code: 'FB_ERR_CONFIG_INVALID',
        detail: expect.stringContaining('has no object lock'),
      });
    });

    test('follows the configuration: refused when there is no lock, assumed when the bucket does not answer', async () => {
      const whole = settings({ objectLock: 'governance' });
      const evidence = await openEvidence(whole);
      const keeping = createEvidenceWriter(evidence, { target: { name: 'pod/shop/cart' }, context: stepContext() });
      const { sealed } = await keeping.keep('files', { name: 'a', mediaType: 'text/plain', tool: 'test' }, 'x');
      const { ObjectLockMode: mode } = await client.send(new HeadObjectCommand(at(sealed?.sha256 ?? '')));
      expect(mode).toBe('GOVERNANCE');
      const { locked } = (await (await openKeyRegister(whole)).find(sealed?.keyId ?? '')) ?? {};
      expect(locked).toContain('its object lock runs until');
      const none = openEvidence(settings({ objectLock: 'governance', bucket: server.bucket }));
      await expect(none).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
      await openEvidence(settings({ objectLock: 'governance', endpoint: 'http://127.0.0.1:9' }));
    });

    test('locks the files of the transparency log, except the one that says how far it goes', async () => {
      const bucket = openBucket(options);
      const log = createLogBucket({ bucket, name: options.bucket, lock: { mode: 'compliance', days: 3 } });
      await log.write({ path: 'tile/0/000', bytes: new Uint8Array(32) });
      await log.write({ path: 'checkpoint', bytes: new Uint8Array(9) });
      expect([await daysLeft('tile/0/000'), await daysLeft('checkpoint')]).toEqual([3, undefined]);
      await expect(bucket.remove('tile/0/000')).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    });

    test('locks each class for its time, large files too, and the manifest as long as any of them', async () => {
      const store = createS3Store({ ...options, lock });
      const { sha256: log } = await store.put(randomBytes(100), 'text/plain', 'logs');
      const large = randomBytes(17 * 1024 * 1024);
      const { sha256: files } = await store.put(inParts(large), 'application/zstd', 'files');
      const { sha256: manifest } = await store.put(randomBytes(100), 'application/json');
      const { sha256: state } = await store.put(randomBytes(100), 'text/plain', 'state');
      expect(await Promise.all([log, files, manifest, state].map(daysLeft))).toEqual([1, 2, 2, undefined]);
      expect(large.equals(await store.get(files))).toBe(true);
      await expect(openBucket(options).remove(log)).rejects.toMatchObject({
        code: 'FB_ERR_REFUSED',
        detail: expect.stringMatching(/its object lock runs until 20/),
      });
      expect(await store.has(log)).toBe(true);
    });

    test('lets nobody destroy a key early, says why, and leaves everything unchanged after a refusal', async () => {
      const shelf = createBucketShelf({ ...options, lock });
      const wrap = boxWrap(createBox({ keys: [{ id: 'evidence', key: new Uint8Array(32).fill(1) }] }));
      const [keys, register] = [createIncidentKeys({ wrap, shelf }), createKeyRegister({ shelf })];
      const incident = `incident/c/shop/Deployment/${randomUUID()}`;
      const { id } = await keys.keyFor({ incident, run: 'run-1', class: 'logs' });
      const key = await register.find(id);
      expect(key?.locked).toMatch(/^its object lock runs until 20/);
      if (!key) throw new Error('it is not there');
      const why = { by: 'person/ada', reason: 'too early' };
      await expect(register.destroy(key, why)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      expect(await register.find(id)).toEqual(key);
      expect((await keys.open(id)).key).toHaveLength(32);

      const { id: free } = await keys.keyFor({ incident, run: 'run-1', class: 'state' });
      await client.send(new PutObjectLegalHoldCommand({ ...at(`keys/${free}`), LegalHold: { Status: 'ON' } }));
      const held = await register.find(free);
      expect(held?.locked).toContain('a legal hold of the bucket');
      if (!held) throw new Error('it is not there');
      await expect(register.destroy(held, why)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      await client.send(new PutObjectLegalHoldCommand({ ...at(`keys/${free}`), LegalHold: { Status: 'OFF' } }));
      await register.destroy(held, { ...why, reason: 'case closed' });
      expect(await register.find(free)).toMatchObject({ destroyed: { reason: 'case closed' } });
      const { Versions: versions = [] } = await client.send(
        new ListObjectVersionsCommand({ Bucket: options.bucket, Prefix: `${options.prefix}keys/${free}` }),
      );
      expect(versions).toEqual([]);
    });
  });
}
