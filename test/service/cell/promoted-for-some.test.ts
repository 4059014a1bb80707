import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PromotionTerms } from '../../../core/orders/promotion.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { makeBackup } from '../../../service/backup/backup.ts';
import { oldPlace } from '../../../service/backup/place.ts';
import { checkBackup, restoreBackup, restoreConfig } from '../../../service/backup/restore.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import { controlFolder } from '../../../service/config/complete.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { acmeFiles } from '../../pack-folder.ts';
import { beliefsAt, proposalOf, termsOf as suppressionOf } from '../../workflows/control/control-harness.ts';
import { agreedTo, cellAt, decided, looksAt, nothingDecided, now, publishedPacks, tenPercent } from './published-packs.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-for-some-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let published: Awaited<ReturnType<typeof publishedPacks>>;
beforeAll(async () => {
  published = await publishedPacks(folder);
  await published.publish('1.0.0');
  await published.publish('1.1.0', { playbook: (text) => text.replace("'4h'", "'8h'") });
});

/** The pack with an action of its own that none of its playbooks uses. */
const withAction = {
  'firebreak.pack.ts': (acmeFiles['firebreak.pack.ts'] ?? '')
    .replace("'./playbooks/miner.ts';", "'./playbooks/miner.ts';\nimport { closePort } from './close-port.ts';")
    .replace('[miner]', '[miner], actions: [closePort]'),
  'close-port.ts': `import { data, defineAction } from 'firebreak/actions';
export const closePort = defineAction({
  name: 'closePort',
  title: 'Close a port',
  effect: 'reversible',
  reach: 'workload',
  input: { port: data.number('The port') },
  output: { removed: data.number('Rules that were removed') },
  implementation: 'close-port.ts',
  verifiedBy: 'It is read back.',
  undo: 'Opens it again.',
  example: { port: 80 },
  sample: { removed: 1 },
});
`,
  'implementations/close-port.ts': 'export default {};\n',
};

function versioned(files: Readonly<Record<string, string>>, version: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(files).map(([file, text]) => [file, text.replace("'1.0.0'", `'${version}'`)]));
}

describe('a proposal to promote for some incidents', () => {
  test('is refused while another pack has two versions', async () => {
    const { publish, termsOf, cellWith } = published;
    await publish('2.0.0', { pack: 'other' });
    const [live, tenth] = [termsOf('1.0.0'), termsOf('1.1.0', tenPercent)];
    const ofOther = { pack: 'other', widens: ['other/miner is new, and may quarantinePod (reversible, pod)'] };
    const both = ['acme', 'other'];
    const cell = cellWith(() => [live, tenth], '', both).started();
    expect(await cell.problemOf(termsOf('2.0.0', { ...ofOther, ...tenPercent }))).toBe(
      'acme@1.1.0 runs in some incidents: promote it for all, or roll it back first.',
    );
    // Only the other promotion, and that it is for some, blocks it.
    expect(await cell.problemOf(termsOf('2.0.0', ofOther))).toBeUndefined();
    const alone = cellWith(() => [live], '', both).started();
    expect(await alone.problemOf(termsOf('2.0.0', { ...ofOther, ...tenPercent }))).toBeUndefined();
  });

  test('is refused if the new or the running version has its own actions, because their pool runs only one version', async () => {
    const { publish, termsOf, cellWith } = published;
    await publish('3.0.0', { more: versioned(withAction, '3.0.0') });
    await publish('3.1.0');
    const refused = 'acme has actions of its own, and only one version of them can run: promote it with --all.';
    const first = cellWith(() => [termsOf('1.0.0')]).started();
    expect(await first.problemOf(termsOf('3.0.0', tenPercent))).toBe(refused);
    expect(await first.problemOf(termsOf('3.0.0'))).toBeUndefined();
    const then = cellWith(() => [termsOf('3.0.0')]).started();
    expect(await then.problemOf(termsOf('3.1.0', tenPercent))).toBe(refused);
    expect(await then.problemOf(termsOf('3.1.0'))).toBeUndefined();
  });
});

const nobodyHears = { info: () => {}, warn: () => {} };

function bookOf(stateDir: string): DecisionBook {
  return new DecisionBook({
    file: join(controlFolder(stateDir), 'decisions.json'),
    beliefs: () => beliefsAt(looksAt),
    log: nobodyHears,
  });
}

function decisionsIn(stateDir: string): number {
  const kept: { readonly decided: readonly unknown[] } = JSON.parse(
    readFileSync(join(controlFolder(stateDir), 'decisions.json'), 'utf8'),
  );
  return kept.decided.length;
}

/** Copies a cell's data, and restores it in another folder. */
async function movedByBackup(configFile: string): Promise<string> {
  const config = loadConfig({ path: configFile, env: {} });
  const databaseUrl = `sqlite:${join(dirname(configFile), 'audit.db')}`;
  await (await openDatabase({ url: databaseUrl })).close();
  const signer = await openSigner({ file: join(folder, 'notary.pem'), create: true });
  const to = mkdtempSync(join(tmpdir(), 'firebreak-for-some-backup-'));
  try {
    const { from } = await makeBackup({ config, configFile, env: {}, to, databaseUrl, signer, evidence: 'none' });
    const place = await oldPlace({ from, config: undefined, env: {} });
    const backup = await checkBackup(place, createVerifier({ publicKeys: [signer.publicKey] }));
    const restored = join(folder, 'restored');
    mkdirSync(restored);
    const restoredFile = join(restored, 'firebreak.yaml');
    await restoreConfig(backup, restoredFile);
    await restoreBackup({
      backup,
      config: loadConfig({ path: restoredFile, env: {} }),
      configFile: restoredFile,
      env: {},
      databaseUrl: `sqlite:${join(restored, 'audit.db')}`,
      force: false,
    });
    return restoredFile;
  } finally {
    rmSync(to, { recursive: true, force: true });
  }
}

describe('a restored backup', () => {
  test('has the running versions, their shares and the orders for them, and keeps them while Temporal is unavailable', async () => {
    const { termsOf, cellWith } = published;
    const until = new Date(now + 86_400_000).toISOString();
    const [live, tenth] = [termsOf('1.0.0'), termsOf('1.1.0', { ...tenPercent, until })];
    const terms: readonly PromotionTerms[] = [live, tenth];
    const cell = cellWith(() => terms);
    expect(await cell.started().changed(cell.source, false, new AbortController().signal)).toBe(true);
    const { stateDir } = loadConfig(cell.source);
    const states = [decided(live, 'ben'), decided(tenth, 'ben'), agreedTo(proposalOf(suppressionOf(now)), 'ben')];
    bookOf(stateDir).update({
      ...nothingDecided,
      decisions: states.flatMap(({ decisions }) => decisions),
      questions: states.flatMap(({ questions }) => questions),
    });

    const restoredFile = await movedByBackup(cell.source.path);
    const restored = loadConfig({ path: restoredFile, env: {} });
    const book = bookOf(restored.stateDir);
    const moved = cellAt(restoredFile, () => book.promotions().map((one) => one.terms));
    expect([moved.versions(), moved.some()]).toEqual([['acme@1.0.0'], ['acme@1.1.0']]);
    expect(book.promotions().map((one) => [one.terms.release, one.terms.percent])).toEqual([
      ['1.0.0', undefined],
      ['1.1.0', 10],
    ]);
    // What hides alerts is not restored: it may have been ended since.
    expect([stateDir, restored.stateDir].map(decisionsIn)).toEqual([3, 2]);

    // Stopped at its second look: its first found that what runs is what was decided.
    const stopping = new AbortController();
    let looks = 0;
    const looking = cellAt(restoredFile, () => {
      looks += 1;
      if (looks > 2) stopping.abort();
      return book.promotions().map((one) => one.terms);
    });
    expect(await looking.started().changed(looking.source, false, stopping.signal)).toBe(false);
    expect([looking.versions(), looking.some()]).toEqual([['acme@1.0.0'], ['acme@1.1.0']]);
  });
});
