import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { StoredRecord } from '../../../../core/audit/audit-store.ts';
import type { Trust } from '../../../../core/messages/sender.ts';
import { loadConfig } from '../../../../service/config/load.ts';
import { createOverviews } from '../../../../service/desk/console/overview.ts';
import { makersTrust, newMaker, maker as trusted } from '../../../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-overview-'));
const path = join(folder, 'firebreak.yaml');
writeFileSync(
  path,
  'cluster: c\nintake: { tokens: [{ name: falco, token: { env: TOKEN } }] }\nroster: { people: [{ id: ana, name: Ana }], groups: { oncall: [ana], leads: [ana] } }\n',
);
const config = loadConfig({ path, env: {} });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = '2026-03-01T14:02:11.000Z';
const viewer = { visible: 'all' } as Parameters<ReturnType<typeof createOverviews>['overview']>[0];

/** A question that the cell asked, in a run of its own. */
function asked(nth: number, maker = trusted): StoredRecord {
  const chain = `incident/c/shop/Deployment/app-${nth}@run-1`;
  const incident = { id: `incident/c/shop/Deployment/app-${nth}`, run: 'run-1' };
  const question = {
    id: `q-${nth}`,
    incident,
    levels: [{ group: 'oncall' }],
    choices: [],
    requester: 'playbook/p',
    text: 'Yours?',
  };
  const record = { chain, number: 1, at, kind: 'question.asked', actor: 'playbook/p', body: { question } };
  return { chain, place: 1, previous: '', hash: '', signed: maker.sign(record) };
}

function overviewsOf(rows: () => readonly StoredRecord[], trust: Trust, clock: { now: number }) {
  return createOverviews({
    config,
    list: {
      since: async () => [],
      contained: async () => [],
      counts: async () => ({ clusters: [], days: new Map<string, number>() }),
    },
    store: { recordsOf: async () => [...rows()] },
    trust,
    control: async () => undefined,
    now: () => clock.now,
  });
}

test('the overview that was prepared proves no record a second time, but one of each key: whose key is believed no more is not counted', async () => {
  const clock = { now: Date.parse(at) + 60_000 };
  let proofs = 0;
  let believes = true;
  const trust: Trust = {
    senderOf: (signed) => {
      proofs += 1;
      return believes ? makersTrust.senderOf(signed) : undefined;
    },
  };
  const rows = [...Array.from({ length: 60 }, (_, nth) => asked(nth)), asked(60, newMaker())];
  const overviews = overviewsOf(() => rows, trust, clock);
  await overviews.prepare();
  expect(proofs).toBe(61);
  expect((await overviews.overview(viewer)).questions.asked).toBe(60);
  expect(proofs).toBe(61);

  clock.now += 10_000;
  rows.push(asked(61));
  expect((await overviews.overview(viewer)).questions.asked).toBe(61);
  // The new one, the forged one, and one of the key that was believed.
  expect(proofs).toBe(64);

  clock.now += 10_000;
  believes = false;
  expect((await overviews.overview(viewer)).questions.asked).toBe(0);
});
