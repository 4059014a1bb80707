import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { ThreadPost } from '../../../core/cards/card.ts';
import type { DeadlineDraft, DeadlineOrder } from '../../../core/orders/deadline-order.ts';
import { deadlineOrderDone } from '../../../core/orders/deadline-order.ts';
import { orderBytes } from '../../../core/orders/order.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, signerFrom } from '../../../integrations/keys/ed25519.ts';
import { createPagerDuty } from '../../../integrations/pagerduty/pager.ts';
import { createDeadlines, type DeskDeadlines } from '../../../service/desk/deadlines.ts';
import { Journal } from '../../../service/desk/journal.ts';
import { type PagerDutyFake, startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { recordsOfKinds } from '../../suites/audit-store.ts';
import { newPrivateKey } from '../../suites/private-key.ts';
import { deskMaker, makerOf, makersTrust } from '../../suites/signed-records.ts';

const hourMs = 3_600_000;
const begin = Date.parse('2026-03-01T10:00:00.000Z');
const incident = { id: 'incident/c/shop/Deployment/cart', run: 'r1' };
const about = { incident: incident.id, run: incident.run, regime: 'nis2' } as const;
const start = { kind: 'deadline.start', ...about, awareAt: new Date(begin).toISOString(), reason: 'it spreads' } as const;
const control = 'control/c@1';
const routingKey = 'r'.repeat(32);

const people = { ana: signerFrom({ pem: newPrivateKey(), name: 'ana' }), ben: signerFrom({ pem: newPrivateKey(), name: 'ben' }) };
const roster = {
  people: [
    { id: 'ana', name: 'Ana', slackIds: [], keys: [] },
    { id: 'ben', name: 'Ben', slackIds: [], keys: [] },
  ],
  groups: {},
};
const keys = createVerifier({ publicKeys: Object.values(people).map(({ publicKey }) => publicKey) });
const signers = {
  keyIds: keys.keyIds,
  verify: keys.verify,
  keyIdsFor: (person: string) => (person === 'ana' || person === 'ben' ? [people[person].keyId] : []),
};

const folder = mkdtempSync(join(tmpdir(), 'firebreak-deadlines-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('deadlines of notifications', () => {
  let database: Database;
  let store: AuditStore;
  let now: number;
  let posts: ThreadPost[];
  let pagerDuty: PagerDutyFake;
  let stores = 0;

  beforeEach(async () => {
    stores += 1;
    database = await openDatabase({ url: `sqlite:${join(folder, `${stores}.db`)}` });
    store = createAuditStore(database);
    now = begin;
    posts = [];
    pagerDuty = await startPagerDutyFake({ routingKeys: [routingKey] });
  });
  afterEach(async () => {
    await pagerDuty.stop();
    await database.close();
  });

  const write = (chain: string, record: Pick<AuditRecord, 'kind' | 'actor' | 'body'>): Promise<unknown> =>
    store.appendNext(chain, async (number) => makerOf(chain).sign({ chain, number, at: new Date(now).toISOString(), ...record }));

  /** As the control workflow records it; `signer`: who has really signed it. */
  const order = async (draft: DeadlineDraft, person: 'ana' | 'ben' = 'ana', signer: 'ana' | 'ben' = person): Promise<void> => {
    const given: DeadlineOrder = { version: 1, person, at: new Date(now).toISOString(), cluster: 'c', ...draft };
    const signed = { order: given, keyId: people[person].keyId, signature: await people[signer].sign(orderBytes(given)) };
    const kind = deadlineOrderDone[given.kind];
    await write(control, { kind, actor: `person/${person}`, body: { text: `${person}: ${kind}`, order: signed } });
  };

  /** A desk that has just started. */
  const desk = (over: Partial<Parameters<typeof createDeadlines>[0]> = {}): DeskDeadlines =>
    createDeadlines({
      ...{ store, trust: makersTrust, signers, roster, entity: 'other', group: 'oncall', before: [4 * hourMs, hourMs] },
      pager: createPagerDuty({ routingKey, apiUrl: pagerDuty.url }),
      journal: new Journal({
        store,
        chain: 'desk/c',
        signer: signerFrom({ pem: deskMaker.pem, name: 'the desk' }),
        log: (problem) => {
          throw new Error(problem);
        },
      }),
      postInThread: async (post) => {
        posts.push(post);
      },
      log: { warn: () => undefined },
      now: () => now,
      ...over,
    });
  const at = (hours: number): void => {
    now = begin + hours * hourMs;
  };
  /** Each is a telephone that rings once. */
  const calls = (status?: 'triggered' | 'resolved'): readonly string[] =>
    pagerDuty.alerts
      .filter((alert) => status === undefined || alert.status === status)
      .map(({ triggers: [first] }) => String(isObject(first?.payload) ? first.payload.summary : undefined));
  const called = async (): Promise<readonly AuditRecord['body'][]> =>
    (await recordsOfKinds(store, ['deadline.called'])).map(({ body }) => body);
  const sent = (stage: 'early-warning' | 'notification' | 'final'): DeadlineDraft => ({
    ...{ kind: 'deadline.sent', ...about, stage, sentAt: new Date(now).toISOString(), reference: 'CSIRT-4711' },
  });

  test('page people four hours and one hour before each and when it has passed, once each, whatever is restarted', async () => {
    await order(start);
    const looks: number[] = [];
    for (const hours of [0, 19.9, 20, 20.1, 22.9, 23, 23.5, 24, 24.1, 30]) {
      at(hours);
      // A second desk looks too, and each time both are new.
      await Promise.all([desk().look(), desk().look()]);
      looks.push(calls().length);
    }
    expect(looks).toEqual([0, 0, 1, 1, 1, 2, 2, 3, 3, 3]);
    expect(new Set((await called()).map(({ key }) => key)).size).toBe(3);
  });

  test('page people before a trust service provider’s notification is due, 24 hours after becoming aware', async () => {
    await order(start);
    const provider = () => desk({ entity: 'trust-service-provider' });
    at(19.9);
    await provider().look();
    expect(calls()).toEqual([]);
    for (const hours of [20, 23, 24]) {
      at(hours);
      await provider().look();
    }
    const due = (await called()).map(({ stage, dueAt }) => `${stage} ${dueAt}`);
    const early = 'early-warning 2026-03-02T10:00:00.000Z';
    const notification = 'notification 2026-03-02T10:00:00.000Z';
    expect(due.sort()).toEqual([early, early, early, notification, notification, notification]);
    expect(calls()).toHaveLength(6);
    expect((await provider().linesOf(incident)).join()).toContain(
      'NIS2 incident notification: OVERDUE since 2026-03-02T10:00:00.000Z',
    );
    expect((await desk().linesOf(incident)).join()).toContain('NIS2 incident notification: due 2026-03-04T10:00:00.000Z');
  });

  test('say what is due, until when, and how the draft is written', async () => {
    await order(start);
    at(20);
    await desk().look();
    const details = pagerDuty.alerts.map(({ triggers: [first] }) => isObject(first?.payload) && first.payload.custom_details);
    expect(details).toMatchObject([{ 'known since': '2026-03-01T10:00:00.000Z, by Ana' }]);
    expect(calls()).toEqual([
      expect.stringMatching(/critical: deployment\/shop\/cart: NIS2 early warning: due 2026-03-02T10:00:00\.000Z/),
    ]);
    expect(await called()).toMatchObject([
      { group: 'oncall', stage: 'early-warning', dueAt: '2026-03-02T10:00:00.000Z', incident: incident.id },
    ]);
    // What was just done is reported at the next look.
    await desk().look();
    expect([...new Set(posts.map(({ text }) => text))]).toEqual([
      'ana: deadline.started',
      expect.stringMatching(
        /Draft: firebreak report notification incident\/c\/shop\/Deployment\/cart --run r1 --regime nis2 --stage early-warning\. oncall is called\.$/,
      ),
    ]);
  });

  test('do not wait for Slack: people are paged, and the thread is told when possible', async () => {
    await order(start);
    at(20);
    let isDown = true;
    const one = desk({
      postInThread: async (post) => {
        if (isDown) throw new Error('Slack is away');
        posts.push(post);
      },
    });
    await one.look();
    await one.look();
    expect(calls()).toHaveLength(1);
    expect(await one.metrics.text()).toContain('firebreak_deadline_calls_failed_total 0');
    isDown = false;
    await one.look();
    await one.look();
    expect(posts).toHaveLength(2);
  });

  test('page nobody for what was sent, and resolve the open page; the next one counts from when it was sent', async () => {
    await order(start);
    at(20);
    await desk().look();
    at(21);
    await order(sent('early-warning'));
    await order(sent('notification'));
    await desk().look();
    await desk().look();
    expect(calls('resolved')).toHaveLength(1);
    expect(await recordsOfKinds(store, ['deadline.call-ended'])).toHaveLength(1);
    at(100);
    await desk().look();
    expect(calls()).toHaveLength(1);
    const lines = await desk().linesOf(incident);
    expect(lines).toEqual([
      expect.stringContaining('NIS2 early warning: sent 2026-03-02T07:00:00.000Z by Ana, reference CSIRT-4711'),
      expect.stringContaining('NIS2 incident notification: sent'),
      expect.stringContaining('NIS2 final report: due 2026-04-02T07:00:00.000Z'),
    ]);
  });

  test('page only for the most pressing one after all desks were down', async () => {
    await order(start);
    at(71.5);
    await desk().look();
    expect(calls()).toEqual([
      expect.stringContaining('early warning: overdue since'),
      expect.stringContaining('notification: due'),
    ]);
  });

  test('are not silenced by a record that no person signed, nor by whoever started them', async () => {
    await order(start);
    await order({ kind: 'deadline.stop', ...about, reason: 'a test' }, 'ana');
    await order({ kind: 'deadline.stop', ...about, reason: 'a test' }, 'ben', 'ana');
    await order(sent('early-warning'), 'ben', 'ana');
    at(20);
    await desk().look();
    expect(calls()).toHaveLength(1);
    await order({ kind: 'deadline.stop', ...about, reason: 'a test' }, 'ben');
    await desk().look();
    at(30);
    await desk().look();
    expect(calls()).toHaveLength(1);
    expect(calls('resolved')).toHaveLength(1);
    expect(await desk().linesOf(incident)).toEqual([expect.stringContaining('no notification needed, by Ben')]);
  });

  test('run even if the signer of their start is no longer known, and count from the earliest moment that anybody named', async () => {
    await order(start, 'ana', 'ben');
    const later = new Date(begin + 12 * hourMs).toISOString();
    await order({ ...start, awareAt: later }, 'ben');
    at(20);
    await desk().look();
    expect(calls()).toHaveLength(1);
  });

  test('ignore records of another cluster’s cell, and those of a desk', async () => {
    const given: DeadlineOrder = { version: 1, person: 'ana', at: new Date(now).toISOString(), cluster: 'c', ...start };
    const signed = { order: given, keyId: people.ana.keyId, signature: await people.ana.sign(orderBytes(given)) };
    await write('desk/c', { kind: 'deadline.started', actor: 'person/ana', body: { order: signed } });
    await write('control/other@1', { kind: 'deadline.started', actor: 'person/ana', body: { order: signed } });
    at(20);
    await desk().look();
    expect(calls()).toEqual([]);
  });

  test('page again if the pager does not answer, and report that as a metric', async () => {
    await order(start);
    at(20);
    pagerDuty.inject({ method: 'POST', path: /enqueue/, what: 'fail', status: 503 });
    const one = desk();
    await one.look();
    expect(await called()).toEqual([]);
    expect(await one.metrics.text()).toContain('firebreak_deadline_calls_failed_total 1');
    await one.look();
    expect(await called()).toHaveLength(1);
  });

  test('are metrics, even once they have passed; and if nobody can be paged, the thread and the record say so', async () => {
    await order(start);
    at(25);
    const one = desk({ pager: undefined });
    await one.look();
    const text = await one.metrics.text();
    expect(text).toContain('firebreak_deadline_seconds{regime="nis2",stage="early-warning"} -3600');
    expect(text).toContain('firebreak_deadlines_missed{regime="nis2",stage="early-warning"} 1');
    expect(text).toContain('firebreak_deadlines_missed{regime="nis2",stage="notification"} 0');
    expect(await called()).toMatchObject([{ group: null }]);
    await one.look();
    expect(posts.map(({ text }) => text).join()).toContain('Nobody can be called: no paging is configured.');
  });

  test('of a vulnerability count the last one from when a measure is available', async () => {
    const cra = { ...about, regime: 'cra-vulnerability' } as const;
    await order({ ...start, ...cra });
    expect((await desk().linesOf(incident))[2]).toContain('the due date is not known yet');
    await order({ kind: 'deadline.measure', ...cra, availableAt: '2026-03-05T00:00:00.000Z', reason: '1.4.2 is out' });
    expect((await desk().linesOf(incident))[2]).toContain('CRA final report: due 2026-03-19T00:00:00.000Z');
  });
});
