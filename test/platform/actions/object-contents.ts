import { setTimeout as sleep } from 'node:timers/promises';
import { listObjects, type ObjectRef, readObject } from '../../../integrations/kubernetes/objects.ts';
import { comparable } from '../../comparable.ts';
import type { Scene, TestCluster } from './row.ts';

/** An object, or all objects of a kind in which the word `of` stands: what an undo has to give back as it was. */
type Restorable = ObjectRef | (Omit<ObjectRef, 'name'> & { readonly of: string });

export function restorable({
  namespace,
  scene: { objects, makes = [] },
}: {
  readonly namespace: string;
  readonly scene: Pick<Scene<unknown>, 'objects' | 'makes'>;
}): readonly Restorable[] {
  return [...objects, ...makes.map((place) => ({ ...place, of: namespace }))];
}

export async function contents(cluster: TestCluster, all: readonly Restorable[]): Promise<readonly unknown[]> {
  const { api } = cluster;
  return Promise.all(
    all.map(async (kept) => {
      if ('of' in kept) {
        const found = await listObjects({ api, ref: kept });
        return found.filter((object) => JSON.stringify(object).includes(kept.of)).map((object) => comparable({ ...object }));
      }
      const object = await readObject({ api, ref: kept });
      return object === undefined ? null : comparable({ ...object });
    }),
  );
}

/** Controllers follow an undo a moment later: a taint that they put on a cordoned node goes with it. */
export async function settledContents(
  cluster: TestCluster,
  all: readonly Restorable[],
  expected: readonly unknown[] | undefined,
): Promise<readonly unknown[]> {
  const end = Date.now() + 120_000;
  for (;;) {
    const found = await contents(cluster, all);
    if (!expected || JSON.stringify(found) === JSON.stringify(expected) || Date.now() > end) return found;
    await sleep(100);
  }
}
