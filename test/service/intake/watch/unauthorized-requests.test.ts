import { expect, test } from '@jest/globals';
import { mostOf, type UnauthorizedRequests } from '../../../../core/alert/intake-report.ts';
import { UnauthorizedCounts } from '../../../../service/intake/watch/unauthorized-requests.ts';

const begin = Date.parse('2026-06-01T10:00:00Z');
const hourMs = 3_600_000;

function counting() {
  const clock = { now: begin };
  const heard: UnauthorizedRequests[] = [];
  const counts = new UnauthorizedCounts({ heard: (request) => heard.push(request), now: () => clock.now });
  return { clock, heard, counts };
}
const ofFalco = { address: '::ffff:10.0.0.7', sensor: 'falco', reason: 'a token is needed' };

test('counts by address and sensor, and says since when and why', () => {
  const { clock, heard, counts } = counting();
  counts.count(ofFalco);
  clock.now += hourMs;
  counts.count({ ...ofFalco, reason: 'the signature is wrong' });
  counts.count({ ...ofFalco, sensor: undefined });
  expect(counts.report()).toEqual([
    {
      ...{ from: '10.0.0.7', sensor: 'falco', count: 2, reason: 'the signature is wrong' },
      ...{ since: '2026-06-01T10:00:00.000Z', lastAt: '2026-06-01T11:00:00.000Z' },
    },
    {
      ...{ from: '10.0.0.7', count: 1, reason: 'a token is needed' },
      ...{ since: '2026-06-01T11:00:00.000Z', lastAt: '2026-06-01T11:00:00.000Z' },
    },
  ]);
  expect(heard).toHaveLength(2);
});

test('forgets after a day whoever has stopped', () => {
  const { clock, counts } = counting();
  counts.count(ofFalco);
  clock.now += 25 * hourMs;
  expect(counts.report()).toEqual([]);
});

test('keeps a bounded number, whatever strangers send, and loses none of the requests', () => {
  const { clock, heard, counts } = counting();
  counts.count(ofFalco);
  for (let n = 0; n < 5_000; n += 1) {
    clock.now += 1;
    counts.count({ ...ofFalco, address: `10.1.${Math.floor(n / 250)}.${n % 250}` });
  }
  const report = counts.report();
  expect(report).toHaveLength(51);
  expect(report.reduce((sum, { count }) => sum + count, 0)).toBe(5_001);
  expect(report).toContainEqual(expect.objectContaining({ from: '10.0.0.7', count: 1 }));
  expect(report[0]).toMatchObject({ from: 'other addresses', count: 4_951 });
  expect(heard).toHaveLength(51);
  expect(counts.latest()).toEqual(report.slice(0, mostOf.unauthorized));
});

test.each([
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['10.0.0.7', '10.0.0.7'],
  [undefined, 'an unknown address'],
])('counts the addresses of one host together: %s', (address, from) => {
  const { counts } = counting();
  counts.count({ ...ofFalco, address });
  expect(counts.report()).toMatchObject([{ from }]);
});
