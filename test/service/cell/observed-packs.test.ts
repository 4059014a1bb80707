import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MemoryKeeper, Remembered } from '../../../activities/memory/memory.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Question } from '../../../core/decide/approval.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import type { PromotionTerms } from '../../../core/orders/promotion.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { ObservedPacks } from '../../../service/cell/observed-packs.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';
import { playbooksOf } from '../../../service/config/packs.ts';
import { observedOf } from '../../../service/packs/observed.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { ReleaseStore, signedRelease } from '../../../service/packs/release-store.ts';
import { eventually } from '../../eventually.ts';
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

/** Puts a release into the store, signed by the publisher of all of them. Returns the terms under which it is observed. */
async function published(name: string, files: Readonly<Record<string, string>>): Promise<PromotionTerms> {
  const publisher = await openSigner({ file: join(folder, 'publisher.pem'), create: true });
  const pack = readPack({ folder: writePackFolder(join(folder, name), files) });
  await store.publish(await signedRelease(statementOf(pack), pack, publisher));
  return { ...observe, pack: name, integrity: pack.integrity };
}

const box = createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] });

let cells = 0;
/** @param more another one with the memory of an earlier one */
function cellWith(
  active: readonly PromotionTerms[],
  publicKeys: readonly string[] = [publicKey],
  packs: readonly string[] = ['acme'],
  { hasTickets = true, ...more }: { readonly keeper?: MemoryKeeper<Uint8Array>; readonly hasTickets?: boolean } = {},
) {
  cells += 1;
  const stateDir = join(folder, `state-${cells}`);
  const notes: (IncidentNote & { readonly incident: string })[] = [];
  const warned: unknown[] = [];
  const observed = new ObservedPacks({
    packs,
    promotions: () => active.map((terms) => ({ terms, proposer: 'ana', approvers: ['ben'] })),
    releases: async () => ({ store, publishers: createVerifier({ publicKeys }) }),
    running: playbooksOf(),
    params: { 'acme/miner': { lease: '8h' } },
    hasTickets,
    note: async (incident, note) => {
      notes.push({ ...note, incident });
    },
    box,
    ...more,
    stateDir,
    log: { warn: (fields: object) => warned.push(fields) },
    now: () => now,
  });
  const hears = async (...alerts: readonly Alert[]) => {
    observed.hears('incident/lab/shop/Deployment/cart', alerts);
    await observed.idle();
  };
  return { observed, stateDir, notes, warned, hears };
}

const miner = () => alertOf({ rule: 'Detect crypto miners', severity: 'critical' });

test('an observed version notes in the incident, once, what it would have done, and ignores alerts it does not answer', async () => {
  const { stateDir, notes, hears } = cellWith([observe]);
  await hears(miner(), alertOf({ rule: 'Something else', severity: 'critical' }));
  await hears(miner());
  expect(notes).toMatchObject([{ incident: 'incident/lab/shop/Deployment/cart', kind: 'pack.observed', about: 'acme/miner' }]);
  expect(notes[0]?.text).toContain(
    'acme@1.0.0 is only observed and has done nothing. With nobody answering, acme/miner would result in: quarantinePod',
  );
  expect(observedOf(stateDir, { pack: 'acme', release: '1.0.0' })).toMatchObject([
    { rule: 'Detect crypto miners', playbook: 'acme/miner', outcome: expect.stringContaining('quarantinePod') },
  ]);
});

test('a version is not tried if nobody approved observing it, if it is running, or if no publisher signed it', async () => {
  const quiet = cellWith([]);
  await quiet.hears(miner());
  const runs = cellWith([observe, { ...observe, id: '2'.repeat(16), stage: 'all' }]);
  await runs.hears(miner());
  const unsigned = cellWith([observe], []);
  await unsigned.hears(miner());
  expect([quiet.notes, runs.notes, unsigned.notes]).toEqual([[], [], []]);
  expect(unsigned.warned).toMatchObject([{ reason: expect.stringContaining('not signed by a publisher') }]);
});

const askers = {
  'package.json': '{ "name": "asks-playbooks", "version": "1.0.0", "type": "module" }\n',
  'firebreak.pack.ts': `import { deletePod, quarantinePod } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';

const miner = definePlaybook(
  {
    id: 'miner',
    title: 'Cut off a pod that mines, and ask whether to remove it',
    on: { match: { rule: 'Detect crypto miners' }, minSeverity: 'high', requires: ['pod'] },
    uses: { quarantinePod, deletePod },
  },
  async ({ alert, steps, ask, verdict }) => {
    await steps.quarantinePod({ pod: alert.pod });
    const plan = await steps.deletePod.plan({ pod: alert.pod });
    const answer = await ask({
      question: 'Is it removed?',
      choices: { remove: 'Yes', keep: 'No, leave it cut off' },
      plan: { remove: plan },
      onSilence: 'It stays cut off.',
    });
    if (answer.choice === 'remove') await steps.deletePod({ pod: alert.pod }, answer.approval);
    if (answer.choice === 'keep') verdict('suspicious', 'kept');
  },
);

export default definePack({ name: 'asks', version: '1.0.0', playbooks: [miner] });
`,
};

test('decisions and failures that this cell saw in the incident also apply to the observed version', async () => {
  const terms = await published('asks', askers);
  const { observed, stateDir, notes, hears } = cellWith([terms], [publicKey], ['asks']);
  const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'one' };
  const asked = (text: string, over: object = {}) => ({ id: text, text, incident, ...over }) as Question;
  await hears(miner());
  expect(notes.map(({ text }) => text)).toEqual([
    'asks@1.0.0 is only observed and has done nothing. With nobody answering, asks/miner would result in: quarantinePod; quarantinePod in force; it would ask once',
  ]);
  // About another question, about another run, and about an incident in which nothing of it was tried.
  observed.decided(asked('Is the node cordoned?'), { choice: 'remove', level: 0 });
  observed.decided(asked('Is it removed?', { incident: { ...incident, run: 'two' } }), { choice: 'remove', level: 0 });
  observed.decided(asked('Is it removed?', { incident: { id: 'incident/lab/shop/Deployment/web', run: 'one' } }), {
    choice: 'remove',
    level: 0,
  });
  // A choice that it does not offer, then the one that people decided on; reported again at each vote.
  observed.decided(asked('Is it removed?', { id: 'q0' }), { choice: 'reboot', level: 0 });
  observed.decided(asked('Is it removed?'), { choice: 'keep', level: 1 });
  observed.decided(asked('Is it removed?'), { choice: 'keep', level: 1 });
  await observed.idle();
  expect(notes.slice(1).map(({ text }) => text)).toEqual([
    'asks@1.0.0 is only observed and has done nothing. With the answers that people gave (“Is it removed?”: keep), asks/miner would result in: quarantinePod; suspicious; quarantinePod in force; it would ask once',
  ]);
  const call = { incident, action: 'quarantinePod' };
  observed.failed({ ...call, action: 'deletePod' }, 'apply', 'FB_ERR_APPROVAL_INVALID');
  observed.failed(call, 'apply', 'FB_ERR_NOT_FOUND');
  await observed.idle();
  expect(notes.slice(2).map(({ text }) => text)).toEqual([
    expect.stringContaining(
      'With nobody answering and quarantinePod failing as it did here, asks/miner would result in: quarantinePod fails',
    ),
  ]);
  expect(new Set(notes.map(({ id }) => id)).size).toBe(3);
  expect(observedOf(stateDir, { pack: 'asks', release: '1.0.0' })).toMatchObject([
    { asks: ['Is it removed?'] },
    { answered: ['“Is it removed?”: keep'] },
    { failed: ['quarantinePod'] },
  ]);
});

const lookers = {
  'package.json': '{ "name": "looks-playbooks", "version": "1.0.0", "type": "module" }\n',
  'firebreak.pack.ts': `import { quarantinePod, verifyImage } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';

const miner = definePlaybook(
  {
    id: 'miner',
    title: 'Cut off a pod whose image nobody has signed',
    on: { match: { rule: 'Detect crypto miners' }, minSeverity: 'high', requires: ['pod'] },
    uses: { quarantinePod, verifyImage },
  },
  async ({ alert, steps, verdict }) => {
    const { output } = await steps.verifyImage({ pod: alert.pod });
    if (output.signature === 'unsigned') await steps.quarantinePod({ pod: alert.pod });
    else verdict('suspicious', 'signed');
  },
);

export default definePack({ name: 'looks', version: '1.0.0', playbooks: [miner] });
`,
};

test('the observed version gets the results of steps on the same pod, and all that was heard survives a restart', async () => {
  const terms = await published('looks', lookers);
  const kept = join(folder, 'kept');
  const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'one' };
  const alert = miner();
  const looked = (name: string) => ({ incident, action: 'verifyImage', input: { pod: { ...alert.pod, name } } });
  const unsigned = { signature: 'unsigned', detail: 'nobody has signed it' };

  let memory = new DurableMemory(kept, { error: () => undefined });
  const first = cellWith([terms], [publicKey], ['looks'], { keeper: memory.keeper('observed') });
  await first.hears(alert);
  // It ignores the result for another pod's image, and what another run has found.
  first.observed.done(looked('another-pod'), unsigned);
  first.observed.done({ ...looked(alert.pod?.name ?? ''), incident: { ...incident, run: 'two' } }, unsigned);
  await first.observed.idle();
  expect(first.notes.map(({ text }) => text)).toEqual([expect.stringContaining('would result in: verifyImage; suspicious')]);
  first.observed.done(looked(alert.pod?.name ?? ''), unsigned);
  await first.observed.idle();
  expect(first.notes.slice(1).map(({ text }) => text)).toEqual([
    'looks@1.0.0 is only observed and has done nothing. With nobody answering and verifyImage returning what it returned here, looks/miner would result in: verifyImage, quarantinePod; quarantinePod in force',
  ]);
  expect(observedOf(first.stateDir, { pack: 'looks', release: '1.0.0' })).toMatchObject([{}, { given: ['verifyImage'] }]);
  await memory.close();

  // A failure after the restart is added to what was heard before it; the alert is not reported once more.
  memory = new DurableMemory(kept, { error: () => undefined });
  const second = cellWith([terms], [publicKey], ['looks'], { keeper: memory.keeper('observed') });
  await second.hears(alert);
  expect(second.notes).toEqual([]);
  second.observed.failed({ incident, action: 'quarantinePod' }, 'apply', 'FB_ERR_NOT_FOUND');
  await second.observed.idle();
  expect(second.notes.map(({ text }) => text)).toEqual([
    expect.stringContaining(
      'With nobody answering and quarantinePod failing as it did here and verifyImage returning what it returned here, looks/miner would result in: verifyImage, quarantinePod fails',
    ),
  ]);
  await memory.close();
});

const filers = {
  'package.json': '{ "name": "filing-playbooks", "version": "1.0.0", "type": "module" }\n',
  'firebreak.pack.ts': `import { openTicket } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';

const miner = definePlaybook(
  {
    id: 'miner',
    title: 'File a ticket about a pod that mines',
    on: { match: { rule: 'Detect crypto miners' }, minSeverity: 'high', requires: ['pod'] },
    uses: { openTicket },
  },
  async ({ alert, steps }) => {
    await steps.openTicket({ title: alert.title, body: alert.rule, labels: ['firebreak'] });
  },
);

export default definePack({ name: 'files', version: '1.0.0', playbooks: [miner] });
`,
};

test('without a ticket system, an observed version files no ticket', async () => {
  const terms = await published('files', filers);
  const comesTo = async (hasTickets: boolean): Promise<string | undefined> => {
    const { hears, notes } = cellWith([terms], [publicKey], ['files'], { hasTickets });
    await hears(miner());
    return notes[0]?.text.replace(/.* would result in: /, '');
  };
  expect(await comesTo(true)).toBe('openTicket');
  expect(await comesTo(false)).toBe('openTicket skipped');
});

/** A disk as it was when the process ended, whatever the process does after that. */
function keeperOn(disk: ReadonlyMap<string, Remembered<Uint8Array>>) {
  const entries = new Map(disk);
  const keeper: MemoryKeeper<Uint8Array> = {
    load: () => [...entries],
    since: () => 0,
    put: (key, entry) => entries.set(key, entry),
    remove: (key) => entries.delete(key),
    keepSince: () => undefined,
  };
  return { entries, keeper };
}

test('an alert that was not tried before the process ended is tried after a restart, once the observed versions are known', async () => {
  const before = keeperOn(new Map());
  const first = cellWith([observe], [publicKey], ['acme'], before);
  first.observed.hears('incident/lab/shop/Deployment/cart', [miner()]);
  await eventually('the alert to be kept', () => before.entries.size === 1 || undefined);
  const after = keeperOn(before.entries);
  await first.observed.idle();

  const active: PromotionTerms[] = [];
  const second = cellWith(active, [publicKey], ['acme'], after);
  second.observed.resume();
  await second.observed.idle();
  expect(second.notes).toEqual([]);
  active.push(observe);
  second.observed.resume();
  await second.observed.idle();
  expect(second.notes).toMatchObject([{ incident: 'incident/lab/shop/Deployment/cart', about: 'acme/miner' }]);
});
