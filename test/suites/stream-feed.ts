import { afterEach, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createStreamFeed } from '../../integrations/database/outbound/stream-feed.ts';
import type { Database, Queries } from '../../integrations/database/queries.ts';
import { run } from './audit-store.ts';

const chain = (name: string): string => `incident/c/shop/Deployment/${name}@r1`;

/** What streams rely on, on any database: `newUrl` returns the address of an empty one. */
export function streamFeedSuite(newUrl: () => Promise<string>): void {
  const opened: Database[] = [];
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });

  describe('the feed of streams', () => {
    test('is noted all or nothing, without waiting for the disk, and all else waits again', async () => {
      const database = await openDatabase({ url: await newUrl() });
      opened.push(database);
      const asked = { sqlite: 'PRAGMA synchronous', postgres: 'SHOW synchronous_commit' }[database.kind];
      const [waits, doesNot] = { sqlite: [2, 1], postgres: ['on', 'off'] }[database.kind];
      const isWaiting = async ({ all }: Queries): Promise<unknown> => Object.values((await all(asked))[0] ?? {})[0];
      const feed = createStreamFeed(database);
      await feed.begin('siem', 'now');
      expect(await database.note(isWaiting)).toBe(doesNot);
      const failing = database.note(async (queries) => {
        await queries.all('DELETE FROM streams');
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      expect(await feed.state('siem')).toMatchObject({ name: 'siem' });
      expect(await database.transaction(isWaiting)).toBe(waits);
    });

    test('knows how far each stream has come in each chain, through to its end', async () => {
      const database = await openDatabase({ url: await newUrl() });
      opened.push(database);
      const store = createAuditStore(database);
      const feed = createStreamFeed(database);
      await store.append(run(chain('cart'), 1, 5));
      await store.append(run(chain('shop'), 1, 2));
      await feed.begin('siem', 'beginning');
      await feed.begin('late', 'now');
      // The starting point counts only the first time.
      await feed.begin('siem', 'now');
      expect(await feed.lag('late')).toEqual({ records: 0, chains: 0 });
      expect(await feed.lag('siem')).toEqual({ records: 7, chains: 2, oldestAt: '2026-03-01T10:00:01.000Z' });
      expect(await feed.behind('siem', { most: 10 })).toEqual([
        { chain: chain('cart'), after: 0, upTo: 5, grownAt: expect.any(String) },
        { chain: chain('shop'), after: 0, upTo: 2, grownAt: expect.any(String) },
      ]);
      expect(await feed.behind('siem', { most: 1 })).toHaveLength(1);
      expect(await feed.behind('siem', { most: 10, grownSince: '2999-01-01T00:00:00.000Z' })).toEqual([]);
      const rows = await feed.rows({ chain: chain('cart'), after: 1, upTo: 4 }, 2);
      expect(rows.map(({ place, signed }) => [place, signed?.record.number])).toEqual([
        [2, 2],
        [3, 3],
      ]);
      const several = await feed.rowsOf([
        { chain: chain('shop'), after: 1, upTo: 2 },
        { chain: chain('cart'), after: 2, upTo: 4 },
        { chain: chain('nowhere'), after: 0, upTo: 9 },
      ]);
      const placesOf = (name: string) => several.get(chain(name))?.map(({ place }) => place);
      expect(['cart', 'shop', 'nowhere'].map(placesOf)).toEqual([[3, 4], [2], undefined]);

      expect(await feed.claim('siem', 'desk-a', 60_000)).toBe(true);
      expect(await feed.claim('siem', 'desk-b', 60_000)).toBe(false);
      await feed.failed('siem', 'HTTP status 503');
      const failing = await feed.state('siem');
      await feed.failed('siem', 'HTTP status 429');
      expect((await feed.state('siem'))?.failing).toEqual({ since: failing?.failing?.since, reason: 'HTTP status 429' });
      const upTo = [
        { chain: chain('cart'), place: 3 },
        { chain: chain('shop'), place: 2 },
      ];
      expect(await feed.delivered('siem', 'desk-b', upTo)).toBe(false);
      expect(await feed.delivered('siem', 'desk-a', upTo)).toBe(true);
      expect(await feed.delivered('siem', 'desk-a', [])).toBe(true);
      expect(await feed.state('siem')).toMatchObject({ holder: 'desk-a', deliveredAt: expect.any(String) });
      expect((await feed.state('siem'))?.failing).toBeUndefined();
      expect(await feed.lag('siem')).toEqual({ records: 2, chains: 1, oldestAt: '2026-03-01T10:00:04.000Z' });
      expect(await feed.behind('siem', { most: 10 })).toMatchObject([{ chain: chain('cart'), after: 3, upTo: 5 }]);
      await feed.release('siem', 'desk-a');
      expect(await feed.claim('siem', 'desk-b', 60_000)).toBe(true);
      // Many chains are recorded at once.
      const many = Array.from({ length: 450 }, (_, index) => ({ chain: chain(`n${index}`), place: 1 }));
      expect(await feed.delivered('siem', 'desk-b', many)).toBe(true);
      expect(await feed.state('nobody')).toBeUndefined();
    });
  });
}
