import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pino from 'pino';
import type { Lease } from '../../../core/incident/lease.ts';
import { type OwnKnowledge, openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { eventually } from '../../eventually.ts';

const incident = 'incident/lab/shop/Deployment/cart';
const since = '2026-11-30T00:00:00.000Z';
const recordOf = (lease: string, over: object = {}) => ({
  chain: `${incident}@run-1`,
  kind: 'lease.release-refused' as const,
  at: since,
  body: { text: 'Still contained: cart', lease, code: 'FB_ERR_API_REFUSED', next: '2026-11-30T00:01:00.000Z', ...over },
});
const leaseOf = (id: string, over: Partial<Lease> = {}): Lease => ({
  id,
  action: 'revokeServiceAccount',
  target: { name: 'serviceaccount/shop/cart' },
  stepKey: `step-${id}`,
  holders: [],
  startedAt: 0,
  until: 0,
  durationMs: 1,
  renewals: 0,
  state: 'active',
  onExpiry: 'renew',
  refused: { since: Date.parse(since), tries: 2, nextAt: Date.parse(since) + 180_000, why: 'denied' },
  ...over,
});

/** A lease whose release nothing refuses. */
function calmOf(id: string): Lease {
  const { refused: _, ...lease } = leaseOf(id);
  return lease;
}

let folder: string;
let knowledge: OwnKnowledge;
let stopping: AbortController;
/** What the incident says; `away`: nobody answers for it. */
let says: readonly Lease[] | 'away';
let asked = 0;

function opened(): OwnKnowledge {
  knowledge = openKnowledge(folder, pino({ level: 'silent' }));
  stopping = new AbortController();
  const leasesOf = async () => {
    asked += 1;
    if (says === 'away') throw new Error('nobody answers');
    return says;
  };
  void knowledge.refusedReleases.watch({ leasesOf, signal: stopping.signal, everyMs: 5 });
  return knowledge;
}

async function closed(): Promise<void> {
  stopping.abort();
  await knowledge.close();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-refused-'));
  says = 'away';
  opened();
});
afterEach(async () => {
  await closed();
  rmSync(folder, { recursive: true });
});

const counted = () => knowledge.refusedReleases.all().map(({ lease }) => lease);
const askedAgain = async () => {
  const before = asked;
  await eventually('two more looks', () => asked > before + 1);
};

test('a refusal counts from its first record, once however often it recurs, and still after a restart', async () => {
  knowledge.refusedReleases.heard(recordOf('a'));
  knowledge.refusedReleases.heard(recordOf('a'));
  knowledge.refusedReleases.heard(recordOf('b'));
  expect(knowledge.refusedReleases.all()[0]).toEqual({ incident, lease: 'a', text: 'Still contained: cart', since });
  await askedAgain();
  expect(counted()).toEqual(['a', 'b']);
  await closed();
  opened();
  expect(counted()).toEqual(['a', 'b']);
});

test('a release that is not retried does not count, nor does any other record', () => {
  knowledge.refusedReleases.heard(recordOf('a', { next: undefined }));
  knowledge.refusedReleases.heard({ ...recordOf('b'), kind: 'lease.extended' });
  expect(counted()).toEqual([]);
});

test('a refusal counts for as long as its incident reports it, with the reason of the last attempt, even during a retry', async () => {
  knowledge.refusedReleases.heard(recordOf('a'));
  says = [leaseOf('a', { state: 'releasing' }), calmOf('c')];
  await eventually('the words', () => knowledge.refusedReleases.all()[0]?.text.includes('denied'));
  expect(knowledge.refusedReleases.all()).toEqual([
    {
      incident,
      lease: 'a',
      since,
      text: expect.stringMatching(/^Still contained: .*Its release is refused: denied\. .*00:03:00\.000Z\.$/),
    },
  ]);
  // People have extended it: no release waits.
  says = [calmOf('a')];
  await eventually('none', () => counted().length === 0);
  const before = asked;
  knowledge.refusedReleases.heard(recordOf('b'));
  says = [leaseOf('b', { state: 'permanent' })];
  await eventually('none that is kept for good', () => asked > before && counted().length === 0);
});
