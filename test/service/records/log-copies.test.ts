import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../../core/audit/audit-report.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { ObjectBucket } from '../../../core/evidence/object-bucket.ts';
import { type LogFiles, LogTree, logHeadPath } from '../../../core/tlog/log-tree.ts';
import { fromBase64, logHeadText, type NoteKey, noteKeyId, noteText, rawKeyOf, toHex } from '../../../core/tlog/signed-note.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { createLogBucket } from '../../../integrations/tlog/log-bucket.ts';
import { createLogFolder } from '../../../integrations/tlog/log-folder.ts';
import { createLogCopies, type LogCopy, readCopyState } from '../../../service/records/log-copies.ts';
import { bucketCopy, rekorCopy } from '../../../service/records/open-log-copies.ts';
import { startRekorFake } from '../../fakes/rekor/server.ts';
import { stopAfterEach, stopAfterTest } from '../../fakes/strict-calls.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-copies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
stopAfterEach();

const signer = signerFrom({
  pem: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  name: 'a key',
});
const key: NoteKey = { name: 'logs.example.com/a', type: 'note', publicKey: rawKeyOf(signer.publicKey) ?? new Uint8Array() };

/** A log with the files of every size it has had, as a desk leaves them. */
function growingLog(files: LogFiles, prefix = 'entry') {
  const tree = new LogTree();
  return async (entries: number): Promise<void> => {
    for (let count = 0; count < entries; count += 1)
      for (const file of tree.append(`${prefix} ${tree.size}`)) await files.write(file);
    for (const file of tree.partialFiles()) await files.write(file);
    const text = logHeadText({ origin: key.name, size: tree.size, root: toHex(tree.root()) });
    const signature = fromBase64(await signer.sign(new TextEncoder().encode(text))) ?? new Uint8Array();
    const note = noteText({ text, signatures: [{ name: key.name, keyId: noteKeyId(key), signature }] });
    await files.write({ path: logHeadPath, bytes: new TextEncoder().encode(note) });
  };
}

describe('copies of the transparency log', () => {
  let runs = 0;
  let place: string;
  let files: LogFiles;
  let grow: (entries: number) => Promise<void>;
  let alarms: Finding[];
  let errors: unknown[];
  let time: number;
  beforeEach(() => {
    runs += 1;
    place = join(folder, String(runs));
    files = createLogFolder({ folder: join(place, 'log') });
    grow = growingLog(files);
    alarms = [];
    errors = [];
    time = Date.now();
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  const updater = (copy: LogCopy, from: LogFiles = files) => {
    const copies = createLogCopies({
      ...{ copies: [copy], files: from, origin: key.name, now: () => time },
      onAlarm: (finding) => alarms.push(finding),
      onError: (error) => errors.push(error),
    });
    return async (): Promise<void> => {
      copies.update();
      await copies.settled();
    };
  };
  const said = async (): Promise<string> => new TextDecoder().decode(await files.read(logHeadPath));

  describe('in a log like Rekor', () => {
    test('are the note’s text with the notary’s signature, once each, even if the answer is lost', async () => {
      const rekor = stopAfterTest(await startRekorFake());
      const copy = rekorCopy({ url: rekor.url, everyMinutes: 60 }, { key, timeoutMs: 60_000 });
      const update = updater(copy);
      rekor.inject({ method: 'POST', path: /entries/, what: 'then-reset' });
      rekor.inject({ method: 'POST', path: /entries/, what: 'fail', status: 503, at: 1 });
      await grow(2);
      for (let tries = 0; tries < 3; tries += 1) await update();
      expect(errors).toHaveLength(2);
      expect(rekor.texts).toEqual([`${(await said()).split('\n\n')[0]}\n`]);
      expect(await readCopyState(files, 'rekor')).toMatchObject({ size: 2 });
      await update();
      expect(rekor.calls).toHaveLength(3);
      await grow(1);
      time += 3_600_000;
      await update();
      expect(rekor.texts).toHaveLength(2);
      expect(alarms).toEqual([]);
    });

    test('are reported as an error if it does not accept them', async () => {
      const rekor = stopAfterTest(await startRekorFake());
      await grow(1);
      const wrong: NoteKey = { ...key, publicKey: new Uint8Array(32).fill(7) };
      await updater(rekorCopy({ url: rekor.url, everyMinutes: 60 }, { key: wrong, timeoutMs: 60_000 }))();
      rekor.inject({ method: 'POST', path: /entries/, what: 'fail', status: 201, body: {} });
      await updater(rekorCopy({ url: rekor.url, everyMinutes: 60 }, { key, timeoutMs: 60_000 }))();
      expect(errors).toMatchObject([{ code: 'FB_ERR_UNAVAILABLE' }, { code: 'FB_ERR_UNAVAILABLE' }]);
      expect(rekor.texts).toEqual([]);
    });
  });

  describe('in a bucket', () => {
    /** What a bucket that retains its objects does; the real one is tested in test/platform/s3. */
    const memoryBucket = () => {
      const objects = new Map<string, Uint8Array>();
      const bucket: Pick<ObjectBucket, 'put' | 'get'> = {
        put: async ({ key: name, body, ifAbsent = false }) => {
          if (!(body instanceof Uint8Array)) throw new Error('a stream');
          if (ifAbsent && objects.has(name)) return { written: false };
          objects.set(name, body);
          return { written: true };
        },
        get: async (name) => {
          const found = objects.get(name);
          if (!found) throw new FirebreakError('FB_ERR_NOT_FOUND', name);
          return found;
        },
      };
      return { objects, bucket };
    };

    test('have all files that a reader needs, and replace nothing but the checkpoint', async () => {
      const { objects, bucket } = memoryBucket();
      const update = updater(bucketCopy(createLogBucket({ bucket, name: 'log' })));
      await grow(3);
      await update();
      await grow(300);
      await update();
      expect([errors, alarms]).toEqual([[], []]);
      expect([...objects.keys()].sort()).toEqual([
        'checkpoint',
        'tile/0/000',
        'tile/0/000.p/3',
        'tile/0/001.p/47',
        'tile/1/000.p/1',
        'tile/entries/000',
        'tile/entries/000.p/3',
        'tile/entries/001.p/47',
      ]);
      const other = createLogFolder({ folder: join(place, 'other') });
      await growingLog(other, 'lie')(400);
      await updater(bucketCopy(createLogBucket({ bucket, name: 'log' })), other)();
      expect(alarms).toMatchObject([{ kind: 'log-forked' }]);
      expect(new TextDecoder().decode(objects.get('checkpoint'))).toBe(await said());
    });

    test('are left alone, with an alarm, once a longer log turns out to be another one', async () => {
      const { objects, bucket } = memoryBucket();
      const to = bucketCopy(createLogBucket({ bucket, name: 'log' }));
      await grow(5);
      await updater(to)();
      const other = createLogFolder({ folder: join(place, 'other') });
      const growOther = growingLog(other, 'lie');
      await growOther(4);
      await updater(to, other)();
      // The bucket is further along, which is allowed so far: another desk may simply be ahead.
      expect(alarms).toEqual([]);
      await growOther(1);
      await updater(to, other)();
      expect(alarms).toMatchObject([{ kind: 'log-forked' }]);
      expect(new TextDecoder().decode(objects.get('checkpoint'))).toBe(await said());
    });

    test('may be those of another desk that is ahead with the same log, with an alarm if ours never catches up', async () => {
      const { objects, bucket } = memoryBucket();
      const to = bucketCopy(createLogBucket({ bucket, name: 'log' }));
      await grow(5);
      await updater(to)();
      const other = createLogFolder({ folder: join(place, 'other') });
      const growOther = growingLog(other);
      const update = updater(to, other);
      await growOther(3);
      await update();
      await growOther(4);
      await update();
      const there = new TextDecoder().decode(objects.get('checkpoint'));
      expect([alarms, errors, there]).toEqual([[], [], new TextDecoder().decode(await other.read(logHeadPath))]);
      await rm(join(place, 'other'), { recursive: true });
      await growingLog(other)(2);
      const late = updater(to, other);
      await late();
      time += 21 * 60_000;
      await late();
      expect(alarms).toMatchObject([
        { kind: 'log-forked', text: expect.stringContaining('has 7 checkpoints, but ours has only 2') },
      ]);
    });

    test('are retried if the bucket is not there', async () => {
      const { objects, bucket } = memoryBucket();
      let isThere = false;
      const gone = () => Promise.reject(new FirebreakError('FB_ERR_UNAVAILABLE', 'gone'));
      const flaky: typeof bucket = {
        put: (object) => (isThere ? bucket.put(object) : gone()),
        get: (name) => (isThere ? bucket.get(name) : gone()),
      };
      const update = updater(bucketCopy(createLogBucket({ bucket: flaky, name: 'log' })));
      await grow(1);
      await update();
      expect([errors, objects.size]).toMatchObject([[{ code: 'FB_ERR_UNAVAILABLE' }], 0]);
      isThere = true;
      await update();
      expect(errors).toHaveLength(1);
      expect(new TextDecoder().decode(objects.get('checkpoint'))).toBe(await said());
    });
  });
});
