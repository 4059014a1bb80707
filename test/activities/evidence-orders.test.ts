import { generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createEvidenceActivities, type RunOfIncident } from '../../activities/control/evidence-orders.ts';
import type { EvidenceClass } from '../../core/evidence/evidence.ts';
import { expiresAt, type RetentionRules } from '../../core/evidence/evidence-retention.ts';
import { type EvidenceOrder, orderBytes, type SignedEvidenceOrder } from '../../core/orders/order.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../integrations/crypto-box/key-wrap.ts';
import { createFolderShelf } from '../../integrations/evidence/folder-shelf.ts';
import { createIncidentKeys } from '../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../integrations/evidence/key-register.ts';

const dayMs = 86_400_000;
const dir = mkdtempSync(join(tmpdir(), 'firebreak-orders-'));
afterAll(() => rmSync(dir, { recursive: true }));

const pairs = new Map(['ada', 'lea', 'kim', 'eve'].map((id) => [id, generateKeyPairSync('ed25519')]));
const roster = {
  people: [...pairs.keys()].map((id) => ({ id, name: id, slackIds: [], keys: [id] })),
  groups: { oncall: ['ada'], leads: ['lea', 'kim'], guests: ['eve'] },
};
const retention: RetentionRules = {
  state: { atLeastDays: 0 },
  logs: { atLeastDays: 10, atMostDays: 20 },
  files: { atLeastDays: 0, atMostDays: 20 },
  traffic: { atLeastDays: 0 },
  memory: { atLeastDays: 0, atMostDays: 5 },
};

/** A separate store, in which something was kept some days ago. */
async function stored(
  kept: readonly { readonly class: EvidenceClass; readonly daysAgo: number }[],
  { run, stewards = ['leads'] }: { readonly run?: RunOfIncident; readonly stewards?: readonly string[] } = {},
) {
  const shelf = createFolderShelf({ dir: join(dir, randomUUID()) });
  const incident = 'incident/lab/shop/Deployment/cart';
  const wrap = boxWrap(createBox({ keys: [{ id: 'evidence', key: new Uint8Array(32).fill(1) }] }));
  let now = Date.now();
  for (const { class: kind, daysAgo } of kept) {
    const madeAt = () => new Date(now - daysAgo * dayMs);
    await createIncidentKeys({ wrap, shelf, now: madeAt }).keyFor({ incident, run: 'run-1', class: kind });
  }
  const register = createKeyRegister({ shelf });
  const activities = createEvidenceActivities({
    beliefs: () => ({
      cluster: 'lab',
      roster,
      keys: {
        deskKeyIds: [],
        keyIdsOf: (person) => person.keys,
        verify: (id, bytes, signature) => {
          const pair = pairs.get(id);
          return pair !== undefined && verify(null, bytes, pair.publicKey, Buffer.from(signature, 'base64'));
        },
      },
      groups: ['oncall'],
      stewards,
      now,
    }),
    retention,
    keys: register,
    runOf: async () => run,
  });
  const order = (kind: EvidenceOrder['kind'], person: string, more: Partial<EvidenceOrder> = {}): SignedEvidenceOrder => {
    const at = new Date(now).toISOString();
    const given: EvidenceOrder = { version: 1, kind, person, at, cluster: 'lab', incident, reason: 'case closed', ...more };
    const key = pairs.get(person)?.privateKey;
    if (!key) throw new Error('no such person');
    return { order: given, keyId: person, signature: sign(null, orderBytes(given), key).toString('base64') };
  };
  const left = async (): Promise<readonly EvidenceClass[]> =>
    (await register.list(incident)).flatMap((key) => (key.destroyed ? [] : [key.class])).sort();
  const later = (ms: number): void => {
    now += ms;
  };
  /** As the control workflow does it. */
  const give = async (signed: SignedEvidenceOrder): Promise<string> => {
    const checked = await activities.checkEvidenceOrder(signed);
    if (!checked.ok) return checked.reason;
    const done = await activities.carryOutEvidenceOrder(signed);
    return done.ok ? done.text : done.reason;
  };
  return { ...activities, register, order, give, left, later };
}

describe('an order to destroy the evidence of an incident', () => {
  test('destroys all of it, or the classes that it names, and reports the same if repeated', async () => {
    const { order, give, left, register, carryOutEvidenceOrder } = await stored([
      { class: 'files', daysAgo: 1 },
      { class: 'memory', daysAgo: 1 },
      { class: 'state', daysAgo: 1 },
    ]);
    expect(await give(order('evidence.destroy', 'lea', { classes: ['memory'] }))).toContain('1 key of');
    expect(await left()).toEqual(['files', 'state']);
    const all = order('evidence.destroy', 'lea');
    expect(await give(all)).toContain('2 keys of');
    expect(await left()).toEqual([]);
    expect((await register.list())[0]?.destroyed).toMatchObject({ by: 'person/lea', reason: 'case closed' });
    // Temporal may call it again when the answer was lost.
    expect(await carryOutEvidenceOrder(all)).toMatchObject({ ok: true });
    expect(await give(order('evidence.destroy', 'lea', { reason: 'another' }))).toContain('is already destroyed');
    expect(await give(order('evidence.destroy', 'lea', { incident: 'incident/lab/shop/Deployment/other' }))).toContain(
      'Nothing that can be destroyed is kept of',
    );
  });

  test('must be from a steward, signed with their own key, recent and for this cluster', async () => {
    const { order, give, left, later } = await stored([{ class: 'files', daysAgo: 1 }]);
    expect(await give(order('evidence.destroy', 'ada'))).toBe('Only leads may do that.');
    const forged = { ...order('evidence.destroy', 'ada'), keyId: 'lea' };
    expect(await give({ ...forged, order: { ...forged.order, person: 'lea' } })).toContain('signature');
    expect(await give(order('evidence.destroy', 'lea', { cluster: 'other' }))).toContain('another cluster');
    const old = order('evidence.destroy', 'lea');
    later(3_600_000);
    expect(await give(old)).toContain('not recent');
    expect(await left()).toEqual(['files']);
    const nobody = await stored([{ class: 'files', daysAgo: 1 }], { stewards: [] });
    expect(await nobody.give(nobody.order('evidence.destroy', 'lea'))).toContain('names no group in evidence.stewards');
    expect(await nobody.give({ order: { kind: 'evidence.destroy' } } as unknown as SignedEvidenceOrder)).toContain('form');
  });

  test('is verified again where it is carried out, so that access to Temporal gains nothing', async () => {
    const { order, carryOutEvidenceOrder, left, later } = await stored([{ class: 'files', daysAgo: 1 }]);
    expect(await carryOutEvidenceOrder(order('evidence.destroy', 'eve'))).toMatchObject({ ok: false });
    const slow = order('evidence.destroy', 'lea');
    later(11 * 60_000);
    expect(await carryOutEvidenceOrder(slow)).toMatchObject({ ok: false });
    expect(await left()).toEqual(['files']);
    const late = order('evidence.destroy', 'lea');
    later(9 * 60_000);
    expect(await carryOutEvidenceOrder(late)).toMatchObject({ ok: true });
  });

  test('is refused as a whole while one of its classes must be kept, with the date', async () => {
    const { order, give, left } = await stored([
      { class: 'files', daysAgo: 1 },
      { class: 'logs', daysAgo: 1 },
    ]);
    expect(await give(order('evidence.destroy', 'lea'))).toMatch(/logs is kept for at least 10 days, until 20\d\d-/);
    expect(await left()).toEqual(['files', 'logs']);
    expect(await give(order('evidence.destroy', 'lea', { classes: ['files'] }))).toContain('1 key');
  });

  test('is refused under a hold, which anybody who may read can order, and only stewards can end', async () => {
    const { order, give, left, carryOutEvidenceOrder } = await stored([{ class: 'files', daysAgo: 30 }]);
    expect(await give(order('evidence.hold', 'eve'))).toBe('Only oncall or leads may do that.');
    expect(await give(order('evidence.hold', 'ada', { reason: 'lawsuit 4711' }))).toContain('until the hold is ended');
    expect(await give(order('evidence.destroy', 'lea'))).toContain('by person/ada: lawsuit 4711');
    expect(await give(order('evidence.unhold', 'ada'))).toBe('Only leads may do that.');
    expect(await left()).toEqual(['files']);
    // One steward alone cannot end anything, however often they order it.
    const first = order('evidence.unhold', 'lea');
    expect(await give(first)).toContain('until somebody else of leads also orders its end');
    expect(await carryOutEvidenceOrder(first)).toMatchObject({ ok: true, asked: true });
    expect(await give(order('evidence.unhold', 'lea'))).toContain('until somebody else');
    expect(await give(order('evidence.destroy', 'lea'))).toContain('(person/lea ordered its end; one more person must)');
    expect(await left()).toEqual(['files']);
    const unhold = order('evidence.unhold', 'kim');
    expect(await give(unhold)).toContain('no longer held');
    // Temporal may call it again when the answer was lost.
    expect(await carryOutEvidenceOrder(unhold)).toMatchObject({ ok: true, text: expect.stringContaining('no longer held') });
    expect(await give(order('evidence.unhold', 'lea'))).toContain('is held.');
    expect(await give(order('evidence.destroy', 'lea'))).toContain('1 key');
  });

  test('is refused under a hold that was ended only by an old order, or by one for an earlier hold', async () => {
    const { order, give, left, later } = await stored([{ class: 'files', daysAgo: 30 }]);
    const hold = () => give(order('evidence.hold', 'ada'));
    await hold();
    await give(order('evidence.unhold', 'lea'));
    later(8 * dayMs);
    expect(await give(order('evidence.unhold', 'kim'))).toContain('until somebody else');
    expect(await give(order('evidence.unhold', 'lea'))).toContain('no longer held');
    later(1_000);
    await hold();
    expect(await give(order('evidence.unhold', 'kim'))).toContain('until somebody else');
    expect(await give(order('evidence.destroy', 'kim'))).toContain('it has been held');
    expect(await left()).toEqual(['files']);
  });

  test('is refused while the incident is open, and from anybody whom its alerts name as the actor', async () => {
    const kept = [{ class: 'files', daysAgo: 1 }] as const;
    const open = await stored(kept, { run: { open: true, actors: async () => [] } });
    expect(await open.give(open.order('evidence.destroy', 'lea'))).toContain('still open');
    const own = await stored(kept, { run: { open: false, actors: async () => ['lea'] } });
    expect(await own.give(own.order('evidence.destroy', 'lea'))).toContain('names you as the actor');
    expect(await own.left()).toEqual(['files']);
    await own.give(own.order('evidence.hold', 'ada'));
    expect(await own.give(own.order('evidence.unhold', 'lea'))).toContain('names you as the actor');
    // Named between the check and the execution: it does not report the hold as ended.
    expect(await own.carryOutEvidenceOrder(own.order('evidence.unhold', 'lea'))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('names you as the actor'),
    });
  });
});

describe('evidence past its retention', () => {
  test('is found and destroyed, class by class', async () => {
    const { findExpiredEvidence, destroyExpiredEvidence, left, register } = await stored([
      { class: 'memory', daysAgo: 6 },
      { class: 'files', daysAgo: 19 },
      { class: 'logs', daysAgo: 21 },
      { class: 'state', daysAgo: 400 },
    ]);
    const found = await findExpiredEvidence({ except: [] });
    expect(found.map((key) => key.class).sort()).toEqual(['logs', 'memory']);
    const [first] = found;
    const others = await findExpiredEvidence({ except: [first?.id ?? ''] });
    expect(others.map(({ id }) => id)).toEqual([found[1]?.id]);
    for (const { id } of found) expect(await destroyExpiredEvidence(id)).toMatchObject({ ok: true });
    expect(await left()).toEqual(['files', 'state']);
    const memory = (await register.list()).find((key) => key.class === 'memory');
    expect(memory?.destroyed).toMatchObject({ by: 'engine', reason: 'kept for 5 days, as configured' });
    expect(await findExpiredEvidence({ except: [] })).toEqual([]);
    expect(await destroyExpiredEvidence(found[0]?.id ?? '')).toMatchObject({ ok: true });
  });

  test('is kept during a hold or while its incident is open, and no other key can be named', async () => {
    const kept = [{ class: 'memory', daysAgo: 6 }] as const;
    const open = await stored(kept, { run: { open: true, actors: async () => [] } });
    expect(await open.findExpiredEvidence({ except: [] })).toEqual([]);
    const held = await stored(kept);
    await held.give(held.order('evidence.hold', 'ada'));
    expect(await held.findExpiredEvidence({ except: [] })).toEqual([]);
    const [{ id } = { id: '' }] = await held.register.list();
    expect(await held.destroyExpiredEvidence(id)).toMatchObject({ ok: false, reason: expect.stringContaining('held') });
    const young = await stored([{ class: 'files', daysAgo: 1 }]);
    const [key] = await young.register.list();
    expect(await young.destroyExpiredEvidence(key?.id ?? '')).toMatchObject({
      ok: false,
      reason: 'its retention time is not over',
    });
    expect(expiresAt({ class: 'files', madeAt: '2026-01-01T00:00:00.000Z' }, retention)?.toISOString()).toBe(
      '2026-01-21T00:00:00.000Z',
    );
  });
});
