import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GrowingRoot, type InclusionProof, inclusionProof, leafHash, merkleRoot } from '../../../core/audit/merkle.ts';

/** The leaves with which Certificate Transparency tests its trees, and their roots. */
const known = ['', '\0', '\x10', ' !', '01', '@ABC', 'PQRSTUVW', '`abcdefghijklmno'];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** RFC 9162, 2.1.3.2, word for word. */
function isIncluded(leaf: string, { index, path }: InclusionProof, size: number, root: string): boolean {
  let [fn, sn, r] = [index, size - 1, Buffer.from(leafHash(leaf))];
  if (index >= size) return false;
  const over = (left: Buffer, right: Buffer) =>
    createHash('sha256')
      .update(Buffer.concat([Buffer.of(1), left, right]))
      .digest();
  for (const text of path) {
    const p = Buffer.from(text, 'hex');
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = over(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else r = over(r, p);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && r.toString('hex') === root;
}

describe('the tree over heads', () => {
  test('has the roots that Certificate Transparency publishes for its test leaves', () => {
    expect(roots.map((_, size) => merkleRoot(known.slice(0, size).map(leafHash)))).toEqual(roots);
  });

  test('has the same root if leaves are added one by one', () => {
    const leaves = Array.from({ length: 70 }, (_, nth) => leafHash(String(nth)));
    const growing = new GrowingRoot();
    for (let size = 0; size <= leaves.length; size += 1) {
      expect([growing.size, growing.root()]).toEqual([size, merkleRoot(leaves.slice(0, size))]);
      const next = leaves[size];
      if (next) growing.add(next);
    }
  });

  test('proves each leaf in its own place, and no other leaf', () => {
    const texts = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(texts, fc.nat(), fc.nat(), (leaves, one, other) => {
        const hashes = leaves.map(leafHash);
        const root = merkleRoot(hashes);
        const proof = inclusionProof(hashes, one % leaves.length);
        const shown = leaves[other % leaves.length] ?? '';
        expect(isIncluded(shown, proof, leaves.length, root)).toBe(one % leaves.length === other % leaves.length);
      }),
    );
  });
});
