/** Writes the test vectors of `docs/spec/bundle.md`: `node test/core/bundle/record-vectors.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from '../../../core/text/plain-json.ts';
import { draftOf, namedMutations } from '../../suites/bundle-mutations.ts';
import { sampleBundle, seeds } from '../../suites/incident-bundle.ts';

type Operation = { readonly op: 'add' | 'replace' | 'remove'; readonly path: string; readonly value?: unknown };

/** RFC 6902. */
function patch(before: unknown, after: unknown, path = ''): readonly Operation[] {
  if (before === after) return [];
  const under = (name: string | number): string => `${path}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (Array.isArray(before) && Array.isArray(after)) {
    const shared = Math.min(before.length, after.length);
    return [
      ...before.slice(0, shared).flatMap((one, index) => patch(one, after[index], under(index))),
      ...before.slice(shared).map((_): Operation => ({ op: 'remove', path: under(shared) })),
      ...after.slice(shared).map((value, index): Operation => ({ op: 'add', path: under(shared + index), value })),
    ];
  }
  if (!isObject(before) || !isObject(after)) return [{ op: 'replace', path, value: after }];
  const gone = Object.keys(before).filter((name) => !(name in after));
  return [
    ...gone.map((name): Operation => ({ op: 'remove', path: under(name) })),
    ...Object.entries(after).flatMap(([name, value]): readonly Operation[] =>
      name in before ? patch(before[name], value, under(name)) : [{ op: 'add', path: under(name), value }],
    ),
  ];
}

/** Returns the text of `docs/spec/vectors.json`. */
export async function bundleVectors(): Promise<string> {
  const bundle = await sampleBundle();
  const changes = namedMutations.map(({ name, code, at, change }) => {
    const draft = draftOf(bundle);
    change(draft);
    return { name, patch: patch(bundle, draft), expect: { code, ...(at !== undefined && { at }) } };
  });
  return `${JSON.stringify({ seeds, bundle, changes }, null, 1)}\n`;
}

if (process.argv[1] === import.meta.filename)
  writeFileSync(join(import.meta.dirname, '../../../docs/spec/vectors.json'), await bundleVectors());
