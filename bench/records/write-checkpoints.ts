/**
 * The checkpoints for a year of very many records, one for each minute in which something moved, as if signed by a notary.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type ChainHead, genesisHash } from '../../core/audit/audit.ts';
import {
  type Checkpoint,
  checkpointBytes,
  checkpointDigest,
  checkpointText,
  type SignedCheckpoint,
} from '../../core/audit/checkpoint.ts';
import { HeadsTree } from '../../core/audit/heads-tree.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { copyInto, copyLine } from './copy-rows.ts';
import { type MovedHeads, movesFile } from './write-records.ts';

interface WrittenCheckpoints {
  readonly count: number;
  /** Number of heads that they name. */
  readonly heads: number;
  /** When the last one was signed. */
  readonly at: Date;
}

export async function writeCheckpoints({
  url,
  movesIn,
  shares,
  signer,
}: {
  readonly url: string;
  readonly movesIn: string;
  readonly shares: number;
  readonly signer: Signer;
}): Promise<WrittenCheckpoints> {
  const rows = copyInto(url, 'audit_checkpoints (number, content)');
  const tree = new HeadsTree();
  let [last, heads]: [SignedCheckpoint | undefined, number] = [undefined, 0];
  for await (const { minute, heads: moved } of inTurn(movesIn, shares)) {
    for (const head of moved) tree.set(head);
    const checkpoint: Checkpoint = {
      version: 1,
      number: (last?.checkpoint.number ?? 0) + 1,
      at: new Date((minute + 1) * 60_000).toISOString(),
      previous: last ? checkpointDigest(last) : genesisHash,
      moved: moved.toSorted((a, b) => (a.chain < b.chain ? -1 : 1)),
      chains: tree.size,
      allHeads: tree.root(),
    };
    const signature = await signer.sign(checkpointBytes(checkpoint));
    last = { checkpoint, keyId: signer.keyId, signature };
    const text = checkpointText(last);
    await rows.write(copyLine([checkpoint.number, text]));
    heads += moved.length;
  }
  await rows.end();
  if (!last) throw new Error('nothing has moved');
  const { number: count, at } = last.checkpoint;
  return { count, heads, at: new Date(at) };
}

/** Merges all shares, by minute. */
async function* inTurn(folder: string, shares: number): AsyncGenerator<MovedHeads, undefined> {
  const files = Array.from({ length: shares }, (_, share) => linesOf(movesFile(folder, share)));
  const next = await Promise.all(files.map((lines) => lines.next()));
  for (;;) {
    const minutes = next.flatMap(({ done, value }) => (done ? [] : [value.minute]));
    if (minutes.length === 0) return;
    const minute = Math.min(...minutes);
    const heads: ChainHead[] = [];
    for (const [index, lines] of files.entries()) {
      const one = next[index];
      if (!one || one.done || one.value.minute !== minute) continue;
      heads.push(...one.value.heads);
      next[index] = await lines.next();
    }
    yield { minute, heads };
  }
}

async function* linesOf(file: string): AsyncGenerator<MovedHeads, undefined> {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const one: MovedHeads = JSON.parse(line);
    yield one;
  }
}
