import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import type { PromotionTerms } from '../../../core/orders/promotion.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { ObservedPacks } from '../../../service/cell/observed-packs.ts';
import { playbooksOf } from '../../../service/config/packs.ts';
import { observedOf } from '../../../service/packs/observed.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { ReleaseStore, signedRelease } from '../../../service/packs/release-store.ts';
import { statementOf, writePackFolder } from '../../pack-folder.ts';
import { alertOf } from '../../workflows/people.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-observed-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const store = new ReleaseStore(createFolderShelf({ dir: join(folder, 'shared') }));
const now = Date.parse('2026-11-27T12:00:00.000Z');
let publicKey = '';
let observe: PromotionTerms;

beforeAll(async () => {
  const publisher = await openSigner({ file: join(folder, 'publisher.pem'), create: true });
  publicKey = publisher.publicKey;
  const pack = readPack({ folder: writePackFolder(join(folder, 'acme')) });
  await store.publish(await signedRelease(statementOf(pack), pack, publisher));
  const from = new Date(now - 60_000).toISOString();
  const until = new Date(now + 86_400_000).toISOString();
  const said = { version: 1, cluster: 'lab', owner: 'ana', reason: 'new', from, until } as const;
  observe = {
    ...said,
    id: '1'.repeat(16),
    pack: 'acme',
    release: '1.0.0',
    integrity: pack.integrity,
    stage: 'observe',
    widens: [],
  };
});

let cells = 0;
function cellWith(active: readonly PromotionTerms[], publicKeys: readonly string[] = [publicKey]) {
  cells += 1;
  const stateDir = join(folder, `state-${cells}`);
  const notes: (IncidentNote & { readonly incident: string })[] = [];
  const warned: unknown[] = [];
  const observed = new ObservedPacks({
    packs: ['acme'],
    promotions: () => active.map((terms) => ({ terms, proposer: 'ana', approvers: ['ben'] })),
    releases: async () => ({ store, publishers: createVerifier({ publicKeys }) }),
    running: playbooksOf(),
    params: { 'acme/miner': { lease: '8h' } },
    note: async (incident, note) => {
      notes.push({ ...note, incident });
    },
    stateDir,
    log: { warn: (fields: object) => warned.push(fields) },
    now: () => now,
  });
  const hears = async (...alerts: readonly Alert[]) => {
    observed.hears('incident/lab/shop/Deployment/cart', alerts);
    await observed.idle();
  };
  return { stateDir, notes, warned, hears };
}

const miner = () => alertOf({ rule: 'Detect crypto miners', severity: 'critical' });

test('a version that is observed says in the incident what it would have done, once, and nothing of what it does not answer', async () => {
  const { stateDir, notes, hears } = cellWith([observe]);
  await hears(miner(), alertOf({ rule: 'Something else', severity: 'critical' }));
  await hears(miner());
  expect(notes).toMatchObject([{ incident: 'incident/lab/shop/Deployment/cart', kind: 'pack.observed', about: 'acme/miner' }]);
  expect(notes[0]?.text).toContain(
    'acme@1.0.0 is observed, and has done nothing. With nobody answering acme/miner would come to: quarantinePod',
  );
  expect(observedOf(stateDir, { pack: 'acme', release: '1.0.0' })).toMatchObject([
    { rule: 'Detect crypto miners', playbook: 'acme/miner', outcome: expect.stringContaining('quarantinePod') },
  ]);
});

test('nothing is tried of a version that nobody has let be observed, that runs, or that no publisher has signed', async () => {
  const quiet = cellWith([]);
  await quiet.hears(miner());
  const runs = cellWith([observe, { ...observe, id: '2'.repeat(16), stage: 'all' }]);
  await runs.hears(miner());
  const unsigned = cellWith([observe], []);
  await unsigned.hears(miner());
  expect([quiet.notes, runs.notes, unsigned.notes]).toEqual([[], [], []]);
  expect(unsigned.warned).toMatchObject([{ reason: expect.stringContaining('signed by no publisher') }]);
});
