import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countedIn, createReservations } from '../../activities/chokepoint/reservations.ts';
import type { Plan } from '../../core/action/plan.ts';

const cap = 10;
const watchBehindMs = 3_000;
const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };

function planOf(namespace: string, uid: string): Plan {
  const name = `pod/${namespace}/cart`;
  return {
    action: 'quarantinePod',
    effect: 'reversible',
    reach: 'pod',
    target: { name, uid },
    changes: [],
    blastRadius: [name],
    notes: [],
    inputDigest: 'd',
  };
}

/** Cells of one cluster, each with a watch that lags by a different time, that contain whatever they count a place for. */
class Cluster {
  now = 1_000_000;
  readonly contained: { readonly uid: string; readonly namespace: string; readonly at: number }[] = [];
  readonly #lags: number[];
  readonly #cells: ReturnType<typeof createReservations>[];

  constructor(size: number, cells = size) {
    this.#lags = Array.from({ length: size }, () => 0);
    this.#cells = this.#lags.map((_, which) =>
      createReservations({
        rules: { cells },
        now: () => this.now,
        census: {
          ownerReplicas: () => 1_000,
          containedBy: () => new Set(),
          ...countedIn(
            () =>
              new Map(
                this.contained
                  .filter(({ at }) => at <= this.now - (this.#lags[which] ?? 0))
                  .map(({ uid, namespace }) => [uid, namespace]),
              ),
          ),
        },
      }),
    );
  }

  tries(which: number, namespace: string, lag: number): void {
    this.#lags[which] = lag;
    const uid = `uid-${this.contained.length}`;
    const cell = this.#cells[which];
    if (!cell || cell.contained(uid, namespace).total >= cap) return;
    cell.reserve(uid, planOf(namespace, uid), { key: uid, incident });
    this.contained.push({ uid, namespace, at: this.now });
  }
}

const attempts = fc.array(
  fc.record({
    which: fc.nat(3),
    lag: fc.nat(watchBehindMs),
    after: fc.oneof(fc.nat(50), fc.nat(40_000)),
    namespace: fc.constantFrom('shop', 'bank'),
  }),
  { maxLength: 80 },
);

describe('the places of several steps on one pod', () => {
  const places = () => {
    const census = {
      ownerReplicas: () => 1_000,
      containedBy: () => new Set<string>(),
      ...countedIn(() => new Map()),
    };
    return createReservations({ rules: {}, census });
  };
  const total = (all: ReturnType<typeof places>) => all.contained(undefined, 'shop').total;

  test('count once, and stay taken as long as one of the steps needs them', () => {
    const all = places();
    for (const key of ['quarantine', 'isolate']) all.reserve('uid-1', planOf('shop', 'uid-1'), { key, incident });
    expect(total(all)).toBe(1);
    all.drop('isolate');
    expect({ total: total(all), ours: [...all.containedBy(incident.id, 'shop')] }).toEqual({ total: 1, ours: ['uid-1'] });
    all.drop('quarantine');
    expect(total(all)).toBe(0);
  });
});

describe('places under a cap that several cells share', () => {
  test.each([1, 2, 3, 4])('are never taken twice, however far their watches lag (%i cells)', (size) => {
    fc.assert(
      fc.property(attempts, (all) => {
        const cluster = new Cluster(size);
        for (const { which, lag, after, namespace } of all) {
          cluster.now += after;
          cluster.tries(which % size, namespace, lag);
        }
        expect(cluster.contained.length).toBeLessThanOrEqual(cap);
      }),
      { numRuns: 300 },
    );
  });

  test('would be taken twice if two cells each believed to be alone', () => {
    const cluster = new Cluster(2, 1);
    for (let n = 0; n < 40; n += 1) cluster.tries(n % 2, 'shop', watchBehindMs);
    expect(cluster.contained).toHaveLength(2 * cap);
  });

  test('are taken up to the cell’s share in a burst, and gradually all but the last', () => {
    const cluster = new Cluster(2);
    for (let n = 0; n < cap; n += 1) cluster.tries(0, 'shop', watchBehindMs);
    expect(cluster.contained).toHaveLength(cap / 2);
    for (let n = 0; n < 3 * cap; n += 1) {
      cluster.now += 20_000;
      cluster.tries(0, 'shop', 0);
    }
    expect(cluster.contained).toHaveLength(cap - 1);
  });

  test('all belong to the cell if it is the only one', () => {
    const cluster = new Cluster(1);
    for (let n = 0; n < 2 * cap; n += 1) cluster.tries(0, 'shop', watchBehindMs);
    expect(cluster.contained).toHaveLength(cap);
  });
});
