import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../../core/cluster/labels.ts';
import { noteAnnotation } from '../../../core/cluster/object-note.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { listObjects, type ObjectJson, type ObjectRef, readObject } from '../../../integrations/kubernetes/objects.ts';
import { comparable } from '../../comparable.ts';
import type { Scene, TestCluster } from './row.ts';

/** An object, or all objects of a kind whose JSON contains the value of `of`: what an undo must restore. */
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

export function podsOf(namespace: string): Restorable {
  return { kind: 'Pod', resource: 'pods', namespace, of: namespace };
}

export async function contents(cluster: TestCluster, all: readonly Restorable[]): Promise<readonly unknown[]> {
  return Promise.all(
    all.map(async (kept) => {
      const found = await foundIn(cluster, kept);
      if ('of' in kept) return found.map((object) => comparable({ ...object }));
      return found[0] === undefined ? null : comparable({ ...found[0] });
    }),
  );
}

async function foundIn({ api }: TestCluster, kept: Restorable): Promise<readonly ObjectJson[]> {
  if ('of' in kept) return (await listObjects({ api, ref: kept })).filter((object) => JSON.stringify(object).includes(kept.of));
  const object = await readObject({ api, ref: kept });
  return object ? [object] : [];
}

/** Removes the action's notes from all of these. @returns what puts them back */
export async function takeNotes(cluster: TestCluster, all: readonly Restorable[], action: string): Promise<() => Promise<void>> {
  const ours = [noteAnnotation(action), names.beforeAnnotation];
  const notes: { readonly path: string; readonly name: string; readonly text: string }[] = [];
  for (const kept of all)
    for (const { metadata } of await foundIn(cluster, kept))
      for (const name of ours) {
        const text = metadata.annotations?.[name];
        if (text === undefined) continue;
        const { namespace } = metadata;
        notes.push({ path: pathOf({ ...kept, name: metadata.name, ...(namespace !== undefined && { namespace }) }), name, text });
      }
  if (notes.length === 0) throw new Error(`${action} has left no note`);
  const write = async (textOf: (text: string) => string | null): Promise<void> => {
    for (const { path, name, text } of notes) {
      const body = { metadata: { annotations: { [name]: textOf(text) } } };
      await cluster.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'change a note by hand' });
    }
  };
  await write(() => null);
  return () => write((text) => text);
}

/** Controllers follow an undo a moment later: for example, a taint that they put on a cordoned node is removed with it. */
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
