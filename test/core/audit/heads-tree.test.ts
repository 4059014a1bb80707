import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ChainHead } from '../../../core/audit/audit.ts';
import {
  asSignedCheckpoint,
  type Checkpoint,
  checkpointBytes,
  checkpointDigest,
  checkpointText,
  headerOf,
  nextCheckpoint,
  type SignedCheckpoint,
} from '../../../core/audit/checkpoint.ts';
import { CheckpointChain, vouchesFor } from '../../../core/audit/checkpoint-chain.ts';
import { HeadHistory, headsDigest, headsIn, type StatedHead } from '../../../core/audit/head-history.ts';
import { HeadsTree, headLeaf } from '../../../core/audit/heads-tree.ts';
import { merkleRoot } from '../../../core/audit/merkle.ts';
import { canonicalJson, digestOf, sha256Hex } from '../../../core/text/digest.ts';

const rootOf = (heads: ReadonlyMap<string, ChainHead>): string => merkleRoot([...heads.values()].map(headLeaf));

describe('the tree over all heads', () => {
  test('has the root of a freshly built tree after each change', () => {
    const rounds = fc.array(fc.record({ chains: fc.array(fc.nat(60), { maxLength: 6 }), isAsked: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(rounds, (all) => {
        const tree = new HeadsTree();
        let plain = new Map<string, ChainHead>();
        expect(tree.root()).toBe(rootOf(plain));
        for (const [number, { chains, isAsked }] of all.entries()) {
          const heads = chains.map(
            (nth): ChainHead => ({ chain: `incident/c/${nth}@1`, number, hash: sha256Hex(`${nth} ${number}`) }),
          );
          const next = new Map(plain);
          for (const head of heads) next.set(head.chain, head);
          if (isAsked) expect(tree.rootWith(heads)).toBe(rootOf(next));
          // That was a query: it changed nothing.
          if (isAsked) expect([tree.root(), tree.size]).toEqual([rootOf(plain), plain.size]);
          for (const head of heads) tree.set(head);
          plain = next;
        }
        expect(tree.root()).toBe(rootOf(plain));
        expect(tree.values()).toEqual([...plain.values()]);
        expect([...tree.keys()]).toEqual([...plain.keys()]);
        for (const [chain, head] of plain) expect(tree.get(chain)).toEqual(head);
      }),
    );
  });

  test('has the same root after very many heads move at once, in any order', () => {
    const tree = new HeadsTree();
    const plain = new Map<string, ChainHead>();
    const move = (nth: number, number: number): void => {
      const head: ChainHead = { chain: `incident/c/${nth}@1`, number, hash: sha256Hex(`${nth} ${number}`) };
      plain.set(head.chain, head);
      tree.set(head);
    };
    for (let nth = 0; nth < 10_001; nth += 1) move(nth, 1);
    expect(tree.root()).toBe(rootOf(plain));
    for (let nth = 0; nth < 10_001; nth += 1) move((nth * 7_919) % 12_000, 2);
    expect(tree.root()).toBe(rootOf(plain));
  });

  test('a checkpoint covers the new heads, but does not commit them before it is signed', () => {
    const stated = new HeadsTree();
    const moved = ['a@1', 'b@1'].map((chain): ChainHead => ({ chain, number: 1, hash: sha256Hex(chain) }));
    const checkpoint = nextCheckpoint({ last: undefined, stated, moved, at: '2026-01-01T00:00:00.000Z' });
    expect(checkpoint).toMatchObject({ chains: 2, allHeads: merkleRoot(moved.map(headLeaf)) });
    expect(stated.size).toBe(0);
    for (const head of checkpoint.moved) stated.set(head);
    expect(stated.root()).toBe(checkpoint.allHeads);
  });
});

test('stated heads are read back unchanged and in order for each chain, even invalid hashes', () => {
  const history = new HeadHistory();
  const plain = new Map<number, Required<StatedHead>[]>();
  const isWhole = (chain: number): boolean => chain % 2 === 0;
  for (let nth = 0; nth < 40_000; nth += 1) {
    const chain = (nth * 7) % 13;
    const hash = nth % 1_000 === 3 ? `no hash ${nth}` : sha256Hex(String(nth));
    const head = { number: nth % 1_000 === 7 ? -nth : nth * 2 ** 20, hash, checkpoint: nth + 1 };
    history.add(chain, head, isWhole(chain));
    plain.set(chain, [...(plain.get(chain) ?? []), head]);
  }
  for (const [chain, heads] of plain) {
    const expected = isWhole(chain) ? heads : heads.map(({ number, checkpoint }) => ({ number, checkpoint }));
    expect(headsIn(history.bytesOf(chain))).toEqual(expected);
    expect(history.digestOf(chain)).toBe(heads.reduce((digest, { hash }) => headsDigest(digest, hash), ''));
  }
  expect(headsIn(history.bytesOf(13))).toEqual([]);
});

test('a head of an incident takes less than three bytes, however many checkpoints there are', () => {
  const history = new HeadHistory();
  const [chains, each] = [500, 40];
  for (let nth = 0; nth < each; nth += 1)
    for (let chain = 0; chain < chains; chain += 1)
      history.add(chain, { number: nth * 3, hash: sha256Hex(`${nth}`), checkpoint: 500_000 + nth * 5 }, false);
  const bytes = Array.from({ length: chains }, (_, chain) => history.bytesOf(chain).length).reduce((a, b) => a + b);
  expect(bytes / (chains * each)).toBeLessThan(3);
});

test('the time of a checkpoint is read back as it was signed, whatever its format', () => {
  const chain = new CheckpointChain();
  const times = ['2026-01-01T00:00:00.000Z', '2026-01-01T01:00:00+00:00', 'never', '2026-01-01T02:00:00.000Z'];
  for (const [index, at] of times.entries()) {
    const checkpoint = nextCheckpoint({ last: chain.last, stated: new HeadsTree(), moved: [], at });
    chain.follow({ checkpoint: { ...checkpoint, number: index === 3 ? 900 : checkpoint.number }, keyId: 'k', signature: 's' });
  }
  expect([1, 2, 3, 4, 900].map((number) => chain.timeOf(number))).toEqual([...times.slice(0, 3), undefined, times[3]]);
});

test('a checkpoint vouches only for the one that it names, including its signature, and only under the same key', () => {
  const next = (last: SignedCheckpoint | undefined, keyId = 'k') => ({
    checkpoint: nextCheckpoint({ last, stated: new HeadsTree(), moved: [], at: '2026-01-01T00:00:00.000Z' }),
    ...{ keyId, signature: 's' },
  });
  const first = next(undefined);
  const second = next(first);
  expect(vouchesFor(second, first)).toBe(true);
  expect(vouchesFor(second, { ...first, signature: 'worthless' })).toBe(false);
  expect(vouchesFor(second, { ...first, checkpoint: { ...first.checkpoint, at: '2026-01-01T00:01:00.000Z' } })).toBe(false);
  expect(vouchesFor(next(second), first)).toBe(false);
  expect(vouchesFor(next(first, 'newer'), first)).toBe(false);
});

describe('the hand-built text of a checkpoint', () => {
  const moved = ['incident/c/é"\\\u2028/x@1', 'desk/main'].map((chain, at): ChainHead => ({ chain, number: at, hash: `${at}"` }));
  const checkpoint: Checkpoint = {
    version: 1,
    number: 7,
    at: '2026-01-01T00:00:00.000Z"',
    previous: 'p\n',
    moved,
    chains: 2,
    allHeads: 'r',
  };
  const signed = { checkpoint, keyId: 'k"', signature: 's' };

  test('is its canonical JSON', () => {
    expect(checkpointText(signed)).toBe(canonicalJson(signed));
    expect(checkpointDigest(signed)).toBe(digestOf({ header: headerOf(checkpoint), keyId: 'k"', signature: 's' }));
    expect(new TextDecoder().decode(checkpointBytes(checkpoint))).toBe(
      `firebreak.checkpoint.v1\n${canonicalJson(headerOf(checkpoint))}`,
    );
  });

  test.each([
    ['next to the signature', { ...signed, more: 1 }],
    ['in the checkpoint', { ...signed, checkpoint: { ...checkpoint, more: 1 } }],
    ['in a head', { ...signed, checkpoint: { ...checkpoint, moved: [{ ...moved[0], more: 1 }] } }],
  ])('and nothing with an extra field is read: %s', (_, value) => {
    expect(asSignedCheckpoint(signed)).toEqual(signed);
    expect(asSignedCheckpoint(value)).toBeUndefined();
  });
});
