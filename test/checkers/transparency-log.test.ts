import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { checkpointBytes, checkpointText, headerOf, nextCheckpoint, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { HeadsTree } from '../../core/audit/heads-tree.ts';
import { type NoteKey, parseNote, pemOf, rawKeyOf, verifierKey } from '../../core/tlog/signed-note.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { portOf } from '../../integrations/http-door.ts';
import { createVerifier, type FileSigner, signerFrom } from '../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../integrations/tlog/log-folder.ts';
import { createWitness } from '../../integrations/witness/witness.ts';
import { runCommand } from '../../service/parts/command.ts';
import { createNotary } from '../../service/records/notary.ts';
import { createTransparencyLog, type TransparencyLogOptions } from '../../service/records/transparency-log.ts';
import { verifyAudit } from '../../service/records/verify-audit.ts';
import { serveWitness } from '../../service/witness/witness-server.ts';
import { tlogChecker } from '../../tools/platform/tlog-checker.ts';
import { parseEntries } from '../core/tlog/entries.ts';
import { run } from '../suites/audit-store.ts';
import { makersTrust, noSigners } from '../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const newSigner = (): FileSigner =>
  signerFrom({
    pem: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name: 'a key',
  });
const keyOf = (signer: FileSigner, name: string, type: NoteKey['type']): NoteKey => {
  const publicKey = rawKeyOf(signer.publicKey);
  if (!publicKey) throw new Error('no key');
  return { name, type, publicKey };
};
const signer = newSigner();
const key = keyOf(signer, 'logs.example.com/firebreak', 'note');
const witnessSigner = newSigner();
const witnessKey = keyOf(witnessSigner, 'witness.example.com', 'cosignature');
const verifier = createVerifier({ publicKeys: [signer.publicKey] });
const noteVerifier = createVerifier({ publicKeys: [signer.publicKey, pemOf(witnessKey)] });

/** Built before any test begins: this takes minutes on a machine that does not have the part. */
const checker = await tlogChecker(() => {});

describe('the transparency log', () => {
  let runs = 0;
  let place: string;
  let database: Database;
  let store: AuditStore;
  let alarms: Finding[];
  let errors: unknown[];
  let time: number;
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    runs += 1;
    place = join(folder, String(runs));
    database = await openDatabase({ url: `sqlite:${place}.db` });
    store = createAuditStore(database);
    alarms = [];
    errors = [];
    time = Date.now();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await database.close();
  });

  const open = (changes: Partial<TransparencyLogOptions> = {}) =>
    createTransparencyLog({
      ...{ store, verifier, noteVerifier, signer, key },
      files: createLogFolder({ folder: place }),
      witnesses: [],
      onAlarm: (finding) => alarms.push(finding),
      onError: (error) => errors.push(error),
      ...changes,
    });
  let records = 0;
  /** Adds that many checkpoints, each with a new record. */
  const sign = async (checkpoints: number, by = signer): Promise<void> => {
    const notary = createNotary({
      store,
      signer: by,
      verifier: createVerifier({ publicKeys: [by.publicKey] }),
      everyMs: 60_000,
      onAlarm: () => {},
      onError: () => {},
      now: () => new Date(time),
    });
    for (let count = 0; count < checkpoints; count += 1) {
      records += 1;
      await store.append(run(`incident/c/shop/Deployment/secret-${records}@1`, 1, 1));
      await notary.sign();
    }
    await notary.stop();
  };
  /** A store that shows a settable number of 260 signed checkpoints. */
  const manyCheckpoints = async () => {
    const all: SignedCheckpoint[] = [];
    for (let at = time; all.length < 260; at += 1_000) {
      const asked = { last: all.at(-1), stated: new HeadsTree(), moved: [] };
      const checkpoint = nextCheckpoint({ ...asked, at: new Date(at).toISOString() });
      all.push({ checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) });
    }
    return {
      shown: 0,
      async checkpoints({ after }: { readonly after: number }) {
        return all.slice(Math.max(after, 0), this.shown).map((signed) => {
          return { number: signed.checkpoint.number, text: checkpointText(signed), signed };
        });
      },
    };
  };
  const verify = (changes: { readonly witnesses?: readonly NoteKey[]; readonly from?: string } = {}) =>
    verifyAudit({
      store,
      verifier,
      trust: makersTrust,
      signers: noSigners,
      log: {
        files: createLogFolder({ folder: changes.from ?? place }),
        keys: [key],
        witnesses: changes.witnesses ?? [],
        verifier: noteVerifier,
      },
      now: () => new Date(time),
    });
  const kinds = async (changes?: Parameters<typeof verify>[0]): Promise<readonly string[]> =>
    (await verify(changes)).findings.map(({ kind }) => kind);
  const head = (file = 'checkpoint'): readonly string[] => readFileSync(join(place, file), 'utf8').split('\n');
  const witnessAt = async (state: string) => {
    const server = await serveWitness(
      {
        ...{ logs: [key], verifier: noteVerifier, signer: witnessSigner, key: witnessKey },
        kept: createLogFolder({ folder: state }),
        now: () => new Date(time),
        onProblem: (error) => errors.push(error),
      },
      { host: '127.0.0.1', port: 0 },
    );
    closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
    return createWitness({ url: `http://127.0.0.1:${portOf(server)}/`, key: witnessKey });
  };

  test('contains each checkpoint as the notary signed it, and no name of an incident', async () => {
    await open().publish();
    expect(() => head()).toThrow('ENOENT');
    await sign(3);
    await open().publish();
    expect(head().slice(0, 2)).toEqual([key.name, '3']);
    const entries = parseEntries(readFileSync(join(place, 'tile/entries/000.p/3')));
    expect(entries).toHaveLength(3);
    expect(entries?.[2]).toMatch(/^firebreak\.checkpoint\.v1\n\{.*"number":3/);
    expect(entries?.join()).not.toContain('secret');
    expect(await verify()).toMatchObject({ ok: true, notes: [] });
    expect([...alarms, ...errors]).toEqual([]);
  });

  test('contains no checkpoint signed by a witness, whose signatures it believes only under its notes', async () => {
    const witnesses = [await witnessAt(`${place}.witness`)];
    // Somebody who can also write the database has begun the chain with it.
    await sign(2, witnessSigner);
    await open({ witnesses }).publish();
    expect(() => head()).toThrow('ENOENT');
  });

  (checker === undefined ? test.skip : test)(
    'is found whole by the libraries of Tessera, which know nothing of Firebreak, as it grows over its tiles',
    async () => {
      const check = async () =>
        (await runCommand({ command: checker ?? '', args: [place, verifierKey(key), verifierKey(witnessKey)] })).code;
      const witnesses = [await witnessAt(`${place}.witness`)];
      const many = await manyCheckpoints();
      const log = open({ store: many, witnesses });
      many.shown = 5;
      await log.publish();
      expect(await check()).toBe(0);
      many.shown = 260;
      await log.publish();
      expect(await check()).toBe(0);
      // As after a start: it is rebuilt, with the same result.
      const before = head();
      await open({ store: many, witnesses }).publish();
      expect(head()).toEqual(before);
      const bundle = readFileSync(join(place, 'tile/entries/000'));
      writeFileSync(
        join(place, 'tile/entries/000'),
        bundle.map((byte, at) => (at === 1_000 ? byte ^ 1 : byte)),
      );
      expect(await check()).not.toBe(0);
      await open({ store: many, witnesses }).publish();
      expect(alarms).toMatchObject([{ kind: 'log-changed', text: expect.stringContaining('tile/entries/000') }]);
      expect(await check()).toBe(0);
      writeFileSync(join(place, 'checkpoint'), before.join('\n').replace(`— ${witnessKey.name}`, '— nobody.example.com'));
      expect(await check()).toBe(1);
      expect(errors).toEqual([]);
    },
  );

  describe('is checked by the independent verifier, without Firebreak and its database', () => {
    const python = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
      const { stdout } = await runCommand({ command: 'python3', args });
      return JSON.parse(stdout);
    };
    const verifyPy = join(import.meta.dirname, '../../docs/spec/verify.py');
    const check = (...more: readonly string[]) =>
      python(verifyPy, '--log', place, '--log-key', verifierKey(key), '--witness', verifierKey(witnessKey), ...more);

    test('with its witness, over a tile’s end, and against an older copy of its checkpoint', async () => {
      const witnesses = [await witnessAt(`${place}.witness`)];
      const many = await manyCheckpoints();
      const log = open({ store: many, witnesses });
      many.shown = 5;
      await log.publish();
      const older = `${place}.older`;
      writeFileSync(older, head().join('\n'));
      many.shown = 260;
      await log.publish();
      expect(await check('--older', older)).toMatchObject({ ok: true, log: { size: 260, witnesses: [{ size: 260 }] } });
      writeFileSync(older, head().join('\n').replace('\n260\n', '\n259\n'));
      expect(await check('--older', older)).toMatchObject({ ok: false, log: { text: expect.stringContaining('at 259') } });
      const path = join(place, 'tile/entries/000');
      writeFileSync(
        path,
        readFileSync(path).map((byte, at) => (at === 1_000 ? byte ^ 1 : byte)),
      );
      expect(await check()).toMatchObject({ ok: false, log: { text: expect.stringContaining('not what it was at 260') } });
    });

    test('which finds a forged head, a witness that has not signed, and a bundle’s checkpoint that is not in it', async () => {
      await sign(2);
      await open().publish();
      expect(await check()).toMatchObject({ ok: false, log: { text: 'the witness witness.example.com has signed nothing' } });
      const rows = await store.checkpoints({ after: 0 });
      const headers = rows.flatMap(({ signed }) => (signed ? [headerOf(signed.checkpoint)] : []));
      const inLog = (given: readonly object[]) => {
        const program =
          'import sys, json, verify; print(json.dumps(verify.answer_log(*sys.argv[1:3], (), None, json.loads(sys.argv[3]))))';
        const path = join(verifyPy, '..');
        return python(
          '-B',
          '-c',
          `import sys; sys.path.insert(0, ${JSON.stringify(path)}); ${program}`,
          place,
          verifierKey(key),
          JSON.stringify(given),
        );
      };
      expect(await inLog(headers)).toMatchObject({ ok: true, size: 2 });
      expect(await inLog([{ ...headers[1], chains: 9 }])).toMatchObject({
        ok: false,
        text: 'checkpoint 2 of the bundle is not in the log',
      });
      await open({ signer: newSigner(), files: createLogFolder({ folder: `${place}.forged` }) }).publish();
      writeFileSync(join(place, 'checkpoint'), readFileSync(join(`${place}.forged`, 'checkpoint')));
      expect(await inLog([])).toMatchObject({ ok: false, text: expect.stringContaining('is not signed by') });
    });
  });

  describe('starts with the notary of its desk', () => {
    /** Starts a desk: how often all checkpoints had been read by the time it was up. */
    const startBoth = async (changes: Partial<TransparencyLogOptions> = {}) => {
      let reads = 0;
      const counted: AuditStore = {
        ...store,
        checkpoints: (asked) => {
          if (asked.after < 0) reads += 1;
          return store.checkpoints(asked);
        },
      };
      const log = open({ store: counted, ...changes });
      const notary = createNotary({
        ...{ store: counted, signer, verifier, log, everyMs: 60_000 },
        onAlarm: (finding) => alarms.push(finding),
        onError: () => {},
        now: () => new Date(time),
      });
      closing.push(notary.stop);
      return { log, notary, reads: () => reads };
    };

    test('so that checkpoints are read once, whether the log is new or goes on', async () => {
      await sign(3);
      const first = await startBoth();
      await first.notary.sign();
      await first.log.publish();
      expect(first.reads()).toBe(1);
      await sign(2);
      const second = await startBoth();
      await second.notary.sign();
      await second.log.publish();
      expect(second.reads()).toBe(1);
      expect(head()[1]).toBe('5');
      expect(await verify()).toMatchObject({ ok: true, notes: [] });
      expect([...alarms, ...errors]).toEqual([]);
    });

    test('which begins as soon as the log can be read, and does not wait for it after that', async () => {
      await sign(3);
      const folderOf = createLogFolder({ folder: place });
      let isThere = false;
      const read: typeof folderOf.read = (path) => (isThere ? folderOf.read(path) : Promise.reject(new Error('no disk')));
      const { log, notary } = await startBoth({ files: { ...folderOf, read } });
      records += 1;
      await store.append(run(`incident/c/shop/Deployment/secret-${records}@1`, 1, 1));
      await expect(notary.sign()).rejects.toThrow('no disk');
      isThere = true;
      expect((await notary.sign())?.checkpoint.number).toBe(4);
      isThere = false;
      await store.append(run(`incident/c/shop/Deployment/secret-${records}@1`, 2, 2));
      expect((await notary.sign())?.checkpoint.number).toBe(5);
      await expect(log.publish()).rejects.toThrow('no disk');
      isThere = true;
      await log.publish();
      expect(head()[1]).toBe('5');
      expect([...alarms, ...errors]).toEqual([]);
    });

    test('and still reports a log that says something else', async () => {
      await sign(2);
      await open().publish();
      writeFileSync(join(place, 'checkpoint'), head().join('\n').replace('\n2\n', '\n7\n'));
      const { log, notary } = await startBoth();
      await expect(notary.sign()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
      await expect(log.publish()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
      expect(alarms).toMatchObject([{ kind: 'log-forked' }]);
    });
  });

  test('is left as it is, as proof, if the database goes back behind it or say something else', async () => {
    await sign(2);
    await sign(2);
    await open().publish();
    const proof = head();
    await database.all('DELETE FROM audit_checkpoints WHERE number > 2', []);
    await expect(open().publish()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
    expect(await kinds()).toContain('log-forked');
    // The notary’s own key does not help: what it signs now is a different past.
    await sign(3);
    await expect(open().publish()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
    expect(await kinds()).toContain('log-forked');
    expect(head()).toEqual(proof);
    expect(alarms.map(({ kind }) => kind)).toEqual(['log-forked', 'log-forked']);
  });

  test('is told apart by the verifier: forged, behind, missing, under another name', async () => {
    await sign(1);
    await open().publish();
    const thief = newSigner();
    await open({ signer: thief, files: createLogFolder({ folder: `${place}.forged` }) }).publish();
    expect(await kinds({ from: `${place}.forged` })).toEqual(['log-forged']);
    await expect(open({ key: { ...key, name: 'another' } }).publish()).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
    time += 60_000;
    await sign(1);
    time += 21 * 60_000;
    await sign(1);
    expect(await kinds()).toEqual(['log-behind']);
    expect(await kinds({ from: `${place}.none` })).toEqual(['log-behind']);
    await open().publish();
    expect(await kinds()).toEqual([]);
  });

  test('is signed by a witness as it grows, even if either of them starts over', async () => {
    const first = open({ witnesses: [await witnessAt(`${place}.witness`)] });
    await sign(3);
    await first.publish();
    expect(head().filter((line) => line.startsWith('— '))).toHaveLength(2);
    await sign(4);
    await first.publish();
    await sign(2);
    await open({ witnesses: [await witnessAt(`${place}.witness`)] }).publish();
    const note = parseNote(head().join('\n'));
    expect(note?.signatures.map(({ name }) => name)).toEqual([key.name, witnessKey.name]);
    expect([...alarms, ...errors]).toEqual([]);
    expect(await kinds({ witnesses: [witnessKey] })).toEqual([]);
    time += 21 * 60_000;
    await sign(1);
    await open().publish();
    const late = await verify({ witnesses: [witnessKey] });
    expect(late.findings).toMatchObject([{ kind: 'witness-missing', text: expect.stringContaining('has signed nothing since') }]);
    expect(await kinds({ witnesses: [{ ...witnessKey, name: 'nobody.example.com' }] })).toEqual(['witness-missing']);
  });

  test('goes on without a witness that does not answer, and asks it again', async () => {
    const real = await witnessAt(`${place}.witness`);
    let isThere = false;
    const log = open({
      witnesses: [{ ...real, cosign: (asked) => (isThere ? real.cosign(asked) : Promise.reject(new Error('gone'))) }],
    });
    await sign(2);
    await log.publish();
    expect(head().filter((line) => line.startsWith('— '))).toHaveLength(1);
    expect(errors).toHaveLength(1);
    isThere = true;
    await log.publish();
    expect(head().filter((line) => line.startsWith('— '))).toHaveLength(2);
  });

  test('that was recreated, with the notary’s own key and all else rolled back, is signed by no witness', async () => {
    const witness = await witnessAt(`${place}.witness`);
    await sign(2);
    await open({ witnesses: [witness] }).publish();
    const other = `${place}.other`;
    database = await openDatabase({ url: `sqlite:${other}.db` });
    closing.push(() => database.close());
    store = createAuditStore(database);
    for (const [checkpoints, why] of [
      [1, 'it has already seen 2 of them'],
      [1, 'it has already seen 2 others'],
      [1, 'the proof does not match'],
    ] as const) {
      await sign(checkpoints);
      await open({ witnesses: [witness], files: createLogFolder({ folder: other }) }).publish();
      expect(alarms.at(-1)).toMatchObject({ kind: 'witness-refused', text: expect.stringContaining(why) });
    }
    // Whoever has the old folder keeps what the witness signed last, and shows it to everybody.
    expect(await kinds({ witnesses: [witnessKey] })).toEqual(expect.arrayContaining(['log-forked', 'log-forked']));
  });
});
