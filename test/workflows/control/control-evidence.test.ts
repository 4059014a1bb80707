import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createEvidenceActivities } from '../../../activities/control/evidence-orders.ts';
import { controlNames } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { EvidenceClass } from '../../../core/evidence/evidence.ts';
import { incidentKeyId } from '../../../core/evidence/incident-key.ts';
import type { EvidenceOrder } from '../../../core/orders/order.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../integrations/crypto-box/key-wrap.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createIncidentKeys } from '../../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../../integrations/evidence/key-register.ts';
import {
  beliefsAt,
  type ControlLab,
  dayMs,
  type RunningControl,
  roster,
  signedOrder,
  startControlLab,
  termsOf,
} from './control-harness.ts';

const dir = mkdtempSync(join(tmpdir(), 'firebreak-control-evidence-'));
const incident = 'incident/lab/shop/Deployment/cart';
let lab: ControlLab;
let control: RunningControl;
let answering = Promise.resolve();
let now = Date.now();

/** A folder that never gives up one key, like a bucket with object lock. */
const lockedId = incidentKeyId({ incident, run: 'run-1', class: 'memory' });
const folder = createFolderShelf({ dir });
const shelf: typeof folder = {
  ...folder,
  remove: async (name) => {
    await lab.server.clock.held(answering);
    if (name === `keys/${lockedId}`) throw new FirebreakError('FB_ERR_REFUSED', 'its object lock runs until 2030-01-01');
    return folder.remove(name);
  },
};

beforeAll(async () => {
  const evidence = createEvidenceActivities({
    beliefs: () => ({
      ...beliefsAt(now),
      roster: { ...roster, groups: { ...roster.groups, leads: ['lea', 'ben'] } },
      stewards: ['leads'],
    }),
    retention: {
      state: { atLeastDays: 0 },
      logs: { atLeastDays: 0, atMostDays: 5 },
      files: { atLeastDays: 0 },
      traffic: { atLeastDays: 0 },
      memory: { atLeastDays: 0, atMostDays: 5 },
    },
    keys: createKeyRegister({ shelf }),
    runOf: async () => undefined,
  });
  lab = await startControlLab({ evidence });
  control = await lab.start();
  now = await lab.clock();
  const wrap = boxWrap(createBox({ keys: [{ id: 'evidence', key: new Uint8Array(32).fill(1) }] }));
  const keys = createIncidentKeys({ wrap, shelf, now: () => new Date(now - 6 * dayMs) });
  for (const kind of ['files', 'logs', 'memory', 'state'] satisfies EvidenceClass[])
    await keys.keyFor({ incident, run: 'run-1', class: kind });
});

afterAll(async () => {
  await lab.stop();
  rmSync(dir, { recursive: true });
});

const kinds = async (): Promise<readonly string[]> =>
  (await control.state()).timeline.flatMap(({ kind }) => (kind.startsWith('evidence.') ? [kind] : []));

async function order(more: Partial<EvidenceOrder>, person: 'lea' | 'ben' | 'ana' = 'lea'): Promise<void> {
  now = await lab.clock();
  const given: EvidenceOrder = {
    version: 1,
    kind: 'evidence.destroy',
    person,
    at: new Date(now).toISOString(),
    cluster: 'lab',
    incident,
    reason: 'case closed',
    ...more,
  };
  await control.signal(controlNames.orderSignal, signedOrder(given, person));
}

test('an order is recorded before anything is destroyed, and its result afterwards', async () => {
  await order({ classes: ['files'] }, 'ana');
  await order({ classes: ['files'] });
  const { timeline } = await control.until(
    (state) => state.timeline.some(({ kind }) => kind === 'evidence.destroyed'),
    'the end of the files',
  );
  expect(await kinds()).toEqual(['evidence.refused', 'evidence.ordered', 'evidence.destroyed']);
  expect(timeline.map(({ actor }) => actor).slice(-3)).toEqual(['claimed/ana', 'person/lea', 'person/lea']);
  await control.until(({ audit }) => audit.acknowledged === audit.made, 'the records');
  const ordered = lab.records.find(({ kind }) => kind === 'evidence.ordered');
  expect(ordered?.body).toMatchObject({
    order: { keyId: 'lea', signature: expect.any(String) },
    keys: [incidentKeyId({ incident, run: 'run-1', class: 'files' })],
  });
});

test('expired evidence is deleted; what the store does not delete is reported once, and retried at each look', async () => {
  const before = (await kinds()).length;
  for (let looks = 0; looks < 3; looks += 1) await control.signal(controlNames.expireEvidenceSignal, undefined);
  await control.until((state) => state.timeline.some(({ text }) => text.includes('2030-01-01')), 'the refusal');
  await control.signal(controlNames.expireEvidenceSignal, undefined);
  // One more order after that look: what the look led to is known once the order is done.
  await order({ kind: 'evidence.hold', reason: 'lawsuit 4711' });
  await control.until((state) => state.timeline.some(({ kind }) => kind === 'evidence.held'), 'the hold');
  const since = (await control.state()).timeline.filter(({ kind }) => kind.startsWith('evidence.')).slice(before);
  const told = since.map(({ kind, text }) => [kind, /logs|memory/.exec(text)?.[0]]);
  expect(told.filter(([, what]) => what === 'logs').map(([kind]) => kind)).toEqual(['evidence.expired', 'evidence.destroyed']);
  expect(told.filter(([, what]) => what === 'memory').map(([kind]) => kind)).toEqual(['evidence.expired', 'evidence.refused']);
});

test('a store that does not answer delays neither suppressions nor votes', async () => {
  await order({ kind: 'evidence.unhold', reason: 'it is over' });
  await control.until((state) => state.timeline.some(({ kind }) => kind === 'evidence.unhold-asked'), 'the first of two');
  await order({ kind: 'evidence.unhold', reason: 'it is over' }, 'ben');
  await control.until((state) => state.timeline.some(({ kind }) => kind === 'evidence.unheld'), 'the end of the hold');
  let answer = (): void => {};
  answering = new Promise((resolve) => {
    answer = resolve;
  });
  await order({ classes: ['state'], reason: 'slowly' });
  await control.until((state) => state.timeline.some(({ text }) => text.includes('slowly')), 'the order');
  const terms = termsOf(await lab.clock());
  await control.propose(terms);
  await control.vote(terms.id, 'approve', 'ben');
  await control.until((state) => state.timeline.some(({ kind }) => kind === 'suppression.begun'), 'the suppression');
  expect((await kinds()).at(-1)).toBe('evidence.ordered');
  answer();
  await control.until((state) => state.timeline.at(-1)?.kind === 'evidence.destroyed', 'the end of it');
});
