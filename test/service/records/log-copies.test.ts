import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../../core/audit/audit-report.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { ObjectBucket } from '../../../core/evidence/object-bucket.ts';
import { type LogFiles, LogTree, logHeadPath } from '../../../core/tlog/log-tree.ts';
import { fromBase64, logHeadText, type NoteKey, noteKeyId, noteText, rawKeyOf, toHex } from '../../../core/tlog/signed-note.ts';
import { createLogBucket } from '../../../integrations/anchor/log-bucket.ts';
import { createLogFolder } from '../../../integrations/anchor/log-folder.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { createLogCopies, type LogCopy, readCopyState } from '../../../service/records/log-copies.ts';
import { bucketCopy, gitCopy, rekorCopy } from '../../../service/records/open-log-copies.ts';
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
const git = (...args: readonly string[]): string => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' });

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

  describe('in a git repository', () => {
    const repository = (): string => {
      const url = join(place, 'remote.git');
      if (!existsSync(url)) git('init', '--quiet', '--bare', url);
      return url;
    };
    const copy = (url = repository(), name = 'clone'): LogCopy =>
      gitCopy({ url, branch: 'checkpoints', everyMinutes: 60 }, { folder: join(place, name), env: process.env });
    const committed = (): string => git('-C', repository(), 'show', 'checkpoints:checkpoint');
    const commits = (): number => git('-C', repository(), 'rev-list', 'checkpoints').trim().split('\n').length;

    test('are one commit on top of the other, no more often than configured, and leave other files alone', async () => {
      const update = updater(copy());
      await update();
      await grow(3);
      await update();
      expect(errors).toEqual([]);
      expect(committed()).toBe(await said());
      const clone = join(place, 'people');
      git('clone', '--quiet', '--branch', 'checkpoints', repository(), clone);
      writeFileSync(join(clone, 'README'), 'ours\n');
      git('-C', clone, 'add', 'README');
      git('-C', clone, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '-m', 'say what this is');
      git('-C', clone, 'push', '--quiet');
      await grow(2);
      await update();
      expect(commits()).toBe(2);
      time += 3_600_000;
      await update();
      expect([committed(), commits()]).toEqual([await said(), 3]);
      expect(git('-C', repository(), 'show', 'checkpoints:README')).toBe('ours\n');
      expect(await readCopyState(files, 'git')).toEqual({ size: 5, at: new Date(time).toISOString() });
      // As after a start with a folder that is gone: it is already there.
      await updater(copy(undefined, 'another'))();
      expect([commits(), errors, alarms]).toEqual([3, [], []]);
    });

    test('are left alone, with an alarm, if the branch has a longer log or another one', async () => {
      await grow(5);
      await updater(copy())();
      const before = committed();
      const other = createLogFolder({ folder: join(place, 'other') });
      const growOther = growingLog(other, 'lie');
      await growOther(4);
      await updater(copy(), other)();
      // It is further along, which is allowed so far: another desk may simply be ahead.
      expect(alarms).toEqual([]);
      for (const more of [1, 1]) {
        await growOther(more);
        await updater(copy(), other)();
      }
      expect(alarms.map(({ kind }) => kind)).toEqual(['log-forked', 'log-forked']);
      expect(committed()).toBe(before);
    });

    test('may be those of another desk that is ahead with the same log, with an alarm if ours never catches up', async () => {
      await grow(5);
      await updater(copy())();
      const other = createLogFolder({ folder: join(place, 'other') });
      const growOther = growingLog(other);
      const update = updater(copy(), other);
      await growOther(3);
      await update();
      await growOther(4);
      await update();
      expect([alarms, errors, committed()]).toEqual([[], [], new TextDecoder().decode(await other.read(logHeadPath))]);
      await rm(join(place, 'other'), { recursive: true });
      await growingLog(other)(2);
      const late = updater(copy(), other);
      await late();
      time += 21 * 60_000;
      await late();
      expect(alarms).toMatchObject([
        { kind: 'log-forked', text: expect.stringContaining('has 7 checkpoints, but ours has only 2') },
      ]);
    });

    test('are retried if the repository is not there, without revealing what its address contains', async () => {
      await grow(1);
      const update = updater(copy(join(place, 'none.git')));
      await update();
      await updater(copy('http://user:hunter2@127.0.0.1:9/none.git'))();
      expect(errors).toMatchObject([{ code: 'FB_ERR_UNAVAILABLE' }, { code: 'FB_ERR_UNAVAILABLE' }]);
      expect(String(errors)).not.toContain('hunter2');
      git('init', '--quiet', '--bare', join(place, 'none.git'));
      await update();
      expect(errors).toHaveLength(2);
      expect(git('-C', join(place, 'none.git'), 'show', 'checkpoints:checkpoint')).toBe(await said());
    });
  });

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
  });
});
