import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../../core/audit/audit-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import {
  type Anchor,
  checkpointBytes,
  checkpointOfLine,
  checkpointText,
  nextCheckpoint,
  type SignedCheckpoint,
} from '../../../core/audit/checkpoint.ts';
import { HeadsTree } from '../../../core/audit/heads-tree.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { createFileAnchor } from '../../../integrations/anchor/file-anchor.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { createNotary, type Notary, type NotaryOptions } from '../../../service/records/notary.ts';
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
  let anchorFile: string;
  let anchor: Anchor;
  let database: Database;
  let audit: AuditStore;
  let alarms: Finding[];
  let time: number;
  const notaries: Notary[] = [];

  beforeEach(async () => {
    files += 1;
    anchorFile = join(folder, `${files}.jsonl`);
    anchor = createFileAnchor({ file: anchorFile });
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
  const start = async (changes: Partial<NotaryOptions> = {}): Promise<Notary> => {
    const options = { store: audit, anchor, everyMs: 60_000, onAlarm: (alarm: Finding) => alarms.push(alarm), onError: () => {} };
    const notary = createNotary({ ...options, ...(await trust()), ...changes });
    notaries.push(notary);
    return notary;
  };
  const numbersIn = async (where: Anchor): Promise<readonly unknown[]> => {
    const numbers: unknown[] = [];
    for await (const lines of where.read())
      numbers.push(...lines.map((line) => checkpointOfLine(line)?.checkpoint.number ?? line));
    return numbers;
  };
  const verify = async () =>
    verifyAudit({
      store: audit,
      anchor,
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

  test('continues where the last one ended, and anchors what that one could not', async () => {
    const broken: Anchor = { ...anchor, append: () => Promise.reject(new FirebreakError('FB_ERR_UNAVAILABLE', 'disk full')) };
    await audit.append(run('incident/c/a@1', 1, 1));
    const first = await start({ anchor: broken });
    await expect(first.sign()).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    expect(await verify()).toMatchObject({ ok: true, notes: ['checkpoint 1 is not in the anchor yet'] });
    appendFileSync(anchorFile, '{"torn');
    await audit.append(run('incident/c/a@1', 2, 2));
    const second = await start();
    expect((await second.sign())?.checkpoint).toMatchObject({ number: 2, moved: [{ number: 2 }] });
    expect(readFileSync(anchorFile, 'utf8').split('\n')).toHaveLength(4);
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

    test.each([
      ['the anchor is unreachable', 'anchor'],
      ['the database is gone after it has stored the checkpoint', 'database'],
    ])('even if %s for some rounds', async (_, what) => {
      const { store, fromTheBeginning } = reading();
      const gone = new FirebreakError('FB_ERR_UNAVAILABLE', 'gone');
      let isGone = false;
      const notary = await start({
        anchor: {
          ...anchor,
          append: (...signed) => (isGone && what === 'anchor' ? Promise.reject(gone) : anchor.append(...signed)),
        },
        store: {
          ...store,
          addCheckpoint: async (...given) => {
            const isReplaced = await store.addCheckpoint(...given);
            if (isGone && what === 'database') throw gone;
            return isReplaced;
          },
        },
      });
      await audit.append(run('incident/c/a@1', 1, 1));
      await notary.sign();
      isGone = true;
      await audit.append(run('incident/c/a@1', 2, 2));
      await expect(notary.sign()).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      if (what === 'anchor') await expect(notary.sign()).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      isGone = false;
      expect(await notary.sign()).toBeUndefined();
      expect(await numbersIn(anchor)).toEqual([1, 2]);
      expect(fromTheBeginning()).toBe(1);
      expect(await verify()).toMatchObject({ ok: true, checkpoints: 2, notCovered: [] });
      expect(alarms).toEqual([]);
    });

    test('but starts over if a checkpoint was replaced by something else', async () => {
      const { store, fromTheBeginning } = reading();
      const taken = new FirebreakError('FB_ERR_CONFLICT', 'another one is there');
      let isTaken = false;
      const append: Anchor['append'] = (...signed) => (isTaken ? Promise.reject(taken) : anchor.append(...signed));
      const notary = await start({ store, anchor: { ...anchor, append } });
      await audit.append(run('incident/c/a@1', 1, 1));
      await notary.sign();
      isTaken = true;
      await audit.append(run('incident/c/a@1', 2, 2));
      await expect(notary.sign()).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
      isTaken = false;
      expect(await notary.sign()).toBeUndefined();
      expect(fromTheBeginning()).toBe(2);
      expect(await numbersIn(anchor)).toEqual([1, 2]);
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

  test('two on the same store follow each other: each anchor has everything, nothing is signed twice, and there are no errors', async () => {
    const other = createFileAnchor({ file: join(folder, `${files}-other.jsonl`) });
    const reads: number[] = [];
    const store: AuditStore = {
      ...audit,
      checkpoints: (options) => {
        reads.push(options.after);
        return audit.checkpoints(options);
      },
    };
    const [one, two] = [await start(), await start({ store, anchor: other })];
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
    for (const each of [anchor, other]) expect(await numbersIn(each)).toEqual([1, 2, 3, 4, 5, 6]);
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

  test('one that was away while another signed does not count as tampering: its anchor is brought up to date without an alarm', async () => {
    const other = await start({ anchor: createFileAnchor({ file: join(folder, `${files}-other.jsonl`) }) });
    for (const number of [1, 2, 3, 4, 5]) {
      await audit.append(run('incident/c/a@1', number, number));
      await other.sign();
    }
    const caughtUp: number[] = [];
    const back = await start({ onCaughtUp: (checkpoints) => caughtUp.push(checkpoints) });
    expect(await back.sign()).toBeUndefined();
    expect(caughtUp).toEqual([5]);
    expect(await numbersIn(anchor)).toEqual([1, 2, 3, 4, 5]);
    expect(alarms).toEqual([]);
  });

  test('a new anchor is brought up to date from any number of checkpoints, with a few hundred held at once', async () => {
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
    const checkpoints: AuditStore['checkpoints'] = async ({ after }) =>
      texts.slice(Math.max(after, 0), Math.max(after, 0) + 100).map((text, index) => {
        const signed = checkpointOfLine(text);
        if (signed) held.watch(signed);
        return { number: Math.max(after, 0) + index + 1, text, ...(signed && { signed }) };
      });
    let [appended, most] = [0, 0];
    const append: Anchor['append'] = async (...signed) => {
      appended += signed.length;
      if (appended % 300 === 0) most = Math.max(most, await held.count());
    };
    const empty: Anchor = { description: 'a new volume', append, async *read() {} };
    const notary = await start({ store: { ...audit, checkpoints }, anchor: empty, now: () => new Date(time) });
    expect(await notary.sign()).toBeUndefined();
    expect(appended).toBe(1_500);
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
      ['checkpoint-changed', 1],
      ['checkpoint-forged', 2 ** 31 - 1],
    ]);
    await (await start()).sign();
    expect(alarms.slice(2).map(({ kind }) => kind)).toEqual(['checkpoint-changed', 'checkpoint-forged']);
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
      const asked = { store: audit, anchor, trust: makersTrust, signers: noSigners };
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
      await (await start({ signer: old.signer, verifier: careless })).sign();
      const asked = { store: audit, anchor, trust: makersTrust, signers: noSigners };
      const { findings } = await verifyAudit({ ...asked, verifier });
      expect(findings).toContainEqual(expect.objectContaining({ kind: 'checkpoint-forged', checkpoint: 3 }));
    });

    test('is reported as stale if the newest checkpoint is by the previous key, except in a copy', async () => {
      await audit.append(run('incident/c/a@1', 1, 1));
      await (await start()).sign();
      const asked = { store: audit, anchor, trust: makersTrust, signers: noSigners };
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

  test('a line changed in the anchor raises an alarm at the next start', async () => {
    const notary = await start();
    await audit.append(run('incident/c/a@1', 1, 1));
    await notary.sign();
    writeFileSync(anchorFile, readFileSync(anchorFile, 'utf8').replace('"chains":1', '"chains":2'));
    await (await start()).sign();
    expect(alarms).toEqual([expect.objectContaining({ kind: 'anchor-changed', checkpoint: 1 })]);
  });
});
