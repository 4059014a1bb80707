import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { ThreadPost } from '../../../core/cards/card.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createPagerDuty } from '../../../integrations/pagerduty/pager.ts';
import { runNews } from '../../../service/desk/run-news.ts';
import { type PagerDutyFake, startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { makerOf, makersTrust } from '../../suites/signed-records.ts';

const routingKey = 'r'.repeat(32);
const incident = { id: 'incident/c/shop/Deployment/cart', run: 'r1' };
const text = 'This incident is set aside: its playbook has ended its process twice.';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-run-news-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let database: Database;
let store: AuditStore;
let posts: { readonly post: ThreadPost; readonly accounts: readonly string[] | undefined }[];
let pagerDuty: PagerDutyFake;
let stores = 0;

beforeEach(async () => {
  stores += 1;
  database = await openDatabase({ url: `sqlite:${join(folder, `${stores}.db`)}` });
  store = createAuditStore(database);
  posts = [];
  pagerDuty = await startPagerDutyFake({ routingKeys: [routingKey] });
});
afterEach(async () => {
  await pagerDuty.stop();
  await database.close();
});

function put(chain: string, contained: readonly string[], more: { readonly at?: string } = {}): Promise<unknown> {
  const body = { incident: incident.id, run: incident.run, playbooks: ['acme/miner'], contained, text };
  return append({ chain, kind: 'incident.set-aside', at: daysAgo(0), body, ...more });
}

/** What a run says that goes on where another was lost. */
function putRestarted(run: string, at = new Date(Date.now() + 1_000).toISOString()): Promise<unknown> {
  return append({ chain: `${incident.id}@${run}`, kind: 'incident.restarted', at, body: { text: 'again', about: 'r1' } });
}

function append(record: Pick<AuditRecord, 'chain' | 'kind' | 'at' | 'body'>): Promise<unknown> {
  return store.appendNext(record.chain, async (number) => makerOf(record.chain).sign({ ...record, number, actor: 'engine' }));
}

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

function desk(over: Partial<Parameters<typeof runNews>[0]> = {}): () => Promise<void> {
  return runNews({
    ...{ store, trust: makersTrust, group: 'oncall', onCall: () => ['U1'] },
    postInThread: async (post, accounts) => {
      posts.push({ post, accounts });
    },
    pager: createPagerDuty({ routingKey, apiUrl: pagerDuty.url }),
    log: { warn: () => undefined },
    ...over,
  });
}

test('people read in the thread of an incident that it is set aside, once, and are paged if a pod of it is contained', async () => {
  await put('control/c@1', ['shop/cart-1']);
  const look = desk();
  await look();
  await look();
  expect(posts).toEqual([
    {
      post: { key: `set-aside/${incident.id}@r1`, text, incident: expect.objectContaining({ ...incident, cluster: 'c' }) },
      accounts: ['U1'],
    },
  ]);
  expect(pagerDuty.alerts).toHaveLength(1);
  expect(JSON.stringify(pagerDuty.alerts)).toContain(
    'its playbook acme/miner has ended its process twice, and it asks nobody. Contained: shop/cart-1',
  );
});

test('nobody is paged for an incident of which nothing is contained', async () => {
  await put('control/c@1', []);
  await desk()();
  expect(posts).toHaveLength(1);
  expect(pagerDuty.alerts).toEqual([]);
});

test('what Slack did not take is posted at a later look', async () => {
  await put('control/c@1', []);
  let isDown = true;
  const look = desk({
    postInThread: async (post, accounts) => {
      if (isDown) throw new Error('down');
      posts.push({ post, accounts });
    },
  });
  await look();
  isDown = false;
  await look();
  expect(posts).toHaveLength(1);
});

test('the page ends once the incident is begun again, and a desk that starts then tells nobody', async () => {
  await put('control/c@1', ['shop/cart-1']);
  const look = desk();
  await look();
  // Its own run could have said so before it ended its runner.
  await putRestarted('r1');
  await look();
  expect(pagerDuty.alerts).toMatchObject([{ status: 'triggered' }]);
  await putRestarted('r2');
  await look();
  expect(pagerDuty.alerts).toMatchObject([{ status: 'resolved' }]);
  await desk()();
  expect(pagerDuty.alerts).toHaveLength(1);
  expect(posts).toHaveLength(1);
});

test('a page also ends if that takes weeks, and a run that was lost before says nothing about it', async () => {
  await putRestarted('r0', daysAgo(21));
  await put('control/c@1', ['shop/cart-1'], { at: daysAgo(20) });
  const toPage = { now: () => Date.parse(daysAgo(20)) };
  await desk(toPage)();
  expect(pagerDuty.alerts).toMatchObject([{ status: 'triggered' }]);
  await putRestarted('r2');
  await desk()();
  expect(pagerDuty.alerts).toMatchObject([{ status: 'resolved' }]);
});

test('another cluster’s control workflow and an incident itself are not believed', async () => {
  await put('control/d@1', ['shop/cart-1']);
  await put(`${incident.id}@r1`, ['shop/cart-1']);
  await desk()();
  expect(posts).toEqual([]);
  expect(pagerDuty.alerts).toEqual([]);
});
