import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { leafHash, merkleRoot } from '../../../core/audit/merkle.ts';
import { consistencyProof, filePaths, isConsistent, LogTree, rootAt, tilePath } from '../../../core/tlog/log-tree.ts';
import { fromHex, toHex } from '../../../core/tlog/signed-note.ts';
import { parseEntries } from './entries.ts';

/** Anything larger than a tile of tiles would be hard to make here: the levels above work like those below. */
const most = 70_000;
const entries = Array.from({ length: most }, (_, index) => `entry ${index}`);

/** All files of a log of this size, and its root. */
function logOf(size: number) {
  const tree = new LogTree();
  const files = new Map<string, Uint8Array>();
  for (const entry of entries.slice(0, size)) for (const { path, bytes } of tree.append(entry)) files.set(path, bytes);
  for (const { path, bytes } of tree.partialFiles()) files.set(path, bytes);
  return { files, root: tree.root(), read: async (path: string) => files.get(path) };
}

const leaves = entries.map(leafHash);
const rootOf = (size: number): string => merkleRoot(leaves.slice(0, size));

describe('the tree of a log', () => {
  test.each([0, 1, 2, 3, 255, 256, 257, 511, 512, 700, 65_537])('of %i entries has the root of RFC 6962', (size) => {
    expect(toHex(logOf(size).root)).toBe(rootOf(size));
  });

  test('uses the files that C2SP’s tiles page names for 70 000 entries', () => {
    const { files } = logOf(most);
    const count = (pattern: RegExp): number => [...files.keys()].filter((path) => pattern.test(path)).length;
    expect(count(/^tile\/0\/(x\d{3}\/)?\d{3}$/)).toBe(273);
    expect(files.get('tile/0/273.p/112')).toHaveLength(112 * 32);
    expect(files.get('tile/1/000')).toHaveLength(256 * 32);
    expect(files.get('tile/1/001.p/17')).toHaveLength(17 * 32);
    expect(files.get('tile/2/000.p/1')).toHaveLength(32);
    expect(count(/^tile\/entries\/(x\d{3}\/)?\d{3}$/)).toBe(273);
    expect(parseEntries(files.get('tile/entries/273.p/112') ?? new Uint8Array())).toEqual(entries.slice(273 * 256));
    expect(tilePath(0, 1_234_067)).toBe('tile/0/x001/x234/067');
    expect(new Set(filePaths(0, most))).toEqual(new Set(files.keys()));
  });

  test('grows without any files besides those named for it', () => {
    fc.assert(
      fc.property(fc.nat(1_500), fc.nat(1_500), (from, more) => {
        const before = new Set(filePaths(0, from));
        const after = [...filePaths(0, from + more)].filter((path) => !before.has(path));
        const added = [...filePaths(from, from + more)];
        expect(after.filter((path) => !added.includes(path))).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  test('proves that it extends each smaller one, and cannot prove that it extends any other', async () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1_200 }), fc.constantFrom(256, 512, 768));
    const logs = new Map<number, ReturnType<typeof logOf>>();
    const log = (size: number) => {
      const known = logs.get(size) ?? logOf(size);
      logs.set(size, known);
      return known;
    };
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), fc.integer({ min: 1, max: 255 }), async (one, other, place, mask) => {
        const [from, size] = one < other ? [one, other] : [other, one];
        const { read, root } = log(size);
        const fromRoot = log(from).root;
        const proof = await consistencyProof({ read }, from, size);
        const given = { from, size, fromRoot, root, proof };
        expect(isConsistent(given)).toBe(true);
        expect(toHex(await rootAt({ read }, from, size))).toBe(toHex(fromRoot));
        const changed = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === place % 32 ? byte ^ mask : byte));
        expect(isConsistent({ ...given, fromRoot: changed(fromRoot) })).toBe(false);
        expect(isConsistent({ ...given, root: changed(root) })).toBe(false);
        expect(isConsistent({ ...given, proof: [...proof, root] })).toBe(false);
        if (proof.length === 0) return;
        const at = place % proof.length;
        expect(isConsistent({ ...given, proof: proof.toSpliced(at, 1) })).toBe(false);
        expect(isConsistent({ ...given, proof: proof.map((hash, index) => (index === at ? changed(hash) : hash)) })).toBe(false);
        // Sizes of the same shape can have proofs in common, but the signature covers the size, too.
        if (from > 1) expect(isConsistent({ ...given, fromRoot: log(from - 1).root })).toBe(false);
      }),
      { numRuns: 150 },
    );
    expect(fromHex(rootOf(5))).toEqual(Uint8Array.from(logOf(5).root));
  });
});
