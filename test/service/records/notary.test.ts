import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../../core/audit/audit-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import {
  checkpointBytes,
  checkpointText,
  nextCheckpoint,
  parseCheckpoint,
  type SignedCheckpoint,
} from '../../../core/audit/checkpoint.ts';
import { HeadsTree } from '../../../core/audit/heads-tree.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { LogFiles } from '../../../core/tlog/log-tree.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../../integrations/tlog/log-folder.ts';
import { logKeys, readLogNote } from '../../../service/records/log-check.ts';
import { createNotary, type Notary, type NotaryOptions } from '../../../service/records/notary.ts';
import { createTransparencyLog, type TransparencyLog } from '../../../service/records/transparency-log.ts';
import { verifyAudit } from '../../../service/records/verify-audit.ts';
import { eventually } from '../../eventually.ts';
import { run } from '../../suites/audit-store.ts';
import { ReachableObjects } from '../../suites/reachable-objects.ts';
import { makersTrust, noSigners } from '../../suites/signed-records.ts';
import { forgeCheckpoints } from './tampering.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-notary-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the notary', () => {
  let files = 0;
  let place: string;
  let database: Database;
  let audit: AuditStore;
  let alarms: Finding[];
  let time: number;
  const notaries: Notary[] = [];

  beforeEach(async () => {
    files += 1;
    place = join(folder, `${files}.log`);
    database = await openDatabase({ url: `sqlite:${join(folder, `${files}.db`)}` });
    audit = createAuditStore(database);
    alarms = [];
    time = Date.now();
  });
  afterEach(async () => {
    for (const notary of notaries.splice(0)) await notary.stop();
    await database.close();
  });

  const trust = async () => {
    const signer = await openSigner({ file: join(folder, 'notary.key'), create: true });
    return { signer, verifier: createVerifier({ publicKeys: [signer.publicKey] }) };
  };
  /** A log in a folder, over the same store. */
  const logIn = async (
    where = place,
    { store = audit, signer, name = 'lab', files: given = createLogFolder({ folder: where }) }: LogParts = {},
  ): Promise<TransparencyLog> => {
    const own = signer ?? (await trust()).signer;
    const { keys, verifier: noteVerifier } = logKeys({ name, witnesses: [], publicKeys: [own.publicKey] });
    return createTransparencyLog({
      ...{ store, signer: own, noteVerifier, key: keys[0], witnesses: [], files: given },
      verifier: (await trust()).verifier,
      onAlarm: (alarm) => alarms.push(alarm),
      onError: () => {},
      now: () => new Date(time),
    });
  };
  /** A desk's notary with its log, which grows with each checkpoint. */
  const start = async ({
    log,
    ...changes
  }: Partial<Omit<NotaryOptions, 'log'>> & { readonly log?: TransparencyLog | 'none' } = {}): Promise<Notary> => {
    const options = { store: audit, everyMs: 60_000, onAlarm: (alarm: Finding) => alarms.push(alarm), onError: () => {} };
    const of = log === 'none' ? undefined : (log ?? (await logIn()));
    const notary = createNotary({ ...options, ...(await trust()), ...(of && { log: of }), ...changes });
    notaries.push(notary);
    const sign = async () => {
      const signed = await notary.sign();
      await of?.publish();
      return signed;
    };
    return { ...notary, sign };
  };
  const sizeOf = async (where = place): Promise<number | undefined> =>
    (await readLogNote(createLogFolder({ folder: where }), 'lab'))?.size;
  const verify = async () =>
    verifyAudit({
      store: audit,
      log: {
        files: createLogFolder({ folder: place }),
        ...logKeys({ name: 'lab', witnesses: [], publicKeys: [(await trust()).signer.publicKey] }),
      },
      verifier: (await trust()).verifier,
      trust: makersTrust,
      signers: noSigners,
      now: () => new Date(time),
    });

  test('signs only what has moved, and nothing if nothing moves before a heartbeat is due', async () => {
    time = Date.parse('2026-03-01T10:00:00Z');
    const notary = await start({ now: () => new Date(time) });
    expect((await notary.sign())?.checkpoint).toMatchObject({ number: 1, chains: 0, moved: [] });
    expect(await notary.sign()).toBeUndefined();
    await audit.append(run('incident/c/a@1', 1, 3));
    await audit.append(run('incident/c/b@1', 1, 1));
    expect((await notary.sign())?.checkpoint).toMatchObject({
      number: 2,
      chains: 2,
      moved: [{ chain: 'incident/c/a@1', number: 3 }, { chain: 'incident/c/b@1' }],
    });
    await audit.append(run('incident/c/b@1', 2, 2));
    expect((await notary.sign())?.checkpoint).toMatchObject({
      number: 3,
      chains: 2,
      moved: [{ chain: 'incident/c/b@1', number: 2 }],
    });
    expect(await notary.sign()).toBeUndefined();
    time += 15 * 60_000;
    expect((await notary.sign())?.checkpoint).toMatchObject({ number: 4, chains: 2, moved: [] });
    expect(await verify()).toMatchObject({ ok: true, notCovered: [], checkpoints: 4 });
  });

  test('signs on its own at its pace, and refuses a pace slower than a minute', async () => {
    await audit.append(run('incident/c/a@1', 1, 1));
    await start({ everyMs: 20 });
    await eventually('a checkpoint', async () => (await audit.checkpoints({ after: 0 })).length > 0);
    expect(await verify()).toMatchObject({ ok: true, notCovered: [], checkpoints: 1 });
    await expect(start({ everyMs: 60_001 })).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
  });

  test('continues where the last one ended, and adds to the log what that one could not', async () => {
    const full = {
      ...createLogFolder({ folder: place }),
      write: () => Promise.reject(new FirebreakError('FB_ERR_UNAVAILABLE', 'disk full')),
    };
    await audit.append(run('incident/c/a@1', 1, 1));
    const first = await start({ log: await logIn(place, { files: full }) });
    await expect(first.sign()).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    expect(await audit.checkpoints({ after: 0 })).toHaveLength(1);
    expect(await verify()).toMatchObject({ ok: true });
    await audit.append(run('incident/c/a@1', 2, 2));
    const second = await start();
    expect((await second.sign())?.checkpoint).toMatchObject({ number: 2, moved: [{ number: 2 }] });
    expect(await sizeOf()).toBe(2);
    expect(await verify()).toMatchObject({ ok: true, checkpoints: 2, notCovered: [] });
    expect(alarms).toEqual([]);
  });

  describe('once started, reads on from where it was', () => {
    const reading = (): { readonly store: AuditStore; readonly fromTheBeginning: () => number } => {
      const reads: number[] = [];
      const checkpoints: AuditStore['checkpoints'] = (options) => {
        reads.push(options.after);
        return audit.checkpoints(options);
      };
      return { store: { ...audit, checkpoints }, fromTheBeginning: () => reads.filter((after) => after < 0).length };
    };

    test('even if the database is gone after it has stored the checkpoint', async () => {
      const { store, fromTheBeginning } = reading();
      const gone = new FirebreakError('FB_ERR_UNAVAILABLE', 'gone');
      let isGone = false;
      const notary = await start({
        store: {
          ...store,
          addCheckpoint: async (...given) => {
            const isReplaced = await store.addCheckpoint(...given);
            if (isGone) throw gone;
            return isReplaced;
          },
        },
      });
      await audit.append(run('incident/c/a@1', 1, 1));
      await notary.sign();
      isGone = true;
      await audit.append(run('incident/c/a@1', 2, 2));
      await expect(notary.sign()).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      isGone = false;
      expect(await notary.sign()).toBeUndefined();
      expect(await sizeOf()).toBe(2);
      expect(fromTheBeginning()).toBe(1);
      expect(await verify()).toMatchObject({ ok: true, checkpoints: 2, notCovered: [] });
      expect(alarms).toEqual([]);
    });

    test('but starts over if a checkpoint was replaced by something else', async () => {
      const { store, fromTheBeginning } = reading();
      const taken = new FirebreakError('FB_ERR_CONFLICT', 'another one is there');
      let isTaken = false;
      const addCheckpoint: AuditStore['addCheckpoint'] = (...given) =>
        isTaken ? Promise.reject(taken) : store.addCheckpoint(...given);
      const notary = await start({ store: { ...store, addCheckpoint } });
      await audit.append(run('incident/c/a@1', 1, 1));
      await notary.sign();
      isTaken = true;
      await audit.append(run('incident/c/a@1', 2, 2));
      await expect(notary.sign()).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
      isTaken = false;
      expect((await notary.sign())?.checkpoint.number).toBe(2);
      expect(fromTheBeginning()).toBe(2);
      expect(await sizeOf()).toBe(2);
    });
  });

  describe('signs nothing on top of what its log contradicts', () => {
    beforeEach(async () => {
      const notary = await start();
      for (const number of [1, 2, 3, 4]) {
        await audit.append(run('incident/c/a@1', number, number));
        await notary.sign();
      }
      await audit.append(run('incident/c/a@1', 5, 5));
      await notary.stop();
      notaries.length = 0;
      await (await logIn()).publish();
      expect(await sizeOf()).toBe(5);
    });
    const damaged = { code: 'FB_ERR_AUDIT_DAMAGED' };

    test('if the database went back, as a restored backup does', async () => {
      await database.all('DELETE FROM audit_checkpoints WHERE number > 2');
      await database.all('DELETE FROM audit_records WHERE place > 2');
      await database.all('UPDATE audit_heads SET number = 2, hash = (SELECT hash FROM audit_records WHERE place = 2)');
      const notary = await start();
      await audit.append(run('incident/c/b@1', 1, 1));
      await expect(notary.sign()).rejects.toMatchObject(damaged);
      expect(await audit.checkpoints({ after: 0 })).toHaveLength(2);
      expect(alarms).toMatchObject([
        { kind: 'log-forked', text: expect.stringContaining('has 5 checkpoints, of which only 2 exist') },
      ]);
      expect((await verify()).findings).toContainEqual(expect.objectContaining({ kind: 'log-forked' }));
      // Whoever accepts the loss begins another log, and keeps the old one: it is the proof.
      const other = join(folder, `${files}.second`);
      const again = await start({ log: await logIn(other, { name: 'second' }) });
      expect((await again.sign())?.checkpoint.number).toBe(3);
      expect(await sizeOf()).toBe(5);
    });

    test('if a checkpoint was changed or removed, until it is put back', async () => {
      const [, second] = await audit.checkpoints({ after: 0 });
      for (const sql of [
        "UPDATE audit_checkpoints SET content = '{}' WHERE number = 2",
        'DELETE FROM audit_checkpoints WHERE number = 2',
      ]) {
        await database.all(sql);
        await audit.append(run('incident/c/b@1', 1, 1));
        await expect((await start()).sign()).rejects.toMatchObject(damaged);
        expect(await audit.checkpoints({ after: 5 })).toEqual([]);
      }
      await database.all('INSERT INTO audit_checkpoints (number, content) VALUES (2, $1)', [second?.text ?? '']);
      expect((await (await start()).sign())?.checkpoint.number).toBe(6);
      expect(await verify()).toMatchObject({ ok: true, checkpoints: 6 });
    });

    test('if all of them were removed together with the records', async () => {
      for (const table of ['audit_checkpoints', 'audit_heads', 'audit_records']) await database.all(`DELETE FROM ${table}`);
      await expect((await start()).sign()).rejects.toMatchObject(damaged);
      expect((await verify()).findings.map(({ kind }) => kind)).toEqual(['checkpoint-stale', 'log-forked']);
    });

    test('and reads all checkpoints again only after some time', async () => {
      await database.all('DELETE FROM audit_checkpoints WHERE number = 5');
      let reads = 0;
      const checkpoints: AuditStore['checkpoints'] = (asked) => {
        if (asked.after < 0) reads += 1;
        return audit.checkpoints(asked);
      };
      const notary = await start({ store: { ...audit, checkpoints } });
      for (let tries = 0; tries < 3; tries += 1) await expect(notary.sign()).rejects.toMatchObject(damaged);
      expect(reads).toBe(1);
      time += 16 * 60_000;
      await expect(notary.sign()).rejects.toMatchObject(damaged);
      expect(reads).toBe(2);
    });
  });

  test('never takes back what it signed, and reports once that somebody tried', async () => {
    const notary = await start();
    await audit.append(run('incident/c/a@1', 1, 3));
    await audit.append(run('incident/c/b@1', 1, 3));
    await notary.sign();
    await database.all(`DELETE FROM audit_records WHERE place = 3 OR chain = 'incident/c/b@1'`);
    await database.all(`DELETE FROM audit_heads`);
    await database.all(
      `INSERT INTO audit_heads (chain, number, hash) SELECT chain, place, hash FROM audit_records WHERE place = 2`,
    );
    await audit.append(run('incident/c/c@1', 1, 1));
    await notary.sign();
    await notary.sign();
    expect(alarms.map(({ chain, number }) => [chain, number])).toEqual([
      ['incident/c/a@1', 3],
      ['incident/c/b@1', 3],
    ]);
    const { findings, checkpoints } = await verify();
    expect(checkpoints).toBe(2);
    expect(findings.map(({ kind, chain }) => [kind, chain])).toEqual([
      ['records-cut', 'incident/c/a@1'],
      ['chain-missing', 'incident/c/b@1'],
    ]);
  });

  test('two on the same store follow each other: each log has everything, nothing is signed twice, and there are no errors', async () => {
    const other = join(folder, `${files}-other.log`);
    const reads: number[] = [];
    const store: AuditStore = {
      ...audit,
      checkpoints: (options) => {
        reads.push(options.after);
        return audit.checkpoints(options);
      },
    };
    const [one, two] = [await start(), await start({ store, log: await logIn(other, { store }) })];
    for (const number of [1, 2, 3]) {
      await audit.append(run('incident/c/a@1', number, number));
      expect((await one.sign())?.checkpoint.number).toBe(2 * number - 1);
      expect(await two.sign()).toBeUndefined();
      await audit.append(run('incident/c/b@1', number, number));
      expect((await two.sign())?.checkpoint.number).toBe(2 * number);
    }
    await one.sign();
    // Reads from the beginning once, and then from where it was.
    expect(reads.filter((after) => after < 0)).toHaveLength(1);
    await two.sign();
    for (const each of [place, other]) expect(await sizeOf(each)).toBe(6);
    expect(await verify()).toMatchObject({ ok: true, checkpoints: 6 });
    expect(alarms).toEqual([]);
  });

  test('one that loses a number to another at the same moment signs what the other has left', async () => {
    const raced: AuditStore = {
      ...audit,
      eachHead: async (take) => {
        let shown = 0;
        await audit.eachHead((some) => {
          shown += some.length;
          take(some);
        });
        if (shown !== 1) return;
        await other.sign();
        await audit.append(run('incident/c/b@1', 1, 1));
      },
    };
    // Two notaries that sign the same in the same millisecond have signed one checkpoint.
    const other = await start({ now: () => new Date(time + 1) });
    await audit.append(run('incident/c/a@1', 1, 1));
    const notary = await start({ store: raced, now: () => new Date(time) });
    expect((await notary.sign())?.checkpoint).toMatchObject({ number: 2, moved: [{ chain: 'incident/c/b@1' }] });
    expect(alarms).toEqual([]);
  });

  test('one that was away while another signed does not count as tampering: its log is brought up to date without an alarm', async () => {
    const other = await start({ log: await logIn(join(folder, `${files}-other.log`)) });
    for (const number of [1, 2, 3, 4, 5]) {
      await audit.append(run('incident/c/a@1', number, number));
      await other.sign();
    }
    expect(await (await start()).sign()).toBeUndefined();
    expect(await sizeOf()).toBe(5);
    expect(alarms).toEqual([]);
  });

  test('a new log is made from any number of checkpoints, with a few hundred held at once', async () => {
    const { signer } = await trust();
    const texts: string[] = [];
    let last: SignedCheckpoint | undefined;
    for (let nth = 1; nth <= 1_500; nth += 1) {
      const at = new Date(time - 1_500 + nth).toISOString();
      const checkpoint = nextCheckpoint({ last, stated: new HeadsTree(), moved: [], at });
      last = { checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) };
      texts.push(checkpointText(last));
    }
    const held = new ReachableObjects();
    let most = 0;
    const checkpoints: AuditStore['checkpoints'] = async ({ after }) => {
      if (after > 0 && after % 300 === 0) most = Math.max(most, await held.count());
      return texts.slice(Math.max(after, 0), Math.max(after, 0) + 100).map((text, index) => {
        const signed = parseCheckpoint(text);
        if (signed) held.watch(signed);
        return { number: Math.max(after, 0) + index + 1, text, ...(signed && { signed }) };
      });
    };
    const store = { ...audit, checkpoints };
    const notary = await start({ store, log: await logIn(place, { store }), now: () => new Date(time) });
    expect(await notary.sign()).toBeUndefined();
    expect(await sizeOf()).toBe(1_500);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(900);
    expect(alarms).toEqual([]);
  });

  test('what was put under the numbers of later checkpoints blocks none of them, and is reported', async () => {
    const notary = await start();
    await audit.append(run('incident/c/a@1', 1, 1));
    await notary.sign();
    const thief = await openSigner({ file: join(folder, 'thief.key'), create: true });
    await forgeCheckpoints(database, 1, thief);
    const content = `SELECT 3, content FROM audit_checkpoints WHERE number = 1`;
    await database.all(`INSERT INTO audit_checkpoints (number, content) ${content}`);
    await database.all(`INSERT INTO audit_checkpoints (number, content) VALUES (2, 'nothing'), (${2 ** 31 - 1}, '{}')`);
    for (const number of [2, 3, 4]) {
      await audit.append(run('incident/c/a@1', number, number));
      expect((await notary.sign())?.checkpoint.number).toBe(number);
    }
    expect(alarms.map(({ kind, checkpoint }) => [kind, checkpoint])).toEqual([
      ['checkpoint-forged', 2],
      ['checkpoint-forged', 3],
    ]);
    await notary.stop();
    const left = await verify();
    expect(left.notCovered).toEqual([]);
    expect(left.findings.map(({ kind, checkpoint }) => [kind, checkpoint])).toEqual([
      ['checkpoint-forged', 1],
      ['checkpoint-missing', 1],
      ['checkpoint-forged', 2 ** 31 - 1],
      ['log-forked', undefined],
    ]);
  });

  describe('whose key was replaced', () => {
    const renewed = async () => openSigner({ file: join(folder, 'renewed.key'), create: true });
    const believing = async (...keys: readonly { readonly publicKey: string }[]) =>
      createVerifier({ publicKeys: keys.map(({ publicKey }) => publicKey) });

    test('continues if the previous key is known, and so does whoever verifies', async () => {
      await audit.append(run('incident/c/a@1', 1, 1));
      await (await start()).sign();
      const signer = await renewed();
      const verifier = await believing(signer, (await trust()).signer);
      const notary = await start({ signer, verifier });
      await audit.append(run('incident/c/a@1', 2, 2));
      expect((await notary.sign())?.checkpoint).toMatchObject({ number: 2, previous: expect.not.stringMatching(/^0+$/) });
      expect(alarms).toEqual([]);
      const asked = { store: audit, trust: makersTrust, signers: noSigners };
      expect(await verifyAudit({ ...asked, verifier })).toMatchObject({ ok: true, checkpoints: 2, notCovered: [] });
    });

    test('cannot be continued by whoever has the previous key', async () => {
      await audit.append(run('incident/c/a@1', 1, 1));
      const old = await trust();
      await (await start()).sign();
      const signer = await renewed();
      const verifier = await believing(signer, old.signer);
      await audit.append(run('incident/c/a@1', 2, 2));
      await (await start({ signer, verifier })).sign();
      await audit.append(run('incident/c/a@1', 3, 3));
      const careless = { keyIds: [old.signer.keyId], verify: verifier.verify };
      await (await start({ signer: old.signer, verifier: careless, log: 'none' })).sign();
      const asked = { store: audit, trust: makersTrust, signers: noSigners };
      const { findings } = await verifyAudit({ ...asked, verifier });
      expect(findings).toContainEqual(expect.objectContaining({ kind: 'checkpoint-forged', checkpoint: 3 }));
    });

    test('is reported as stale if the newest checkpoint is by the previous key, except in a copy', async () => {
      await audit.append(run('incident/c/a@1', 1, 1));
      await (await start()).sign();
      const asked = { store: audit, trust: makersTrust, signers: noSigners };
      const verifier = await believing(await renewed(), (await trust()).signer);
      const { findings } = await verifyAudit({ ...asked, verifier });
      expect(findings).toEqual([
        expect.objectContaining({ kind: 'checkpoint-stale', text: expect.stringContaining('signed by a replaced key') }),
      ]);
      expect(await verifyAudit({ ...asked, verifier, expected: { asOf: new Date() } })).toMatchObject({ ok: true });
    });

    test('signs nothing if the previous key is unknown, and leaves what is there', async () => {
      await audit.append(run('incident/c/a@1', 1, 1));
      await (await start()).sign();
      const signer = await renewed();
      const notary = await start({ signer, verifier: await believing(signer) });
      await expect(notary.sign()).rejects.toMatchObject({
        code: 'FB_ERR_CONFIG_INVALID',
        detail: expect.stringContaining('audit.retiredNotaryKeys'),
      });
      expect(await verify()).toMatchObject({ ok: true, checkpoints: 1 });
    });
  });
});

interface LogParts {
  readonly store?: AuditStore;
  readonly signer?: FileSigner;
  readonly name?: string;
  readonly files?: LogFiles;
}
