import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { holdsIn } from '../../../core/audit/record-holds.ts';
import { controlNames } from '../../../core/decide/control.ts';
import type { DeadlineDraft, DeadlineOrder } from '../../../core/orders/deadline-order.ts';
import type { IncidentTerms, SignedIncidentOrder, StartIncident } from '../../../core/orders/incident-order.ts';
import type { HoldRecords } from '../../../core/orders/record-hold.ts';
import { type ControlLab, dayMs, type RunningControl, type Signer, signedOrder, startControlLab } from './control-harness.ts';

let lab: ControlLab;
let control: RunningControl;
beforeAll(async () => {
  lab = await startControlLab();
  control = await lab.start();
});
afterAll(() => lab.stop());

let serial = 0;
function terms(over: Partial<IncidentTerms> = {}): IncidentTerms {
  serial += 1;
  return {
    version: 1,
    id: `e${serial.toString(16).padStart(15, '0')}`,
    cluster: 'lab',
    wish: 'quarantine',
    pod: { namespace: 'shop', name: 'cart-1' },
    severity: 'critical',
    reason: 'it mines',
    ...over,
  };
}

async function signed(
  of: IncidentTerms,
  over: Partial<StartIncident> = {},
  signer: Signer = 'desk',
): Promise<SignedIncidentOrder> {
  const at = new Date(await lab.clock()).toISOString();
  return signedOrder({ version: 1, kind: 'incident.start', person: 'ana', at, terms: of, via: 'slack', ...over }, signer);
}

async function sent(order: unknown): Promise<string> {
  const seen = lab.records.length;
  await control.signal(controlNames.orderSignal, order);
  const answer = () => lab.records.slice(seen).find(({ kind }) => /^\w+\.(started|refused|repeated)$/.test(kind))?.kind;
  await control.until(() => answer() !== undefined, 'the answer');
  return answer() ?? '';
}

describe('an incident that a person starts', () => {
  test('is an alert with them as its requester, and is recorded with the signed order', async () => {
    const order = await signed(terms({ link: 'https://acme.slack.com/archives/C1/p1' }));
    expect(await sent(order)).toBe('incident.started');
    expect(lab.raised).toMatchObject([
      {
        sensor: 'firebreak',
        rule: 'Quarantine ordered by a person',
        severity: 'critical',
        pod: { namespace: 'shop', name: 'cart-1' },
        requester: 'ana',
        title: expect.stringMatching(/ordered a quarantine: it mines \(https:\/\/acme\.slack\.com\/archives\/C1\/p1\)$/),
      },
    ]);
    const record = lab.records.find(({ kind }) => kind === 'incident.started');
    expect(record).toMatchObject({ actor: 'person/ana', body: { order, incident: 'incident/lab/shop/Pod/cart-1' } });
  });

  test('is one alert, however often the order is sent', async () => {
    const order = await signed(terms());
    const before = lab.raised.length;
    expect(await sent(order)).toBe('incident.started');
    expect(await sent(order)).toBe('order.repeated');
    expect(new Set(lab.raised.slice(before).map(({ id }) => id)).size).toBe(1);
  });

  test('may be signed with the person’s own key, if it does not claim to be from Slack', async () => {
    const { via: _, ...order } = (await signed(terms())).order;
    expect(await sent(signedOrder(order, 'ana'))).toBe('incident.started');
  });

  const refused: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['with a stranger’s key', () => signed(terms(), {}, 'stranger')],
    ['with a person’s own key, claiming to be from Slack', () => signed(terms(), {}, 'ana')],
    ['for somebody who is not on the roster', () => signed(terms(), { person: 'nobody' })],
    ['of another cluster', () => signed(terms({ cluster: 'other' }))],
    ['from yesterday', async () => signed(terms(), { at: new Date((await lab.clock()) - dayMs).toISOString() })],
    ['of a quarantine that is not critical', () => signed(terms({ severity: 'low' }))],
    ['with a link that is not a web address', () => signed(terms({ link: 'javascript:alert(1)' }))],
    [
      'of another kind',
      async () => ({ ...(await signed(terms())), order: { ...(await signed(terms())).order, kind: 'suppression.propose' } }),
    ],
    [
      'that was changed',
      async () => {
        const order = await signed(terms());
        return {
          ...order,
          order: { ...order.order, terms: { ...order.order.terms, pod: { namespace: 'bank', name: 'vault' } } },
        };
      },
    ],
    ['that is empty', async () => null],
  ];
  test.each(refused)('is refused and recorded %s', async (_what, order) => {
    const before = lab.raised.length;
    expect(await sent(await order())).toMatch(/^\w+\.refused$/);
    expect(lab.raised).toHaveLength(before);
  });
});

describe('a hold on records', () => {
  const incident = 'incident/lab/shop/Deployment/cart';
  const holdOrder = async (over: Partial<HoldRecords> = {}): Promise<HoldRecords> => {
    serial += 1;
    const given = { person: 'ana', at: new Date(await lab.clock()).toISOString(), cluster: 'lab', reason: 'lawsuit 4711' };
    const hold = `a${serial.toString(16).padStart(15, '0')}`;
    return { version: 1, kind: 'records.hold', ...given, hold, scope: { kind: 'incident', incident }, ...over };
  };
  const answered = async (order: unknown): Promise<string> => {
    const seen = lab.records.length;
    await control.signal(controlNames.orderSignal, order);
    const answer = () => lab.records.slice(seen).find(({ kind }) => kind.startsWith('records.'))?.kind;
    await control.until(() => answer() !== undefined, 'the answer');
    return answer() ?? '';
  };

  test('is recorded with the signed order, where cuts look for it', async () => {
    const order = signedOrder(await holdOrder(), 'ana');
    expect(await answered(order)).toBe('records.held');
    const record = lab.records.find(({ kind }) => kind === 'records.held');
    expect(record).toMatchObject({ actor: 'person/ana', body: { order } });
    const [hold] = holdsIn(record ? [{ record }] : [], { keyIds: [], keyIdsFor: () => [], verify: () => false });
    expect(hold?.order).toEqual(order.order);
  });

  test.each<readonly [string, () => Promise<unknown>]>([
    ['by somebody in no group that may', async () => signedOrder(await holdOrder({ person: 'eve' }), 'eve')],
    ['signed by a desk for somebody', async () => signedOrder(await holdOrder(), 'desk')],
    [
      'on an incident of another cluster',
      async () =>
        signedOrder(await holdOrder({ scope: { kind: 'incident', incident: 'incident/other/shop/Deployment/cart' } }), 'ana'),
    ],
    [
      'on a time that ends before it begins',
      async () =>
        signedOrder(
          await holdOrder({ scope: { kind: 'time', from: '2026-03-02T00:00:00.000Z', until: '2026-03-01T00:00:00.000Z' } }),
          'ana',
        ),
    ],
    [
      'that would end one if nobody may',
      async () => {
        const { scope: _, ...rest } = await holdOrder();
        return signedOrder({ ...rest, kind: 'records.unhold' }, 'ana');
      },
    ],
  ])('is refused %s', async (_what, order) => {
    expect(await answered(await order())).toBe('records.refused');
  });
});

describe('a notification to an authority', () => {
  const about = { incident: 'incident/lab/shop/Deployment/cart', run: 'run', regime: 'nis2' } as const;
  const start = {
    kind: 'deadline.start',
    ...about,
    awareAt: '2026-03-01T10:00:00.000Z',
    reason: 'customers are cut off',
  } as const;
  const deadlineOrder = async (
    draft: DeadlineDraft,
    over: Partial<Pick<DeadlineOrder, 'person' | 'at'>> = {},
  ): Promise<DeadlineOrder> => ({
    version: 1,
    person: 'ana',
    at: new Date(await lab.clock()).toISOString(),
    cluster: 'lab',
    ...draft,
    ...over,
  });
  const answered = async (order: unknown): Promise<string> => {
    const seen = lab.records.length;
    await control.signal(controlNames.orderSignal, order);
    const answer = () => lab.records.slice(seen).find(({ kind }) => /^(deadline|order)\./.test(kind))?.kind;
    await control.until(() => answer() !== undefined, 'the answer');
    return answer() ?? '';
  };

  test.each<readonly [string, DeadlineDraft, string]>([
    ['becomes due', start, 'deadline.started'],
    [
      'was sent',
      { kind: 'deadline.sent', ...about, stage: 'final', sentAt: '2026-03-02T10:00:00.000Z', reference: 'CSIRT-1' },
      'deadline.sent',
    ],
    [
      'counts from a measure',
      { kind: 'deadline.measure', ...about, availableAt: '2026-03-02T10:00:00.000Z', reason: '1.4.2 is out' },
      'deadline.measured',
    ],
    ['is called off', { kind: 'deadline.stop', ...about, reason: 'it was a test' }, 'deadline.stopped'],
  ])('%s by a signed order, where desks look for it', async (_what, draft, kind) => {
    const order = signedOrder(await deadlineOrder(draft), 'ana');
    expect(await answered(order)).toBe(kind);
    expect(lab.records.findLast((record) => record.kind === kind)).toMatchObject({ actor: 'person/ana', body: { order } });
  });

  test.each<readonly [string, () => Promise<unknown>]>([
    ['somebody in no group that decides', async () => signedOrder(await deadlineOrder(start, { person: 'eve' }), 'eve')],
    ['a stranger', async () => signedOrder(await deadlineOrder(start), 'stranger')],
    [
      'somebody for another cluster’s incident',
      async () => signedOrder(await deadlineOrder({ ...start, incident: 'incident/other/shop/Deployment/cart' }), 'ana'),
    ],
    [
      'somebody who claims to know of it from tomorrow on',
      async () =>
        signedOrder(await deadlineOrder({ ...start, awareAt: new Date((await lab.clock()) + dayMs).toISOString() }), 'ana'),
    ],
    [
      'whoever kept yesterday’s order',
      async () => signedOrder(await deadlineOrder(start, { at: new Date((await lab.clock()) - dayMs).toISOString() }), 'ana'),
    ],
  ])('is refused from %s', async (_what, order) => {
    expect(await answered(await order())).toBe('deadline.refused');
  });
});
